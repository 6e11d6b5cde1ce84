// The stage guards: which arguments it finds, what it puts to policy again, what it refuses with which code, and what it costs a call without any.
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import fc from 'fast-check'
import { prepareGuards } from '../../src/admission/guards/index.ts'
import { loadSqlParser } from '../../src/admission/guards/sql/index.ts'
import { allowedMethods, findMethod, MODULES, rawTexts } from '../../src/catalogue/index.ts'
import type { Json } from '../../src/core/json.ts'
import type { Effect } from '../../src/core/tool.ts'
import { callOf, guard, operationOf, policyWith, run } from './lib/call.ts'

const ID = { product: 'acme:shop', env: 'dev', database: 'main' }
const READS = 'SELECT id, total FROM orders WHERE id = 1'
const WRITES = 'DELETE FROM orders WHERE id = 1'
const SEED = Number(process.env['SEED'] ?? 20261122)

const code = async (...given: Parameters<typeof guard>): Promise<string | undefined> =>
  (await guard(...given)).verdict?.code

describe('a raw text', () => {
  before(() => loadSqlParser())

  test('that only reads is judged as the structured form is', async () => {
    const { call, verdict, asked } = await guard('databases.query', [{ ...ID, sql: READS }])
    assert.equal(verdict, undefined)
    assert.deepEqual(asked, ['read'])
    assert.equal(call.effect, 'read')
    assert.equal(call.prepared?.operation.unproven, undefined)
    assert.deepEqual(call.guarded, [{ guard: 'sql', at: '/params/0/sql', found: 'read-only' }])
  })
  test('that writes is put to policy as destructive, and that decides', async () => {
    const params = [{ ...ID, sql: WRITES }]
    const free = await guard('databases.query', params)
    assert.equal(free.verdict, undefined)
    assert.deepEqual(free.asked, ['read', 'destructive'])
    assert.deepEqual([free.call.effect, free.call.policy?.approval], ['destructive', 'none'])
    assert.deepEqual(free.call.guarded, [{ guard: 'sql', at: '/params/0/sql', found: 'unproven' }])
    const reader = policyWith({}, { allow: [{ tool: '*', effect: 'read' }] })
    assert.equal(await code('databases.query', params, reader), 'policy_denied')
    assert.equal(await code('databases.query', [{ ...ID, sql: READS }], reader), undefined)
  })
  test('asks for approval as its effect does', async () => {
    const policy = policyWith({}, { allow: [{ tool: '*' }] })
    const approval = async (sql: string) =>
      (await guard('databases.query', [{ ...ID, sql }], policy)).call.policy?.approval
    assert.deepEqual([await approval(READS), await approval(WRITES)], ['none', 'confirm'])
  })
  test('is refused where a rule wants proof, or where no honest text looks like it', async () => {
    const strict = policyWith({ sql: [{ unproven: 'refuse' }] })
    assert.equal(await code('databases.query', [{ ...ID, sql: WRITES }], strict), 'sql_unparsable')
    assert.equal(await code('databases.query', [{ ...ID, sql: 7 }], strict), 'sql_unparsable')
    assert.equal(await code('databases.query', [{ ...ID, sql: `${READS}; ${WRITES}` }]), 'sql_refused')
    assert.equal(await code('databases.query', [{ ...ID, sql: READS }], strict), undefined)
  })
  test('UNION passes only where a rule says so', async () => {
    const params = [{ ...ID, sql: 'SELECT a FROM t UNION SELECT b FROM u' }]
    assert.equal(await code('databases.query', params), 'sql_refused')
    const { asked } = await guard('databases.query', params, policyWith({ sql: [{ union: true }] }))
    assert.deepEqual(asked, ['read'])
  })
  test('of which one among several is not shown to read keeps the effect', async () => {
    const { asked } = await guard('databases.query', [{ ...ID, sql: READS, query: WRITES }])
    assert.deepEqual(asked, ['read', 'destructive'])
  })
  test('that no guard can read keeps the effect', async () => {
    for (const [name, params] of [
      ['databases.query', [{ ...ID, cypher: 'MATCH (n) RETURN n' }]],
      ['databases.query', [{ ...ID, sql: null }]],
      ['databases.query', [{ ...ID, query: { sql: READS } }]],
      ['vector.actions.create', [{ operation: 'query', query: 'x' }]],
    ] as [string, Json[]][])
      assert.equal((await guard(name, params)).asked.at(-1), 'destructive', JSON.stringify(params))
  })
  test('is found in dispatches, saved actions, steps, predicates and lists', async () => {
    for (const [name, wrap, effect] of [
      ['databases.query', (text) => [text], 'read'],
      ['databases.query', (text) => [{ ...ID }, { sql: text }], 'read'],
      ['databases.dispatch', (text) => [{ ...ID, operation: 'query', input: { sql: text } }], 'write'],
      ['databases.action.create', (text) => [{ data: { type: 'sql', query: text } }], 'write'],
      ['databases.action.update', (text) => [{ template: text }], 'write'],
      [
        'features.create',
        (text) => ['p', { steps: [{ type: 'database', input: { query: text } }] }],
        'write',
      ],
    ] as [string, (text: string) => Json[], Effect][]) {
      assert.deepEqual((await guard(name, wrap(READS))).asked, [effect], name)
      assert.deepEqual((await guard(name, wrap(WRITES))).asked, [effect, 'destructive'], name)
    }
    const predicate = (where: string): Json[] => ['orders', ['a'], { where }]
    assert.deepEqual((await guard('databases.schema.createIndex', predicate('total > 100'))).asked, ['write'])
    assert.deepEqual(
      (await guard('databases.schema.createIndex', predicate('audit_trail(total) > 0'))).asked.at(-1),
      'destructive',
    )
  })
  test('in Cypher only reads, unless a rule allows more', async () => {
    const any = policyWith({ cypher: [{ module: 'graph', allow: 'any' }] })
    for (const wrap of [(text: string) => [text], (text: string) => [{ query: text }]]) {
      assert.equal(await code('graph.query', wrap('MATCH (n) RETURN n LIMIT 5')), undefined)
      assert.equal(await code('graph.query', wrap('MATCH (n) DETACH DELETE n')), 'cypher_refused')
      assert.equal(await code('graph.query', wrap('MATCH (n) DETACH DELETE n'), any), undefined)
    }
    // The catalogue's effect stays, whatever the text.
    assert.deepEqual((await guard('graph.query', ['MATCH (n) RETURN n'])).asked, ['destructive'])
    assert.equal(await code('graph.executeTransaction', [[{ query: 'CREATE (n)' }]]), 'cypher_refused')
  })
  test('of a migration is refused where no honest text looks like it, and raises nothing', async () => {
    const migration = (sql: string): Json[] => [
      { ...ID, data: { value: { up: [{ type: 'raw', sql }], down: [] } } },
    ]
    assert.deepEqual(
      (await guard('databases.migration.create', migration('ALTER TABLE a ADD b int'))).asked,
      ['write'],
    )
    assert.equal(
      await code('databases.migration.create', migration("SELECT 1 INTO OUTFILE '/tmp/x'")),
      'sql_refused',
    )
  })
})

