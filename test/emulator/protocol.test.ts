// The two endpoints themselves: credentials, allowlist, params, bodies, modes, isolation and the payload endpoint.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import catalogue from '../../src/catalogue/ductape.json' with { type: 'json' }
import { findMethod, MODULES, SNIPPET_FAMILIES, snippetFamily } from '../../src/catalogue/index.ts'
import { DEMO, startEmulator } from '../../src/emulator/index.ts'
import {
  type Bench,
  countedRandom,
  DB,
  DEMO_KEY,
  OTHER_KEY,
  open,
  PLACE,
  PRODUCT,
  post,
  type Reply,
} from './helper.ts'

let bench: Bench
let execute: string
let generate: string
before(async () => {
  bench = await open()
  execute = `${bench.emulator.url}/proxy/v1/sdk-proxy/execute`
  generate = `${bench.emulator.url}/integrations/v1/payloads/generate`
})
after(() => bench.emulator.close())

const resultOf = (body: Reply['body']): unknown => body.data?.data

const FETCH = { module: 'product', method: 'fetch', params: [PRODUCT] }

test('the key is taken from the header or from the body; an unknown one is 401', async () => {
  assert.equal((await post(execute, FETCH, { 'x-publishable-key': DEMO_KEY })).status, 200)
  assert.equal((await post(execute, { ...FETCH, publishable_key: DEMO_KEY })).status, 200)
  for (const [body, headers] of [
    [FETCH, {}],
    [FETCH, { 'x-publishable-key': 'pk_unknown_0123456789' }],
    [{ ...FETCH, publishable_key: 5 }, {}],
    [{ ...FETCH, publishable_key: DEMO.main.publicKey }, {}],
  ] as const) {
    const { status, body: answer } = await post(execute, body, headers)
    assert.equal(status, 401)
    assert.equal(answer.status, false)
  }
})

test('paths, methods, bodies', async () => {
  assert.equal((await post(`${bench.emulator.url}/other`, FETCH)).status, 404)
  assert.equal((await fetch(execute)).status, 405)
  for (const body of ['', '{', '[]', '"x"', 'null', '{"module":"product"}', '{"module":5,"method":"x"}']) {
    const { status } = await post(execute, body, { 'x-publishable-key': DEMO_KEY })
    assert.equal(status, 422, body)
  }
  const zipped = await fetch(execute, {
    method: 'POST',
    headers: { 'x-publishable-key': DEMO_KEY, 'content-encoding': 'gzip' },
    body: gzipSync(JSON.stringify(FETCH)),
  })
  assert.equal(zipped.status, 200)
  const headers = { 'x-publishable-key': DEMO_KEY, 'content-encoding': 'gzip' }
  assert.equal((await post(execute, 'not gzip', headers)).status, 422)
  assert.equal((await post(execute, 'x', { ...headers, 'content-encoding': 'br' })).status, 415)
})

test('a body over the limit is 413, also when only its inflated form is', async () => {
  const small = await startEmulator({ maxBodyBytes: 10_000 })
  try {
    const url = `${small.url}/proxy/v1/sdk-proxy/execute`
    const body = JSON.stringify({ ...FETCH, params: ['x'.repeat(20_000)] })
    for (const [sent, headers] of [
      [body, {}],
      [gzipSync(body), { 'content-encoding': 'gzip' }],
    ] as const) {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'x-publishable-key': DEMO_KEY, ...headers },
        body: sent,
      })
      assert.equal(response.status, 413)
      assert.equal(((await response.json()) as { status: boolean }).status, false)
    }
  } finally {
    await small.close()
  }
})

// A value of the right JSON type for each documented argument, so that only the handler can object.
function sample(type: string, fields: Record<string, string> = {}): unknown {
  if (type === 'string') return 'none'
  if (type === 'number') return 1
  if (type === 'array') return []
  if (type === 'boolean') return true
  if (type === 'any') return 'none'
  return Object.fromEntries(Object.entries(fields).map(([key, kind]) => [key.replace('?', ''), sample(kind)]))
}

