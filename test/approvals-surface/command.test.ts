// `ductape-mcp approvals` against a running service: what it lists and decides, what it shows of hostile texts, and its exit codes.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { UsageError } from '../../src/cli/io.ts'
import { APPROVALS_HELP, approvalsCommand } from '../../src/client/approvals.ts'
import { canonical } from '../../src/core/canonical.ts'
import { type Json, parseObject } from '../../src/core/json.ts'
import { capture, ONE_SENTENCE, stranger } from '../client/lib.ts'
import { bearer, call, keyOf, type Secured } from '../live/lib/secured.ts'
import { type People, startPeople } from './lib/people.ts'
import { askFor, insertOf, startSurface } from './lib/service.ts'

let people: People
let service: Secured
let files: Record<string, string>
let rows = 2000

before(async () => {
  people = await startPeople()
  service = await startSurface(people)
  files = {
    grace: await people.tokenOf('grace'),
    ada: await people.tokenOf('ada'),
    mallory: await people.tokenOf('mallory'),
    other: await people.tokenOf('grace', { scope: 'ductape:other' }),
    agent: keyOf('agent'),
  }
})
after(async () => {
  await service?.close()
  await people?.close()
})

const newRow = (more: object = {}) => ({ id: ++rows, name: 'Lin', email: `${rows}@example.com`, ...more })

async function run(who: string, ...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const { io, out, err } = capture({}, files)
  const code = await approvalsCommand([...argv, '--url', people.peopleUrl, '--token-file', who], io)
  return { code, out: out(), err: err() }
}