describe('paths and URLs', () => {
  const file = { product: 'acme:shop', env: 'dev', storage: 's' }
  test('are found where the catalogue marks them', async () => {
    const { verdict, call } = await guard('storage.download', [{ ...file, fileName: '../keys.pem' }])
    assert.deepEqual(verdict, { code: 'path_refused', detail: '/params/0/fileName leads above its folder' })
    assert.deepEqual(call.guarded, [{ guard: 'path', at: '/params/0/fileName', found: 'refused' }])
    assert.equal(await code('storage.download', [{ ...file, fileName: 'a/b.csv' }]), undefined)
    assert.equal(await code('storage.listFiles', [{ ...file, prefix: '' }]), undefined)
    assert.equal(
      await code('storage.dispatch', [{ ...file, operation: 'download', input: { fileName: '/etc/x' } }]),
      'path_refused',
    )
    const url = { url: 'https://169.254.169.254/x' }
    assert.equal(await code('webhooks.generateLink', [{ ...file, ...url }]), 'url_refused')
    const envs = [
      { slug: 'dev', url: 'https://example.com/x' },
      { slug: 'prd', ...url },
    ]
    const { verdict: second } = await guard('webhooks.enable', [{ ...file, envs }])
    assert.equal(second?.detail, '/params/0/envs/1/url leads to a private, special-use or metadata address')
    assert.equal(await code('actions.create', ['app', { tag: 't', resource: '/v1/{id}' }]), undefined)
    assert.equal(
      await code('actions.create', ['app', { tag: 't', resource: '@evil.example' }]),
      'url_refused',
    )
  })
  test('that are no text, or stand in a list or an object in place of one', async () => {
    assert.equal(await code('storage.download', [{ ...file, fileName: 7 }]), 'path_refused')
    assert.equal(await code('storage.download', [{ ...file, fileName: ['a', '../b'] }]), 'path_refused')
    assert.equal(await code('storage.download', [{ ...file, fileName: { a: '../b' } }]), 'path_refused')
    assert.equal(await code('storage.download', [{ ...file, fileName: null }]), undefined)
    assert.equal(
      await code('webhooks.enable', [{ ...file, envs: { dev: { url: 'http://[::1]' } } }]),
      'url_refused',
    )
  })
  test('and in further arguments that a rule names, for the calls that it is for', async () => {
    const guards = {
      path: [{ module: 'actions', also: '/params/0/input/files/*/name' }],
      url: [
        { module: 'actions', product: 'acme:*', also: ['/params/0/input/callback'], hosts: '*.acme.example' },
      ],
      sql: [{ module: 'actions', also: '/params/0/input/report' }],
    }
    const policy = policyWith(guards)
    const call = (input: Json): Parameters<typeof guard> => [
      'actions.run',
      [{ product: 'acme:shop', env: 'dev', app: 'a', action: 'b', input }],
      policy,
    ]
    assert.equal(await code(...call({ files: [{ name: 'a' }, { name: '../b' }] })), 'path_refused')
    assert.equal(await code(...call({ callback: 'https://x.acme.example/' })), undefined)
    assert.equal(await code(...call({ callback: 'https://example.com/' })), 'url_refused')
    assert.deepEqual((await guard(...call({ report: READS }))).asked, ['write'])
    assert.deepEqual((await guard(...call({ report: WRITES }))).asked, ['write', 'destructive'])
    const other = [
      { product: 'other:shop', env: 'dev', app: 'a', action: 'b', input: { callback: 'http://x' } },
    ]
    assert.equal(await code('actions.run', other, policy), undefined)
  })
})

