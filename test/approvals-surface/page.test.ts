// The page of the people who approve calls, as it is served: its policy, its headers, what it is made of, and what it is told to sign in with.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { APPROVAL_PAGE_PATH, approvalPageText } from '../../scripts/generate/approvals.ts'
import { ROOT } from '../lib/process.ts'
import { bearer, type Secured, send } from '../live/lib/secured.ts'
import { PAGE_CLIENT, type People, startPeople } from './lib/people.ts'
import { asPerson, startSurface } from './lib/service.ts'

const FOLDER = join(ROOT, 'src/http/approvals/page')
const FILES = {
  '/approvals': ['page.html', 'text/html; charset=utf-8'],
  '/approvals/page.css': ['page.css', 'text/css; charset=utf-8'],
  '/approvals/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/approvals/text.js': ['text.js', 'text/javascript; charset=utf-8'],
} as const

let people: People
let service: Secured
before(async () => {
  people = await startPeople()
  service = await startSurface(people)
})
after(async () => {
  await service?.close()
  await people?.close()
})

const at = (path: string) => asPerson(service, people, path)

test('the committed texts are those of the files', () => {
  assert.equal(
    readFileSync(join(ROOT, APPROVAL_PAGE_PATH), 'utf8'),
    approvalPageText(),
    'run npm run generate',
  )
  assert.deepEqual(
    readdirSync(FOLDER).toSorted(),
    Object.values(FILES)
      .map(([name]) => name)
      .toSorted(),
  )
})

for (const [path, [file, type]] of Object.entries(FILES)) {
  test(`${path} needs no token, is kept by nobody and sets no cookie`, async () => {
    const { status, headers, text } = await at(path)
    assert.equal(status, 200)
    assert.equal(text, readFileSync(join(FOLDER, file), 'utf8'))
    assert.deepEqual(
      [
        headers['content-type'],
        headers['cache-control'],
        headers['set-cookie'],
        headers['x-content-type-options'],
      ],
      [type, 'no-store', undefined, 'nosniff'],
    )
    assert.equal(headers['referrer-policy'], 'no-referrer')
    assert.equal(headers['x-frame-options'], 'DENY')
  })
}

describe('the policy of the page', () => {
  const policyOf = async (path: string): Promise<string> =>
    String((await at(path)).headers['content-security-policy'])

  test('lets it talk to the service and the token endpoint alone', async () => {
    assert.deepEqual((await policyOf('/approvals')).split('; '), [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      `connect-src 'self' ${people.issuer}`,
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "form-action 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
    ])
  })

  test('is one header, and that of every other path stays as it was', async () => {
    const plain = await policyOf('/v1/approvals')
    assert.equal(plain, "default-src 'none';frame-ancestors 'none';base-uri 'none';form-action 'none'")
    for (const path of [
      '/approvals/page.js',
      '/approvals/sign-in.json',
      '/.well-known/oauth-protected-resource',
    ])
      assert.equal(await policyOf(path), plain)
    // Node joins two headers of this name with a comma.
    assert.ok(!(await policyOf('/approvals')).includes(','))
  })

  test('names no other host while the issuer cannot be asked', async () => {
    people.intercept = (_, response) => {
      response.writeHead(500).end()
      return true
    }
    const lost = await startSurface(people)
    try {
      const page = await asPerson(lost, people, '/approvals')
      assert.match(String(page.headers['content-security-policy']), /connect-src 'self';/)
      const settings = await asPerson(lost, people, '/approvals/sign-in.json')
      assert.deepEqual([settings.status, settings.body['code']], [503, 'issuer_unavailable'])
    } finally {
      people.intercept = undefined
      await lost.close()
      people.forwardTo(service.url)
    }
  })
})

test('the page is told where to sign in by the issuer’s metadata and the configuration, never by the request', async () => {
  const wanted = {
    issuer: people.issuer,
    authorizationEndpoint: `${people.issuer}/auth`,
    tokenEndpoint: `${people.issuer}/token`,
    issParameter: true,
    clientId: PAGE_CLIENT,
    scope: 'openid ductape:approve',
    resource: people.peopleUrl,
    redirectUri: `${people.peopleUrl}/approvals`,
  }
  for (const [path, host] of [
    ['/approvals/sign-in.json', new URL(people.peopleUrl).host],
    ['/approvals/sign-in.json?issuer=https://evil.example&redirect_uri=https://evil.example', '127.0.0.1'],
  ] as const) {
    const { body } = await asPerson(service, people, path, {
      headers: { host, 'x-forwarded-host': 'evil.example' },
    })
    assert.deepEqual(body, wanted)
  }
})

test('its files name no other origin, and write no markup', () => {
  for (const [file] of Object.values(FILES)) {
    const text = readFileSync(join(FOLDER, file), 'utf8')
    assert.doesNotMatch(text, /https?:|@import|[\s:]url\(|<iframe|<form|style=|\son[a-z]+=/, file)
    assert.doesNotMatch(
      text,
      /innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|localStorage|document\.cookie/,
      file,
    )
  }
})

describe('a browser', () => {
  const from = (origin: string, path: string, method = 'GET') =>
    asPerson(service, people, path, { method, headers: { origin }, ...(method === 'POST' && { body: {} }) })

  test('asks /v1/approvals from the origin of the people alone, whatever is allowed elsewhere', async () => {
    const agents = 'https://console.example.com'
    const open = await startSurface(people, { app: { config: { http: { allowedOrigins: [agents] } } } })
    try {
      for (const origin of [agents, 'http://localhost:3000', 'https://evil.example', 'null']) {
        for (const method of ['GET', 'POST', 'OPTIONS']) {
          const path = method === 'GET' ? '/v1/approvals' : '/v1/approvals/x'
          const answer = await asPerson(open, people, path, { method, headers: { origin } })
          assert.deepEqual(
            [answer.status, answer.body['code']],
            [403, 'origin_not_allowed'],
            `${method} ${origin}`,
          )
          assert.equal(answer.headers['access-control-allow-origin'], undefined)
        }
      }
      // The controls: the page itself, and the other origin where it is allowed.
      assert.equal((await from(people.peopleUrl, '/v1/approvals')).status, 401)
      const tools = await send(open, {
        method: 'GET',
        path: '/v1/tools',
        headers: { ...bearer('agent'), origin: agents },
      })
      assert.deepEqual([tools.status, tools.headers['access-control-allow-origin']], [200, agents])
    } finally {
      await open.close()
      people.forwardTo(service.url)
    }
  })
})

test('the host of peopleUrl is served, another is not', async () => {
  const named = { ...people, peopleUrl: 'https://approve.example.com' } satisfies People
  const other = await startSurface(named)
  try {
    const status = async (host: string): Promise<number> =>
      (await send(other, { method: 'GET', path: '/approvals', headers: { host } })).status
    assert.deepEqual([await status('approve.example.com'), await status('approve.example.org')], [200, 403])
  } finally {
    await other.close()
    people.forwardTo(service.url)
  }
})