test('all methods of the 20 modules: each allowed one answers well, every other is refused', async () => {
  const seen = { ok: 0, refused: 0, notEmulated: 0, notSupported: 0, forbidden: 0 }
  for (const module of MODULES) {
    const names = Object.keys(
      (catalogue.modules as Record<string, { methods: object }>)[module]?.methods ?? {},
    )
    for (const method of [...names, 'constructor', '__proto__', 'toString', 'nope']) {
      const entry = findMethod(module, method)
      const params = (entry?.positional ?? []).map(({ type, fields }) => sample(type, fields))
      const { status, body } = await bench.send(module, method, params)
      const where = `${module}.${method}: ${status} ${JSON.stringify(body).slice(0, 300)}`
      if (!entry?.allowlisted) {
        assert.deepEqual([status, body.status, body.code], [403, false, 'FORBIDDEN'], where)
        seen.forbidden += 1
        continue
      }
      assert.ok(status === 200 || status === 422, where)
      assert.ok(!JSON.stringify(body).includes('    at '), where)
      if (body.status) {
        assert.match(body.data?.request_id ?? '', /^req_/, where)
        seen.ok += 1
      } else {
        assert.ok(body.message && body.code, where)
        if (body.code === 'NOT_EMULATED') seen.notEmulated += 1
        else if (body.code === 'NOT_SUPPORTED') seen.notSupported += 1
        else seen.refused += 1
      }
    }
  }
  bench.emulator.workspaces.reset()
  assert.equal(seen.ok + seen.refused + seen.notEmulated + seen.notSupported, 394)
  const { status, body } = await bench.send('cloud', 'list')
  assert.deepEqual([status, body.code], [422, 'VALIDATION_ERROR'])
})

test('malformed params: every required argument is missed and every type is checked', async () => {
  const wrong: Record<string, unknown> = { string: 5, number: 'x', array: {}, object: [], boolean: 5 }
  for (const module of MODULES) {
    const { methods } = (catalogue.modules as Record<string, { methods: object }>)[module] ?? { methods: {} }
    for (const method of Object.keys(methods)) {
      const entry = findMethod(module, method)
      const [first] = entry?.positional ?? []
      if (!entry?.allowlisted || entry.params === null || first === undefined) continue
      const send = async (params: unknown[]) => (await bench.send(module, method, params)).status
      if (first.required) assert.equal(await send([]), 422, `${module}.${method} without params`)
      if (first.type !== 'any') assert.equal(await send([wrong[first.type]]), 422, `${module}.${method} type`)
      const many = entry.positional.map(({ type }) => sample(type))
      assert.equal(await send([...many, 1, 2, 3, 4, 5]), 422, `${module}.${method} too many`)
    }
  }
  assert.equal(
    (await bench.send('databases', 'query', [{ ...DB, entity: 'users', limit: '10' }])).status,
    422,
  )
  const { status } = await post(execute, { ...FETCH, params: {} }, { 'x-publishable-key': DEMO_KEY })
  assert.equal(status, 422)
})

test('both failure forms: HTTP 200 with status false, or the status of the error', async () => {
  const missing = await bench.send('product', 'fetch', ['ductape:none'])
  assert.deepEqual(missing, {
    status: 200,
    body: { status: false, message: 'product not found', code: 'NOT_FOUND' },
  })
  const other = await open({ errorForm: 'http' })
  try {
    const { status, body } = await other.send('product', 'fetch', ['ductape:none'])
    assert.equal(status, 404)
    assert.equal((body as unknown as { errors: string }).errors, 'product not found')
    assert.equal((await other.send('secrets', 'create', [{ key: 'STRIPE_KEY', value: 'x' }])).status, 409)
  } finally {
    await other.emulator.close()
  }
})