describe('ductape-mcp approvals', () => {
  test('list shows what waits, list ID all of it, and neither the credential', async () => {
    const row = newRow()
    const id = await askFor(service, row)
    const all = await run('grace', 'list')
    assert.equal(all.code, 0, all.err)
    const line = all.out.split('\n').find((text) => text.startsWith(id))
    assert.match(
      line ?? '',
      /^\S+ {2}databases\.insert {2}write {2}owner of agent {2}until \S+Z {2}Low risk operation$/,
    )
    const one = await run('grace', 'list', id)
    const { publishable_key: key, ...args } = insertOf(row)
    assert.ok(one.out.includes(`\n${canonical(args as Json)}\n`), one.out)
    assert.match(one.out, /^as +api-key:agent$/m)
    assert.match(one.out, /^you may decide +yes$/m)
    assert.match(one.out, /^Ductape key +k1\.[\w-]{43}$/m)
    assert.ok(!`${all.out}${one.out}`.includes(String(key)))
  })

  test('approve lets the call run once; deny refuses it with the reason', async () => {
    const [approved, denied] = [newRow(), newRow()]
    const again = async (data: object) =>
      (await call(service, 'rest', { headers: bearer('agent'), args: insertOf(data) })).body
    const first = await run('grace', 'approve', await askFor(service, approved))
    assert.deepEqual(first, { code: 0, out: 'Approved: the caller can make this call once.\n', err: '' })
    assert.equal((await again(approved))['code'], undefined)
    assert.equal((await again(approved))['code'], 'approval_required')
    const second = await run('grace', 'deny', await askFor(service, denied), '--reason', 'not today')
    assert.deepEqual(second, { code: 0, out: 'Denied.\n', err: '' })
    assert.match(String((await again(denied))['detail']), /not today/)
  })

  test('--json gives the answer of the service', async () => {
    const id = await askFor(service, newRow())
    const list = parseObject((await run('grace', 'list', '--json')).out)
    assert.ok((list?.['approvals'] as { id: string }[] | undefined)?.some((one) => one.id === id))
    assert.equal(parseObject((await run('grace', 'list', id, '--json')).out)?.['state'], 'pending')
    assert.equal(parseObject((await run('grace', 'approve', id, '--json')).out)?.['state'], 'approved')
  })

  test('shows nothing that moves a cursor, hides or reorders', async () => {
    const id = await askFor(service, newRow({ evil: '\u001b[2J\u202Egnp.exe\u200B', 'na\u2066me': 'x' }))
    for (const argv of [['list'], ['list', id], ['list', '--json'], ['list', id, '--json']]) {
      const { out } = await run('grace', ...argv)
      assert.doesNotMatch(out, /[\p{Cf}\u2028\u2029]|(?!\n)\p{Cc}/u, argv.join(' '))
    }
    const { out } = await run('grace', 'list', id)
    assert.ok(out.includes('\\u001b[2J\\u202egnp.exe\\u200b') && out.includes('na\\u2066me'), out)
  })

  test('takes an id that begins with a dash', async () => {
    const answer = await run('grace', 'approve', `-${'a'.repeat(21)}`)
    assert.match(answer.err, /^Refused \(approval_unknown\)/)
  })

  test('says in one sentence what the service refuses, with exit 1', async () => {
    const own = await askFor(service, newRow(), 'ada-agent')
    assert.match((await run('ada', 'list', own)).out, /^you may decide +no: it was asked in your own name$/m)
    const decided = await askFor(service, newRow())
    await run('grace', 'approve', decided)
    for (const [who, id, code] of [
      ['ada', own, 'approver_refused'],
      ['mallory', own, 'approval_unknown'],
      ['grace', decided, 'approval_decided'],
      ['grace', 'nothing', 'approval_unknown'],
      ['other', own, 'scope_insufficient'],
      ['agent', own, 'token_invalid'],
    ] as const) {
      const answer = await run(who, 'approve', id)
      assert.deepEqual([answer.code, answer.out], [1, ''], code)
      assert.match(answer.err, ONE_SENTENCE)
      assert.ok(answer.err.startsWith(`Refused (${code}): `), answer.err)
    }
    assert.deepEqual(await run('mallory', 'list'), { code: 0, out: 'No call waits.\n', err: '' })
  })

  test('a server that is none, or nobody: one sentence, exit 1', async () => {
    const other = await stranger((_, response) =>
      response.writeHead(404).end('{"code":"toString","title":"\u001b[2J"}'),
    )
    const at = async (url: string) => {
      const { io, err } = capture({}, files)
      return { code: await approvalsCommand(['list', '--url', url, '--token-file', 'grace'], io), err: err() }
    }
    try {
      const strange = await at(other.url)
      assert.equal(strange.code, 1)
      assert.match(strange.err, /answered HTTP 404, not as a service with approvals would\.\n$/)
    } finally {
      await other.close()
    }
    const nobody = await at(other.url)
    assert.equal(nobody.code, 1)
    assert.match(nobody.err, /cannot be reached: nothing listens there\.\n$/)
  })

  test('wrong usage is said before anything is sent', async () => {
    for (const [argv, words] of [
      [[], /Say list, approve or deny/],
      [['remove', 'x'], /Say list, approve or deny/],
      [['approve'], /Say which one/],
      [['approve', 'a', 'b'], /Name one id/],
      [['approve', '../admin'], /Name one id/],
      [['list', '--reason', 'x'], /--reason is for approve and deny/],
      [['deny', 'x', '--reason', ' '], /--reason takes 1 to 500/],
      [['deny', 'x', '--reason', 'x'.repeat(501)], /--reason takes 1 to 500/],
      [['list', '--url', 'ftp://x'], /--url takes an http or https URL/],
      [['list', '--timeout', '0'], /--timeout takes seconds/],
      [['list', '--ca', 'ca'], /are for an https URL/],
      [['list', '--url', 'http://approve.example.com'], /over https only/],
    ] as const)
      await assert.rejects(
        approvalsCommand(['--token-file', 'grace', ...argv], capture({}, files).io),
        (error) => error instanceof UsageError && words.test(error.message),
        argv.join(' '),
      )
    await assert.rejects(
      approvalsCommand(['list'], capture().io),
      (error) => error instanceof UsageError && /--token-file is missing/.test(error.message),
    )
  })

  test('--help says what it does, in 80 columns or a little more', async () => {
    const { io, out } = capture()
    assert.equal(await approvalsCommand(['--help'], io), 0)
    assert.equal(out(), APPROVALS_HELP)
    assert.ok(
      Math.max(
        ...out()
          .split('\n')
          .map((line) => line.length),
      ) <= 110,
    )
  })
})
