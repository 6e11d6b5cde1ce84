// `policy check|explain`: exit codes, streams, words, what is read; and that what was typed never comes back as it is.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { UsageError } from '../../src/cli/io.ts'
import { POLICY_HELP, policyCommand } from '../../src/cli/policy.ts'
import { NOW } from './lib/policy.ts'

const committed = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

const CONFIG = `
publicUrl: https://mcp.example.com
live: live
auth:
  apiKeys: {}
`
const OPEN_CONFIG = `${CONFIG}
  oauth: { issuers: [{ issuer: "https://login.example.com" }] }
`
const MAPPED_CONFIG = `${CONFIG}
  oauth: { issuers: [{ issuer: "https://login.example.com", roles: { "team-a": [reader, ghost] } }] }
`
const PEOPLE_CONFIG = `
publicUrl: https://mcp.example.com
peopleUrl: https://approvals.example.com
live: live
auth:
  apiKeys: {}
  people: { issuer: "https://login.example.com", clientId: approvals, claims: { roles: roles } }
`
const KEYS = `
version: 1
keys:
  - { id: one, sha256: ${'a'.repeat(64)}, owner: team, purpose: tests, roles: [reader, keyless] }
`
const POLICY = `
version: 1
roles:
  reader: { allow: [{ tool: "ductape_*", effect: read }], deny: [{ name: no-secrets, module: secrets }] }
  writer:
    allow:
      - { tool: ductape_execute, effect: [read, write], approval: none }
      - { tool: ductape_execute, effect: destructive, approval: confirm }
  orphan: { allow: [{ tool: "*" }] }
`

/** Rules that ask, or do not, by their own word, by the effect, by the tool; and one that a read cannot raise. */
const TOOLS_POLICY = `
roles:
  keyless:
    allow:
      - { module: databases, method: query }
      - { module: databases, method: query, effect: read }
      - { module: databases, method: insert, approval: notify }
      - { tool: ductape_generate_snippet }
      - { tool: ductape_generate_payload, approval: none }
      - { module: databases, method: list, approval: confirm }
    deny: [{ module: secrets, effect: admin }]
  reader: { allow: [{ tool: ductape_execute, effect: read }] }
dangerous_tools:
  - { name: ductape_generate_payload, requires_approval: true }
`

const FILES: Readonly<Record<string, string>> = {
  'config.yaml': CONFIG,
  'open.yaml': OPEN_CONFIG,
  'mapped.yaml': MAPPED_CONFIG,
  'people.yaml': PEOPLE_CONFIG,
  'tools.yaml': CONFIG.replace('live: live', 'live: tools'),
  'tools/policy.yaml': TOOLS_POLICY,
  'outside.yaml': 'catalogue: warn\n',
  'broken.yaml': 'auth: 3\n',
  'live/policy.yaml': POLICY,
  'live/keys.yaml': KEYS,
  'good.yaml': POLICY,
  'bad.yaml': 'roles:\n  reader:\n    allow: [{ modul: x }]\n    dney: []\n',
  'late.yaml': 'mode: observe\nuntil: 2027-06-01\n',
  'ending.yaml': 'mode: observe\nuntil: 2026-11-22\nroles: { r: { allow: [{ tool: "*" }] } }\n',
  'covered.yaml': 'roles: { r: { allow: [{ tool: "*" }, { effect: read }] } }\n',
  'seed.yaml': committed('test/policy/files/seed-004.yaml'),
}

async function run(...argv: string[]) {
  let out = ''
  let err = ''
  const code = await policyCommand(
    argv,
    {
      out: (text) => {
        out += text
      },
      err: (text) => {
        err += text
      },
      env: {},
      readFile: (path) => {
        const text = FILES[path]
        if (text === undefined) throw Object.assign(new Error(`open ${path}`), { code: 'ENOENT' })
        return text
      },
    },
    () => NOW,
  )
  return { code, out, err }
}

const usage = (...argv: string[]): Promise<string> =>
  run(...argv).then(
    () => assert.fail('no usage error'),
    (error: unknown) => {
      assert.ok(error instanceof UsageError, String(error))
      return error.message
    },
  )