test('strict-publishable: a session is required and configuration is refused', async () => {
  const strict = await open({ mode: 'strict-publishable' })
  try {
    const query = { ...DB, entity: 'users', limit: 1 }
    const bare = await strict.send('databases', 'query', [query])
    assert.deepEqual([bare.status, bare.body.message], [422, 'session is required'])
    const { token } = await strict.ok('sessions', 'start', {
      ...PLACE,
      tag: 'user-session',
      data: { user_id: '1', role: 'x' },
    })
    assert.equal((await strict.ok('databases', 'query', { ...query, session: token })).data.length, 1)
    for (const [module, method, ...params] of [
      ['product', 'fetch', PRODUCT],
      ['databases', 'list', PRODUCT],
      ['secrets', 'create', { key: 'A', value: 'b' }],
      ['databases', 'update', PRODUCT, 'main-db', {}],
    ] as const) {
      const { status, body } = await strict.send(module, method, params)
      assert.deepEqual([status, body.message], [401, 'Authentication failed'], `${module}.${method}`)
    }
  } finally {
    await strict.emulator.close()
  }
})

test('two workspaces with the same tags never see each other', async () => {
  bench.emulator.workspaces.reset()
  const query = [{ ...DB, entity: 'users', select: ['id'] }]
  const idsOf = async (key: string) => {
    const { body } = await bench.send('databases', 'query', query, key)
    return (resultOf(body) as { data: { id: string }[] }).data.map(({ id }) => id)
  }
  const calls = Array.from({ length: 200 }, (_, index) => index)
  const answers = await Promise.all(
    calls.map(async (index) => {
      const [key, name] = index % 2 === 0 ? [DEMO_KEY, 'demo'] : [OTHER_KEY, 'other']
      const set = { product: PRODUCT, cache: 'main-cache', key: 'shared', value: name }
      await bench.send('caches', 'set', [set], key)
      const data = { id: `x${index}`, name }
      await bench.send('databases', 'insert', [{ ...DB, entity: 'users', data }], key)
      const { body } = await bench.send('caches', 'get', [{ key: 'shared' }], key)
      return { name, value: (resultOf(body) as { value: string }).value }
    }),
  )
  for (const { name, value } of answers) assert.equal(value, name)
  const [mine, theirs] = [await idsOf(DEMO_KEY), await idsOf(OTHER_KEY)]
  assert.equal(mine.length, 114)
  assert.equal(theirs.length, 102)
  assert.equal(mine.filter((id) => theirs.includes(id)).length, 0)
  assert.equal(
    (await bench.send('secrets', 'fetch', ['STRIPE_KEY'], OTHER_KEY)).body.data?.data instanceof Object,
    true,
  )
  const added = {
    workspaceId: 'ws_3_0123456789',
    userId: 'usr_3',
    publishableKey: 'pk_third_0123456789',
    publicKey: 'pub_third_0123456789',
  }
  bench.emulator.workspaces.add(added)
  assert.equal((await bench.send('product', 'fetch', [PRODUCT], added.publishableKey)).body.code, 'NOT_FOUND')
})

const REQUEST = {
  workspace_id: DEMO.main.workspaceId,
  user_id: DEMO.main.userId,
  public_key: DEMO.main.publicKey,
  product_tag: PRODUCT,
  env_slug: 'prd',
  operation_family: 'database',
  method: 'query',
  targets: { database: 'main-db' },
  input_hint: { entity: 'orders', limit: 10 },
}
const template = (more: object = {}, key = DEMO.main.publicKey) =>
  post(generate, { ...REQUEST, ...more }, { 'x-access-key': key })
type Template = {
  payload: Record<string, unknown>
  meta: { warnings: string[]; validation: { valid: boolean } }
}

test('payloads: the documented examples', async () => {
  const { status, body } = await template()
  assert.equal(status, 200)
  assert.equal(body.status, true)
  const { payload, meta } = body.data as unknown as Template
  assert.deepEqual(payload, {
    product: PRODUCT,
    env: 'prd',
    database: 'main-db',
    input: { entity: 'orders', where: {}, limit: 10 },
    session: 'user-session:<jwt>',
    cache: 'main-cache',
  })
  assert.equal(meta.validation.valid, true)
  const action = await template({
    operation_family: 'action',
    method: 'run',
    targets: { app: 'stripe', action: 'create-customer' },
    input_hint: undefined,
    include_session: false,
    include_cache: false,
  })
  assert.deepEqual((action.body.data as unknown as Template).payload, {
    product: PRODUCT,
    env: 'prd',
    app: 'stripe',
    action: 'create-customer',
    input: { 'body:email': '<email>', 'body:name': '<name>' },
  })
})

