// The page where people approve calls, in a real Chromium with a real authorization server. SCREENSHOTS=1 writes docs/images.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { canonical } from '../../src/core/canonical.ts'
import type { Json } from '../../src/core/json.ts'
import { type People, startPeople } from '../approvals-surface/lib/people.ts'
import { askFor, insertOf, startSurface } from '../approvals-surface/lib/service.ts'
import { bearer, call, type Secured } from '../live/lib/secured.ts'
import { axe, type Browser, type Context, type Page, startBrowser } from './lib/browser.ts'
import { ROOT, unless } from './lib/tools.ts'

const WIDE = { width: 1200, height: 900 }
const NARROW = { width: 320, height: 640 }
const MINUTE = 60_000

describe('the approval page', { skip: unless('chromium', 'npm peers') }, () => {
  let people: People
  let service: Secured
  let browser: Browser
  let context: Context
  let page: Page
  /** What the browser complained about, and where it went. */
  let complaints: string[]
  let origins: Set<string>
  let later = 0
  let rows = 7000

  before(async () => {
    people = await startPeople()
    service = await startSurface(people, {
      live: {
        'policy.yaml': {
          roles: { all: { allow: [{ tool: '*' }] } },
          approvals: { expiry: '5m' },
        },
      },
      app: {
        config: { http: { maxBody: 4 << 20 } },
        ports: { now: () => Date.now() + later },
      },
    })
    browser = await startBrowser()
  })
  after(async () => {
    await browser?.close()
    await service?.close()
    await people?.close()
  })

  beforeEach(async () => {
    await context?.close()
    context = await browser.newContext()
    page = await context.newPage()
    await page.setViewportSize(WIDE)
    complaints = []
    origins = new Set()
    page.on('console', (message: { type(): string; text(): string; location(): { url: string } }) => {
      const { url } = message.location()
      // The issuer's own pages are not looked at here.
      if (!url.startsWith(people.issuer) && ['error', 'warning'].includes(message.type()))
        complaints.push(`${message.text()} ${url}`)
    })
    page.on('pageerror', (error: Error) => void complaints.push(String(error)))
    page.on('dialog', (dialog: { dismiss(): Promise<void> }) => {
      complaints.push('a dialog')
      void dialog.dismiss()
    })
    page.on('request', (request: { url(): string }) => void origins.add(new URL(request.url()).origin))
  })

  const newRow = (more: object = {}) => ({ id: ++rows, name: 'Lin', email: `${rows}@example.com`, ...more })
  const text = async (selector: string): Promise<string> => (await page.locator(selector).textContent()) ?? ''
  const shows = (selector: string, hasText: string): Promise<void> =>
    page.locator(selector, { hasText }).waitFor()
  const focused = (): Promise<string> =>
    page.evaluate('document.activeElement.id || document.activeElement.tagName')
  const run = async (data: object) =>
    (await call(service, 'rest', { headers: bearer('agent'), args: insertOf(data) })).body['code']

  async function signIn(account: string, id?: string): Promise<void> {
    await page.goto(`${people.peopleUrl}/approvals${id === undefined ? '' : `#${id}`}`)
    await page.locator('#sign-in').click()
    await page.locator('input[name=account]').fill(account)
    await page.keyboard.press('Enter')
    await shows('#who', `Signed in as ${account}`)
  }

  async function opened(account: string, data: object, who?: string): Promise<string> {
    const id = await askFor(service, data, who)
    await signIn(account, id)
    await page.locator('#call').waitFor()
    return id
  }

  const picture = async (name: string): Promise<void> => {
    if (process.env['SCREENSHOTS'] === '1')
      await page.screenshot({ path: join(ROOT, 'docs/images', `approvals-${name}.png`), fullPage: true })
  }

  async function isClean(): Promise<void> {
    const found = await axe(page)
    assert.deepEqual(
      found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`),
      [],
    )
  }

  test('signs a person in, back to the call of the link; nothing of it stays in the browser', async () => {
    const id = await opened('grace', newRow())
    assert.equal(await text('#who'), 'Signed in as grace, tenant acme')
    assert.equal(page.url(), `${people.peopleUrl}/approvals#${id}`)
    assert.equal(
      await page.evaluate('JSON.stringify([{ ...sessionStorage }, { ...localStorage }])'),
      '[{},{}]',
    )
    assert.equal(await page.evaluate('history.state'), null)
    assert.deepEqual([...origins].toSorted(), [people.issuer, people.peopleUrl].toSorted())
    assert.deepEqual(complaints, [])
    await page.reload()
    assert.equal(await page.locator('#sign-in').isVisible(), true, 'the token was in memory only')
    assert.equal(await page.locator('#call').isVisible(), false)
  })

  test('approves: the call runs once', async () => {
    const row = newRow()
    await opened('grace', row)
    assert.match(await text('#facts'), /owner of agent/)
    assert.equal(await text('#risks'), 'Low risk operation')
    assert.match(await text('#facts'), /Ductape keyk1\.[\w-]{43}Digestk1\.[\w-]{43}Asked/)
    await picture('light')
    await page.locator('#approve').click()
    await shows('#outcome', 'Approved')
    assert.equal(await run(row), undefined)
    assert.equal(await run(row), 'approval_required')
    assert.deepEqual(complaints, [])
  })

  test('denies with a reason, which the caller reads', async () => {
    const row = newRow()
    await opened('grace', row)
    await page.locator('#reason').fill('not on a Friday')
    await page.locator('#deny').click()
    await shows('#outcome', 'Denied')
    const answer = await call(service, 'rest', { headers: bearer('agent'), args: insertOf(row) })
    assert.equal(answer.body['code'], 'approval_denied')
    assert.match(answer.text, /not on a Friday/)
  })

  test('shows a new call by itself, and says so', async () => {
    await signIn('grace')
    const id = await askFor(service, newRow())
    await page.locator(`button[data-id="${id}"]`).waitFor()
    assert.match(await text('#status'), /^\d+ calls? waits?\.$/)
    await page.locator(`button[data-id="${id}"]`).click()
    await page.locator('#call').waitFor()
    assert.equal(await focused(), 'call-title')
  })

  test('closes a call that expires while it is looked at', async () => {
    await opened('grace', newRow())
    later += 6 * MINUTE
    await shows('#outcome', 'expired')
    assert.equal(await page.locator('#approve').isVisible(), false)
    await shows('#none', 'None')
  })

  test('does not let a person decide what was asked in their own name', async () => {
    await opened('ada', newRow(), 'ada-agent')
    assert.match(await text('#outcome'), /You cannot decide this call/)
    assert.deepEqual(
      [await page.locator('#approve').isDisabled(), await page.locator('#deny').isDisabled()],
      [true, true],
    )
  })

  test('shows a person of another tenant nothing', async () => {
    const id = await askFor(service, newRow())
    await signIn('mallory', id)
    await shows('#problem', 'There is no such approval.')
    assert.equal(await page.locator('#call').isVisible(), false)
    assert.equal(await page.locator('#list button').count(), 0)
  })

  test('refuses an answer of the issuer that this window did not ask for', async () => {
    await page.goto(`${people.peopleUrl}/approvals?code=stolen&state=guessed`)
    await shows('#problem', 'not begun in this window')
    assert.equal(page.url(), `${people.peopleUrl}/approvals`)
    assert.equal(await page.locator('#sign-in').isVisible(), true)
  })

  describe('arguments', () => {
    test('are shown as the text that the digest covers', async () => {
      const row = newRow({
        list: [1, 2.5, -3e20, [], {}, null, true],
        text: 'a "b" \\ {c}: [d], e',
        nested: { a: { b: 'c' } },
      })
      await opened('grace', row)
      const { publishable_key: _, ...args } = insertOf(row)
      const shown = await text('#arguments')
      // Outside strings the page puts in line breaks and spaces, and nothing else.
      const squeezed = shown.replace(/"(?:[^"\\]|\\.)*"|\s+/g, (token) => (token[0] === '"' ? token : ''))
      assert.equal(squeezed, canonical(args as Json))
    })

    test('that hide, reorder or mark up are shown as what they are', async () => {
      const row = newRow({
        html: '<img src=x onerror=alert(1)><script>alert(2)</script>',
        bidi: 'invoice\u202Efdp.exe',
        isolate: '\u2066a\u2069',
        zero: 'ad\u200Bmin\uFEFF',
        tags: '\u{E0041}\u{E0042}',
        blank: 'a\u00A0b\u3000c\u2800d\u3164e',
        spaces: `a${' '.repeat(300)}b`,
        lines: 'first\nsecond\\nthird\u2028fourth',
        hebrew: 'שלום 12',
        cyrillic: 'раypal',
        struck: '1\u0336000',
        'na\u202Eme': 1,
      })
      await opened('grace', row)
      const marks = await page.evaluate<string[]>(
        `[...document.querySelectorAll('#arguments .hidden')].map((one) => one.textContent)`,
      )
      for (const mark of [
        'U+202E',
        'U+2066',
        'U+2069',
        'U+200B',
        'U+FEFF',
        'U+E0041',
        'U+E0042',
        'U+00A0',
        'U+3000',
        'U+2800',
        'U+3164',
        'U+2028',
        'U+0336',
        'U+0020 ×300',
      ])
        assert.ok(marks.includes(mark), `${mark} in ${marks}`)
      assert.equal(marks.filter((mark) => mark === 'U+202E').length, 2)
      const others = await page.evaluate<string[]>(
        `[...document.querySelectorAll('#arguments .other')].map((one) => one.textContent)`,
      )
      assert.ok(others.includes('ра') && others.includes('שלום'), String(others))
      const shown = await text('#arguments')
      assert.doesNotMatch(shown, /[\u202A-\u202E\u2066-\u2069\u200B\uFEFF\u00A0\u2028]/)
      assert.ok(shown.includes('<img src=x onerror=alert(1)><script>alert(2)</script>'))
      assert.ok(shown.includes('"first\\n\nsecond\\\\nthird'))
      assert.equal(await page.locator('#arguments img, #arguments script').count(), 0)
      assert.equal(
        await page.evaluate(`getComputedStyle(document.querySelector('#arguments')).unicodeBidi`),
        'isolate-override',
      )
      assert.deepEqual(complaints, [])
      await picture('hostile')
    })

    test('of nearly 64 KiB are shown whole, above the buttons; more is refused', async () => {
      const long = 'x'.repeat(64 * 1024 - 400)
      await opened('grace', newRow({ long, last: 'the end' }))
      const shown = await text('#arguments')
      assert.ok(shown.includes(long) || shown.replace(/\s/g, '').includes(long))
      assert.ok(
        await page.evaluate(`document.querySelector('#arguments').getBoundingClientRect().bottom <=
          document.querySelector('#approve').getBoundingClientRect().top`),
      )
      assert.ok(
        await page.evaluate(
          `(({ scrollHeight, clientHeight }) => scrollHeight <= clientHeight)(document.querySelector('#arguments'))`,
        ),
        'nothing of it has to be scrolled inside its box',
      )
      for (const size of [64 * 1024, 1 << 20])
        assert.equal(await run(newRow({ long: 'x'.repeat(size) })), 'approval_too_large')
    })
  })

  test('works by keyboard alone', async () => {
    const row = newRow()
    const id = await askFor(service, row)
    await page.goto(`${people.peopleUrl}/approvals`)
    await page.locator('#sign-in').waitFor()
    const tabTo = async (wanted: string): Promise<void> => {
      for (let i = 0; i < 40; i++) {
        if (await page.evaluate(`document.activeElement.matches(${JSON.stringify(wanted)})`)) return
        await page.keyboard.press('Tab')
      }
      assert.fail(`${wanted} is not reached; the focus is at ${await focused()}`)
    }
    await tabTo('#sign-in')
    await page.keyboard.press('Enter')
    await page.locator('input[name=account]').waitFor()
    await page.keyboard.type('grace')
    await page.keyboard.press('Enter')
    await shows('#who', 'grace')
    await tabTo(`button[data-id="${id}"]`)
    await page.keyboard.press('Enter')
    await page.locator('#call').waitFor()
    await page.locator('#call-title:focus').waitFor()
    await tabTo('#reason')
    await page.keyboard.type('seen')
    await tabTo('#approve')
    await page.keyboard.press('Space')
    await shows('#outcome', 'Approved')
    assert.equal(await focused(), 'waiting-title')
    assert.equal(await run(row), undefined)
  })

  test('is clean by the rules of axe, in light and dark, wide and narrow, and never wider than its window', async () => {
    await page.goto(`${people.peopleUrl}/approvals`)
    await page.locator('#sign-in').waitFor()
    await isClean()
    await opened('grace', newRow({ note: 'раypal\u202E', password: 'x', long: 'y'.repeat(300) }))
    assert.equal(await text('#risks'), 'Arguments may contain sensitive data')
    const background = (): Promise<string> => page.evaluate('getComputedStyle(document.body).backgroundColor')
    const light = await background()
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      for (const [name, size] of [
        ['wide', WIDE],
        ['narrow', NARROW],
      ] as const) {
        await page.setViewportSize(size)
        await isClean()
        assert.ok(
          await page.evaluate('document.documentElement.scrollWidth <= document.documentElement.clientWidth'),
          `${colorScheme} ${name}`,
        )
        if ((colorScheme === 'dark') === (name === 'wide')) await picture(`${colorScheme}-${name}`)
      }
    }
    assert.notEqual(await background(), light)
    assert.deepEqual(complaints, [])
  })
})