describe('policy check', () => {
  it('a good file: 0', async () => {
    assert.deepEqual(await run('check', 'good.yaml'), {
      code: 0,
      out: 'good.yaml holds: 3 roles, 5 rules, mode enforce\n',
      err: '',
    })
  })

  it('a file with a rule that never decides: 1, and where', async () => {
    const { code, out, err } = await run('check', 'covered.yaml')
    assert.equal(code, 1)
    assert.match(err, /^covered\.yaml: roles\.r\.allow\[1\] never decides: roles\.r\.allow\[0\] covers it\. /)
    assert.match(out, /^covered\.yaml holds/)
  })

  it('observe that is about to end: 1', async () => {
    const { code, out, err } = await run('check', 'ending.yaml')
    assert.equal(code, 1)
    assert.match(err, /until is less than 3 days ahead/)
    assert.match(out, /mode observe/)
  })

  it('a bad file: 2, every problem with its line', async () => {
    const { code, out, err } = await run('check', 'bad.yaml')
    assert.equal(code, 2)
    assert.equal(out, '')
    assert.match(
      err,
      /bad\.yaml:3:\d+: roles\.reader\.allow\[0\]\.modul is not a known key\n {2}Did you mean module\?/,
    )
    assert.match(err, /bad\.yaml:4:\d+: roles\.reader\.dney is not a known key\n {2}Did you mean deny\?/)
  })

  it('observe without end in sight: 2', async () => {
    const { code, err } = await run('check', 'late.yaml')
    assert.equal(code, 2)
    assert.match(err, /^late\.yaml: until is more than 30 days ahead\n/)
  })

  it('the file of seed 004 holds; that this build lacks its tools is a warning', async () => {
    const { code, out, err } = await run('check', 'seed.yaml')
    assert.equal(code, 1)
    assert.match(out, /^seed\.yaml holds: 3 roles/)
    assert.match(err, /concerns no operation of this build/)
  })

  it('--config compares with the roles that callers can have', async () => {
    const { code, err } = await run('check', '--config', 'config.yaml')
    assert.equal(code, 1)
    assert.match(err, /live\/policy\.yaml: role "writer" is a role that nobody can have/)
    assert.match(err, /role "orphan" is a role that nobody can have/)
    assert.match(err, /role "keyless" is given to callers, but no policy says what it may do/)
    assert.doesNotMatch(err, /role "reader"/)
    const mapped = await run('check', '--config', 'mapped.yaml')
    assert.match(mapped.err, /role "ghost" is given to callers/)
    assert.match(mapped.err, /role "writer" is a role that nobody can have/)
  })

  it('--config: rules that ask for a person where nobody can be asked', async () => {
    const named = (err: string): string[] =>
      [...err.matchAll(/: (\S+) asks for the approval of a person, as for (\S+) \((\w+)\)/g)].map(
        ([, ...found]) => found.join(' '),
      )
    const { code, err } = await run('check', '--config', 'tools.yaml')
    assert.equal(code, 1)
    assert.deepEqual(named(err), [
      'roles.keyless.allow[0] databases.query destructive',
      'roles.keyless.allow[4] ductape_generate_payload read',
      'roles.keyless.allow[5] databases.list read',
    ])
    assert.match(
      err,
      /without peopleUrl and auth\.people such a call is refused as approval_unavailable\. Set /,
    )
    // With a place for them, or where no configuration says that there is none, nothing is wrong with such rules.
    const people = await run('check', '--config', 'people.yaml')
    assert.match(people.err, /role "orphan" is a role that nobody can have/)
    assert.deepEqual(named(people.err), [])
    assert.deepEqual(named((await run('check', 'tools/policy.yaml')).err), [])
  })

  it('with tokens that bring their own roles it says that nobody can know', async () => {
    const { err } = await run('check', '--config', 'open.yaml')
    assert.match(err, /Tokens bring role names of their own/)
    assert.doesNotMatch(err, /nobody can have/)
  })

  it('--json', async () => {
    const good = JSON.parse((await run('check', 'covered.yaml', '--json')).out)
    assert.deepEqual(
      [good.ok, good.file, good.problems, good.warnings[0].path],
      [true, 'covered.yaml', [], 'roles.r.allow[1]'],
    )
    const bad = await run('check', 'bad.yaml', '--json')
    assert.equal(bad.code, 2)
    assert.equal(bad.err, '')
    assert.equal(JSON.parse(bad.out).problems[0].line, 3)
  })

  it('wrong usage', async () => {
    await usage('check')
    await usage('check', 'a', 'b')
    await usage('check', 'good.yaml', '--config', 'config.yaml')
    await usage('nonsense')
    await usage()
    assert.match(await usage('check', 'absent.yaml'), /absent\.yaml cannot be read \(ENOENT\)/)
    assert.match(await usage('check', '--config', 'broken.yaml'), /auth must be/)
    assert.match(await usage('check', '--config', 'outside.yaml'), /names no folder live/)
    assert.deepEqual(await run('--help'), { code: 0, out: POLICY_HELP, err: '' })
  })
})