test('payloads: wrong credentials are 401, malformed requests 422', async () => {
  assert.equal((await template({}, 'pub_unknown_0123456789')).status, 401)
  assert.equal((await post(generate, REQUEST)).status, 401)
  assert.equal((await template({ workspace_id: DEMO.other.workspaceId })).status, 401)
  assert.equal((await template({ user_id: 'x' })).status, 401)
  assert.equal((await template({ public_key: 'x' })).status, 401)
  assert.equal((await template({ public_key: undefined })).status, 200)
  const bad = [
    { operation_family: 'nope' },
    { method: 'nope' },
    { targets: [] },
    { schema_mode: 'x' },
    { env_slug: '' },
  ]
  for (const more of bad) assert.equal((await template(more)).status, 422, JSON.stringify(more))
})

test('payloads: best_effort warns where strict fails', async () => {
  for (const more of [
    { product_tag: 'ductape:none' },
    { env_slug: 'xyz' },
    { targets: { database: 'none' } },
    { input_hint: {} },
    { input_hint: { entity: 'none' } },
    { operation_family: 'action', method: 'run', targets: {} },
  ]) {
    const soft = await template(more)
    assert.ok((soft.body.data as unknown as Template).meta.warnings.length > 0, JSON.stringify(more))
    const strict = await template({ ...more, schema_mode: 'strict' })
    assert.deepEqual(
      [strict.body.status, strict.body.code],
      [false, 'SCHEMA_INSUFFICIENT'],
      JSON.stringify(more),
    )
  }
  assert.equal((await template({ schema_mode: 'strict' })).body.status, true)
})

test('payloads: every family and method gives a template', async () => {
  for (const family of SNIPPET_FAMILIES) {
    for (const method of snippetFamily(family)?.methods ?? []) {
      const { status, body } = await template({
        operation_family: family,
        method,
        targets: {},
        input_hint: undefined,
      })
      assert.equal(status, 200, `${family}.${method}`)
      const { payload } = body.data as unknown as Template
      assert.equal(payload['product'], PRODUCT)
      assert.equal(typeof payload['input'], 'object')
    }
  }
})

test('with the same clock and randomness the answers are the same bytes', async () => {
  const read = async (): Promise<string> => {
    const emulator = await startEmulator({ now: () => 1_770_000_000_000, random: countedRandom() })
    const texts: string[] = []
    for (const body of [
      FETCH,
      {
        module: 'actions',
        method: 'run',
        params: [{ ...PLACE, app: 'stripe', action: 'create-customer', input: {} }],
      },
    ]) {
      const response = await fetch(`${emulator.url}/proxy/v1/sdk-proxy/execute`, {
        method: 'POST',
        headers: { 'x-publishable-key': DEMO_KEY },
        body: JSON.stringify(body),
      })
      texts.push(await response.text())
    }
    await emulator.close()
    return texts.join('\n')
  }
  assert.equal(await read(), await read())
})

test('only a loopback address is accepted, and observe and stats tell what came', async () => {
  for (const host of ['0.0.0.0', '::', '192.168.0.1', 'example.com']) {
    await assert.rejects(startEmulator({ host }), /loopback/)
  }
  const seen: string[] = []
  const lines: string[] = []
  const emulator = await startEmulator({
    observe: ({ path, headers, body }) => seen.push(`${path} ${headers['x-publishable-key']} ${body}`),
    log: (line) => lines.push(line),
  })
  await post(`${emulator.url}/proxy/v1/sdk-proxy/execute`, FETCH, { 'x-publishable-key': DEMO_KEY })
  assert.deepEqual(seen, [`/proxy/v1/sdk-proxy/execute ${DEMO_KEY} ${JSON.stringify(FETCH)}`])
  assert.equal(emulator.stats.effects.read, 1)
  assert.equal(emulator.stats.methods.get('product.fetch'), 1)
  assert.ok(!lines.join().includes(DEMO_KEY))
  await emulator.close()
})
