// The Sigma rules, run by sigma-cli and SQLite on what the service records while somebody does what they are about, and while nobody does.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { LIVE_FILES } from '../../src/config/index.ts'
import { DENIALS } from '../../src/core/denials.ts'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { EXECUTE } from '../lib/calls.ts'
import { temporary } from '../lib/process.ts'
import { NO_LIMITS, type Served, serve } from '../lib/serve.ts'
import { bearer, call, codeOf, keysFile, PUBLIC_URL, send } from '../live/lib/secured.ts'
import { modern, modernHeaders, request } from '../mcp/lib/messages.ts'
import { complete } from './lib/process.ts'
import { path, ROOT, unless } from './lib/tools.ts'

const RULES = join(ROOT, 'observability/sigma')
const FILES = readdirSync(RULES).toSorted()
const DEADLINE = 30_000

type Row = Record<string, string | number | null>

/** One line of a record as a row: members by their path, lists and what is in them as JSON. */
function flatten(value: object, prefix = ''): Row {
  const row: Row = {}
  for (const [name, member] of Object.entries(value)) {
    if (typeof member === 'object' && member !== null && !Array.isArray(member))
      Object.assign(row, flatten(member, `${prefix}${name}.`))
    else if (typeof member === 'string' || typeof member === 'number') row[prefix + name] = member
    else row[prefix + name] = JSON.stringify(member)
  }
  return row
}

function findings(lines: readonly string[], sql: string): unknown[] {
  const rows = lines.map((line) => {
    const row = flatten(JSON.parse(line) as object)
    return { ...row, timestamp: row['time'] ?? null }
  })
  // A field that no record has is a column without values; those of SQLite itself have no dot.
  const asked = [...sql.matchAll(/`([a-z]\w*\.[\w.]+)`/gi)].map(([, name = '']) => name)
  const columns = [...new Set([...rows.flatMap((row) => Object.keys(row)), ...asked, 'timestamp', 'type'])]
  const database = new DatabaseSync(':memory:')
  try {
    database.exec(`CREATE TABLE logs (${columns.map((name) => `"${name}"`).join(', ')})`)
    const insert = database.prepare(`INSERT INTO logs VALUES (${columns.map(() => '?').join(', ')})`)
    for (const row of rows as Row[]) insert.run(...columns.map((name) => row[name] ?? null))
    return database.prepare(sql).all()
  } finally {
    database.close()
  }
}