describe('rules', () => {
  const upload = (fileName: string, more: object = {}): [string, Json[]] => [
    'storage.upload',
    [{ product: 'acme:shop', env: 'dev', storage: 's', fileName, buffer: '', ...more }],
  ]
  test('the first that holds decides', async () => {
    const policy = policyWith({
      path: [
        { module: 'storage', env: 'dev', absolute: true },
        { module: 'storage', metacharacters: true },
      ],
    })
    assert.equal(await code(...upload('/a'), policy), undefined)
    assert.equal(await code(...upload('a&b'), policy), 'path_refused')
    assert.equal(await code(...upload('a&b', { env: 'prd' }), policy), undefined)
    assert.equal(await code(...upload('/a', { env: 'prd' }), policy), 'path_refused')
  })
  test('one of which it cannot be seen whether it holds has to be met, and the next one too', async () => {
    const policy = policyWith({
      path: [{ product: 'acme:shop', absolute: true, metacharacters: true }, { absolute: true }],
    })
    const unseen = (fileName: string) => {
      const operation = operationOf(...upload(fileName))
      operation.product = 'unknown'
      return run(callOf(policy, operation, { params: [{ fileName }] }))
    }
    assert.equal((await unseen('/a')).verdict, undefined)
    assert.equal((await unseen('/a&b')).verdict?.code, 'path_refused')
    assert.equal(await code(...upload('/a&b'), policy), undefined)
  })
})

describe('references to secrets', () => {
  const input = (value: Json): [string, Json[]] => [
    'actions.run',
    [{ product: 'acme:shop', env: 'dev', app: 'a', action: 'b', input: value }],
  ]
  test('are refused in every spelling and place', async () => {
    for (const value of [
      { key: '$Secret{STRIPE}' },
      { deep: [{ down: ['x $Secret{A} y'] }] },
      { $SECRET: 1, 'name $secret{B}': 2 },
      { key: '$Secret {C}' },
      { key: '\uff04Secret\uff5bD\uff5d' },
      { key: '$Sec\u200bret{E}' },
      { key: '$\u00adSecret{F' },
    ] as Json[]) {
      const { verdict, call } = await guard(...input(value))
      assert.deepEqual(
        verdict,
        { code: 'secret_reference_refused', detail: '/params/0' },
        JSON.stringify(value),
      )
      assert.deepEqual(call.guarded, [{ guard: 'secret', at: '/params/0', found: 'refused' }])
    }
  })
  test('other references and dollars are no secrets', async () => {
    for (const value of ['$Input{a}', 'costs $5', '$Secrets', 'Secret{x}', '$Session{secret}'])
      assert.equal(await code(...input({ value })), undefined, value)
  })
  test('pass where a rule allows them, also in a URL, but never as its host', async () => {
    const policy = policyWith({ secrets: [{ module: ['actions', 'databases'], allow: true }] })
    assert.equal(await code(...input({ key: '$Secret{A}' }), policy), undefined)
    const create = (connection_url: string): Promise<string | undefined> =>
      code('databases.create', [{ product: 'p', tag: 't', envs: [{ slug: 'dev', connection_url }] }], policy)
    assert.equal(await create('$Secret{MAIN_DB_URL}'), undefined)
    assert.equal(await create('postgres://u:$Secret{PW}@db.example.com/x'), undefined)
    assert.equal(await create('postgres://u:p@$Secret{HOST}/x'), 'url_refused')
    const other = ['notifications.send', [{ input: '$Secret{A}' }]] as [string, Json[]]
    assert.equal(await code(...other, policy), 'secret_reference_refused')
  })
  test('in the arguments of the other tools', async () => {
    const operation = { ...operationOf('databases.list', []), module: undefined, method: undefined }
    const { verdict } = await run(callOf(policyWith(), operation, { input: { a: '$Secret{A}' } }))
    assert.equal(verdict?.detail, '/input')
  })
})