describe('policy explain', () => {
  const explain = (caller: object, call: object, ...more: string[]) =>
    run(
      'explain',
      '--policy',
      'good.yaml',
      '--principal',
      JSON.stringify(caller),
      '--call',
      JSON.stringify(call),
      ...more,
    )
  const execute = (module: string, method: string, params: unknown[] = []) => ({
    tool: 'ductape_execute',
    arguments: { module, method, params },
  })
  const LIST = execute('databases', 'list')

  it('which rule decides, and why the others do not', async () => {
    const { code, out } = await explain({ roles: ['reader', 'nobody'] }, execute('secrets', 'list', [{}]))
    assert.equal(code, 1)
    assert.match(out, /^ductape_execute secrets\.list: effect read; /)
    assert.match(out, /^Refused: no-secrets denies it\.$/m)
    assert.match(out, /^The policy does not define "nobody"\.$/m)
    assert.match(out, /^ {2}allow reader\/allow\/0 +holds /m)
    assert.match(out, /^ {2}deny +no-secrets +holds .*<- decides$/m)
  })

  it('0 where the call passes', async () => {
    const fetched = execute('product', 'fetch', ['acme:shop'])
    const { code, out } = await explain({ roles: ['reader'] }, fetched)
    assert.equal(code, 0)
    assert.match(out, /product "acme:shop"/)
    assert.match(out, /^Allowed by reader\/allow\/0\.$/m)
  })

  it('the scope and the approval that it would take', async () => {
    const remove = execute('databases', 'delete', [{ product: 'acme:shop', env: 'dev', where: { id: 1 } }])
    const without = await explain({ roles: ['writer'], scopes: ['ductape:write'] }, remove)
    assert.equal(without.code, 1)
    assert.match(without.out, /lacks the scope ductape:destructive/)
    const { code, out } = await explain({ roles: ['writer'], scopes: ['ductape:destructive'] }, remove)
    assert.equal(code, 1)
    assert.match(out, /^Allowed by writer\/allow\/1\.$/m)
    assert.match(out, /^Approval confirm: writer\/allow\/1 says so\. A person has to agree first\.$/m)
    assert.doesNotMatch(out, /lacks the scope/)
    const local = await explain({ roles: ['writer'], method: 'stdio' }, execute('databases', 'insert', [{}]))
    assert.equal(local.code, 0)
  })

  it('the approval of a rule that says nothing, and what the record shows', async () => {
    const insert = execute('databases', 'insert', [{ product: 'acme:shop', env: 'dev' }])
    const { code, out } = await explain({ roles: ['orphan'], method: 'stdio' }, insert)
    assert.equal(code, 1)
    assert.match(
      out,
      /^Approval confirm: orphan\/allow\/0 says nothing of approval, and the effect is write\. A person has to agree first\.$/m,
    )
    assert.match(
      out,
      /^The record shows of the arguments: names such as product and env \(record: safe-fields\)\.$/m,
    )
    const free = await explain({ roles: ['writer'], method: 'stdio' }, insert)
    assert.match(free.out, /^Approval none: writer\/allow\/0 says so\.$/m)
  })

  it('what the guards find, and the effect that it leaves', async () => {
    const query = (sql: string) => execute('databases', 'query', [{ product: 'acme:shop', env: 'dev', sql }])
    const caller = { roles: ['writer'], scopes: ['ductape:destructive'] }
    const reads = await explain(caller, query('SELECT id FROM orders'))
    assert.equal(reads.code, 0)
    assert.match(reads.out, /effect read;/)
    assert.match(reads.out, /^Guard sql, \/params\/0\/sql: read-only$/m)
    const writes = await explain(caller, query('DELETE FROM orders WHERE id = 1'))
    assert.equal(writes.code, 1)
    assert.match(writes.out, /effect destructive;/)
    assert.match(writes.out, /^Guard sql, \/params\/0\/sql: unproven$/m)
    const refused = await explain(caller, query('SELECT 1; SELECT 2'))
    assert.equal(refused.code, 1)
    assert.match(refused.out, /^The guards refuse it all the same: \[sql_refused\] /m)
  })

  it('a caller without a role, and one whose credential is narrowed', async () => {
    const none = await explain({}, LIST)
    assert.match(none.out, /Refused: no rule of the caller allows it\./)
    assert.match(none.out, /No rule is for a role of this caller\./)
    const narrowed = await explain({ roles: ['reader'], tools: ['ductape_generate_*'] }, LIST)
    assert.match(narrowed.out, /Refused: the credential itself is only for other tools or operations\./)
  })

  it('the other tools, and a method outside the catalogue where the configuration lets it through', async () => {
    const generate = {
      tool: 'ductape_generate_payload',
      arguments: { product_tag: 'acme:shop', env_slug: 'dev', operation_family: 'database', method: 'query' },
    }
    const { code, out } = await explain({ roles: ['reader'] }, generate)
    assert.equal(code, 0)
    assert.match(out, /^ductape_generate_payload: effect read; env "dev"; product "acme:shop"; path none$/m)
    const outside = await explain(
      { roles: ['reader'] },
      execute('product', 'nonsense'),
      '--config',
      'outside.yaml',
    )
    assert.match(outside.out, /^ductape_execute: effect admin; env unknown;/)
    assert.match(
      await usage(
        'explain',
        '--policy',
        'good.yaml',
        '--principal',
        '{}',
        '--call',
        JSON.stringify(execute('product', 'nonsense')),
      ),
      /refuses these arguments before it asks the policy/,
    )
  })

  it('--json, and a key among the arguments is neither needed nor shown', async () => {
    const key = 'dpk_canary_0123456789abcdef'
    const call = { tool: 'ductape_execute', arguments: { ...LIST.arguments, publishable_key: key } }
    for (const more of [[], ['--json']]) {
      const { code, out, err } = await explain({ roles: ['reader'], scopes: [] }, call, ...more)
      assert.equal(code, 0)
      assert.ok(!`${out}${err}`.includes('canary'))
    }
    const { out } = await explain({ roles: ['reader'] }, call, '--json')
    const { decision, rules, passes, operation } = JSON.parse(out)
    assert.deepEqual(
      [decision.allowed, decision.rule, passes, operation.effect],
      [true, 'reader/allow/0', true, 'read'],
    )
    assert.equal(rules.filter((rule: { decides: boolean }) => rule.decides).length, 1)
  })

  it('wrong usage never repeats what was typed', async () => {
    const good = ['--policy', 'good.yaml']
    const texts = [
      ['--principal', '{"roles":"canary"}', '--call', JSON.stringify(LIST)],
      ['--principal', '{"canary":1}', '--call', JSON.stringify(LIST)],
      ['--principal', '{"method":"canary"}', '--call', JSON.stringify(LIST)],
      ['--principal', '{"roles":["r"],"roles":["canary"]}', '--call', JSON.stringify(LIST)],
      ['--principal', 'canary', '--call', JSON.stringify(LIST)],
      ['--principal', '[]', '--call', JSON.stringify(LIST)],
      ['--principal', '{}', '--call', '{"tool":"canary","arguments":{}}'],
      ['--principal', '{}', '--call', '{"tool":"ductape_execute","arguments":"canary"}'],
      ['--principal', '{}', '--call', '{"tool":"ductape_execute","canary":1}'],
      ['--principal', '{}', '--call', '{"arguments":{}}'],
      ['--principal', '{}'],
      ['--call', '{}'],
    ]
    for (const argv of texts) assert.doesNotMatch(await usage('explain', ...good, ...argv), /canary/)
    await usage('explain', '--principal', '{}', '--call', '{}')
    await usage('explain', 'good.yaml', ...texts[0]!)
  })

  it('a bad policy: 2', async () => {
    const argv = ['--policy', 'bad.yaml', '--principal', '{}', '--call', JSON.stringify(LIST)]
    const { code, err } = await run('explain', ...argv)
    assert.equal(code, 2)
    assert.match(err, /bad\.yaml:3:/)
    assert.equal(JSON.parse((await run('explain', ...argv, '--json')).out).ok, false)
  })
})