describe('the Sigma rules', { skip: unless('sigma') }, () => {
  const folder = temporary()
  const queries = new Map<string, string>()
  let emulator: Emulator
  let service: Served
  let quiet: string[] = []
  let eventful: string[] = []

  const linesOf = (): string[] =>
    service
      .stdout()
      .split('\n')
      .filter((line) => line.endsWith('}'))
  const until = async (pattern: RegExp): Promise<void> => {
    const end = performance.now() + DEADLINE
    while (!linesOf().some((line) => pattern.test(line))) {
      assert.ok(performance.now() < end, `no record ${pattern}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const asAgent = (options: object = {}) => call(service, 'rest', { headers: bearer('agent'), ...options })

  before(async () => {
    for (const name of FILES) {
      const converted = await complete(path('sigma'), [
        'convert',
        '-t',
        'sqlite',
        '--without-pipeline',
        join(RULES, name),
      ])
      assert.equal(converted.code, 0, converted.stderr)
      const sql = converted.stdout.split('\n').filter((line) => /^(SELECT|WITH) /.test(line))
      assert.equal(sql.length, 1, converted.stdout)
      queries.set(name, (sql[0] ?? '').replaceAll('<TABLE_NAME>', 'logs'))
    }
    emulator = await startEmulator({})
    const live = {
      'limits.yaml': NO_LIMITS,
      'policy.yaml': { roles: { all: { allow: [{ tool: '*' }] } } },
      'keys.yaml': keysFile({
        agent: { tenant: 'acme', scopes: ['ductape:read', 'ductape:write'] },
        warden: { scopes: ['ductape:admin'] },
      }),
    }
    for (const [name, value] of Object.entries(live)) folder.file(name, JSON.stringify(value))
    service = await serve({
      config: {
        publicUrl: PUBLIC_URL,
        peopleUrl: 'https://people.example.com',
        live: folder.path,
        backend: { url: emulator.url },
        auth: { apiKeys: {}, people: { issuer: 'https://login.example.com', clientId: 'page' } },
      },
    })
    // What happens every day: answers, an approval that is asked for, a refusal or two.
    assert.equal(codeOf(await asAgent()), 'ok')
    const database = { product: 'ductape:my-product', env: 'dev', database: 'main-db' }
    const insert = {
      ...EXECUTE,
      module: 'databases',
      method: 'insert',
      params: [{ ...database, table: 'users', data: { id: 1 } }],
    }
    assert.equal(codeOf(await asAgent({ args: insert })), 'approval_required')
    for (let i = 0; i < 3; i++)
      assert.equal(codeOf(await asAgent({ args: { ...EXECUTE, module: 'no' } })), 'module_unknown')
    await until(/module_unknown/)
    quiet = linesOf()

    for (let i = 0; i < 20; i++) await asAgent({ args: { ...EXECUTE, module: 'no' } })
    const forged = modern({ name: 'ductape_execute', arguments: insert, requestState: 'forged' })
    const answer = await send(service, {
      path: '/mcp',
      headers: { ...bearer('agent'), ...modernHeaders('tools/call', 'ductape_execute') },
      body: JSON.stringify(request('tools/call', forged)),
    })
    assert.equal(codeOf(answer), 'state_invalid', answer.text)
    emulator.faults.next({ kind: 'result', value: { note: `${'AKIA'}${'Q3EGRJ2LK7ZPN5XW'}` } })
    await asAgent()
    const off = await send(service, {
      path: '/v1/admin/kill',
      headers: bearer('warden'),
      body: JSON.stringify({ action: 'off', kind: 'module', value: 'product', reason: 'drill' }),
    })
    assert.equal(off.status, 200, off.text)
    folder.file('policy.yaml', JSON.stringify({ roles: {} }))
    await until(/"file":"policy.yaml"/)
    service.child.kill()
    await service.exit
    // The chain with a gap is one of the published vectors: a disk that is full and then not.
    const vectors = readFileSync(join(ROOT, 'test/audit/vectors/records.jsonl'), 'utf8')
    const gap = vectors
      .split('\n')
      .filter((line) => line !== '')
      .flatMap((line) => (JSON.parse(line) as { files?: { text?: string }[] }).files ?? [])
      .flatMap(({ text = '' }) => text.split('\n'))
      .filter((line) => /"type":"lost".*\}$/.test(line))
    eventful = [...linesOf().slice(quiet.length), ...gap.slice(0, 1)]
  })
  after(async () => {
    service?.child.kill('SIGKILL')
    await emulator?.close()
    folder.remove()
  })

  test('are those of the issue', () =>
    assert.deepEqual(FILES, [
      'approval-bypass.yml',
      'chain-break.yml',
      'denial-spike.yml',
      'kill-switch.yml',
      'policy-change.yml',
      'secret.yml',
    ]))
  test('hold for sigma-cli, without an issue', async () => {
    const { code, stdout } = await complete(path('sigma'), ['check', '--fail-on-issues', RULES])
    assert.equal(code, 0, stdout)
  })
  test('name codes and files that exist, in every branch', () => {
    const known: Readonly<Record<string, (value: string) => boolean>> = {
      'decision.code': (value) => Object.hasOwn(DENIALS, value),
      'outcome.code': (value) => Object.hasOwn(DENIALS, value),
      'reload.file': (value) => LIVE_FILES.some((file) => file === value),
    }
    let judged = 0
    for (const name of FILES)
      for (const document of parseAllDocuments(readFileSync(join(RULES, name), 'utf8'))) {
        const { detection = {} } = document.toJS() as { detection?: Record<string, object> }
        for (const [field, value] of Object.values(detection).flatMap((part) => Object.entries(part)))
          for (const one of [value].flat())
            if (known[field] !== undefined) {
              assert.ok(known[field](String(one)), `${name}: ${field} ${one}`)
              judged++
            }
      }
    assert.ok(judged >= 10, `${judged}`)
  })
  for (const name of FILES) {
    test(`${name} finds what it is about`, () => {
      assert.ok(findings(eventful, queries.get(name) ?? '').length > 0)
    })
    test(`${name} is silent on a usual day`, () => {
      assert.deepEqual(findings(quiet, queries.get(name) ?? ''), [])
    })
  }
})