test('what is refused is not quoted', async () => {
  const secret = 'canary-9f3b'
  for (const [name, params] of [
    ['storage.download', [{ fileName: `../${secret}` }]],
    ['webhooks.generateLink', [{ url: `http://${secret}` }]],
    ['databases.query', [{ sql: `SELECT ${secret}; SELECT 1` }]],
    ['graph.query', [`CREATE (n:${secret})`]],
    ['actions.run', [{ input: { [secret]: `$Secret{${secret}}` } }]],
  ] as [string, Json[]][]) {
    const { verdict, call } = await guard(name, params)
    assert.ok(verdict, name)
    assert.doesNotMatch(JSON.stringify([verdict, call.guarded]), /canary/, name)
  }
})

test('a call without marked arguments is answered at once and gets no notes of its own', () => {
  const stage = prepareGuards({ judge: () => assert.fail('policy is not asked again') })
  const calls = [
    ['databases.insert', [{ ...ID, entity: 'orders', data: { a: 1 } }]],
    ['product.fetch', ['acme:shop']],
  ].map(([name, params]) => {
    const operation = operationOf(name as string, params as Json[])
    return callOf(policyWith(), operation, { params: params as Json[] })
  })
  for (const call of calls) assert.equal(stage(call), undefined)
  assert.equal(calls[0]?.guarded, calls[1]?.guarded)
})

describe('for any arguments', () => {
  const RANK: Record<Effect, number> = { read: 0, write: 1, destructive: 2, admin: 3 }
  const entries = MODULES.flatMap((module) =>
    allowedMethods(module)
      .map((method) => findMethod(module, method))
      .filter(
        (entry) =>
          entry !== undefined && (entry.rawQuery !== null || /dispatch|action|features/.test(entry.method)),
      ),
  )
  const text = fc.constantFrom(
    READS,
    WRITES,
    'SELECT 1; SELECT 2',
    'MATCH (n) RETURN n',
    'CREATE (n)',
    '',
    'x > 1',
  )
  const word = fc.constantFrom(
    ...[
      'query',
      'sql',
      'cypher',
      'where',
      'expression',
      'template',
      'operation',
      'input',
      'data',
      'steps',
      'type',
    ],
    ...['up', 'down', 'value', 'database', 'graph'],
  )
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      text,
      fc.constantFrom<Json>(null, 0, 'query', 'delete', 'database', 'graph'),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(word, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    ),
  }))
  const params = fc.array(value as fc.Arbitrary<Json>, { maxLength: 3 })

  test('guards never lower what policy saw, and what they raise is what policy decides', async () => {
    await loadSqlParser()
    const policy = policyWith(
      { cypher: [{ allow: 'any' }] },
      { allow: [{ tool: '*', effect: ['read', 'write'], approval: 'none' }] },
    )
    let proven = 0
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...entries), params, async (entry, given) => {
        assert.ok(entry)
        const before = operationOf(`${entry.module}.${entry.method}`, given)
        const { unproven, effect } = before
        const { call, verdict, asked } = await guard(`${entry.module}.${entry.method}`, given, policy)
        const after = call.prepared?.operation.effect ?? 'read'
        assert.ok(RANK[after] >= RANK[effect] && RANK[effect] >= RANK[entry.effect])
        assert.equal(call.effect, after)
        assert.equal(asked.at(-1), after)
        if (verdict === undefined) {
          assert.ok(after === 'read' || after === 'write')
          const texts = rawTexts(entry, given).filter(() => unproven !== undefined)
          if (texts.length > 0) proven++
          for (const one of texts) assert.equal(typeof one.text, 'string')
        }
      }),
      { seed: SEED, numRuns: 2000 },
    )
    assert.ok(proven > 0)
  })
})
