// What a decision record shows of the arguments: bounded, canonical, and nothing that a caller could have hidden in it.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { redactedArgs, safeOf, shapeOf } from '../../src/audit/capture.ts'
import { allowedMethods, findMethod, MODULES } from '../../src/catalogue/index.ts'
import type { Call } from '../../src/core/call.ts'
import type { Json, JsonObject } from '../../src/core/json.ts'
import { CREDENTIAL, callOf, execute, TOOLS } from './fake.ts'

const SEED = 20_261_121

const parsed = (text: string | undefined): unknown => {
  if (text === undefined) return undefined
  const value: unknown = JSON.parse(text)
  assert.equal(text, canonicalize(value))
  return value
}
const query = (...params: Json[]): Call => execute('databases', 'query', params)
const shape = (...params: Json[]): unknown => (parsed(shapeOf(query(...params))) as JsonObject)['params']
const safe = (call: Call): unknown => parsed(safeOf(call))

const PAYLOAD = {
  workspace_id: 'ws_1',
  user_id: 'usr_1',
  public_key: CREDENTIAL,
  product_tag: 'acme:shop',
  env_slug: 'prd',
  operation_family: 'database',
  method: 'query',
}

// Texts of the kinds that must not be recorded; each can stand where a name or a tag belongs.
const SECRETS = [
  CREDENTIAL,
  CREDENTIAL.slice(3),
  Buffer.from(CREDENTIAL).toString('base64url'),
  'sk_live_abcdefgh',
  'ghp_aBcDeFgHiJkLmNoPqRsT',
  'eyJhbGciOiJFZERTQSJ9',
  'AKIAIOSFODNN7EXAMPLE',
  'hunter22hunter22',
  'Tr0ub4dor3',
  '0123456789abcdef0123456789abcdef',
  'a0123456789abcdef0123456789abcde',
  'DE89370400440532013000',
  '4111111111111111',
  'card4111111111111111',
  '123-45-6789',
  'C01X00T47',
  'jane@example.com',
  'Jane Doe',
  '+4915112345678',
  'tel:4915112345678',
  '10.1.2.3',
  '1990-01-01',
  'https://a.example/x?y=z',
  '/home/jane/cv.pdf',
  'jane.doe',
  '<script>',
  'été',
  'a\u202eb',
  'x'.repeat(129),
]

describe('shape', () => {
  test('each value by its type, a list by its first item and its length', () => {
    assert.deepEqual(
      parsed(shapeOf(query({ product: 'a:b', limit: 1, all: true, where: null, ids: [1, 'x'] }))),
      {
        method: 'string',
        module: 'string',
        params: [
          { all: 'boolean', ids: ['number', 2], limit: 'number', product: 'string', where: 'null' },
          1,
        ],
      },
    )
    assert.deepEqual(shape(), [0])
    assert.deepEqual(shape([[], [1]]), [[[0], 2], 1])
  })

  test('at most 32 members and objects four deep; the rest is counted', () => {
    const many = Object.fromEntries(
      Array.from({ length: 500 }, (_, i) => [`c${'abcdefghij'[i % 10]}${'_'.repeat(i / 10)}`, i]),
    )
    const [first] = shape(many) as [Record<string, unknown>]
    // module, method and params count too.
    assert.equal(Object.keys(first).length, 32 - 3 + 1)
    assert.equal(first['...'], 500 - 29)
    assert.deepEqual(shape({ a: { b: { c: { d: 1 } } } }), [{ a: { b: { c: '...' } } }, 1])
    assert.deepEqual(shape({ a: { b: 1, c: { e: [{}] } } }), [
      { a: { b: 'number', c: { e: [{}, 1].fill('...', 0, 1) } } },
      1,
    ])
  })

  test('every name of the catalogue and of the tools is shown', () => {
    const names = new Set(
      TOOLS.flatMap((tool) => Object.keys(tool.declaration.inputSchema['properties'] as object)),
    )
    for (const module of MODULES)
      for (const method of allowedMethods(module))
        for (const { fields } of findMethod(module, method)?.positional ?? [])
          for (const name of Object.keys(fields ?? {})) names.add(name.replace(/\?$/, ''))
    assert.ok(names.size > 150)
    for (const name of names) assert.deepEqual(shape({ [name]: 1 }), [{ [name]: 'number' }, 1], name)
  })

  test('other names only where they look like one', () => {
    for (const name of ['email', 'customer_id', 'firstName', '$gte', 'address1', 'body:amount', '_id'])
      assert.deepEqual(shape({ [name]: 1 }), [{ [name]: 'number' }, 1], name)
    for (const name of [...SECRETS, '', '...', '__proto__x1y2', 'a b', 'x'.repeat(65)])
      assert.deepEqual(shape({ [name]: 1 }), [{ '...': 1 }, 1], name)
    assert.deepEqual(shape({ b: 1, 'a b': 1, $c: 1, é: 1 }), [{ $c: 'number', '...': 2, b: 'number' }, 1])
  })

  test('a credential of the call is no name, in whatever form', () => {
    const letters = 'secretlettersonly'
    for (const name of [
      letters,
      Buffer.from(letters).toString('base64').replaceAll(/\d|=/g, ''),
      `x${letters}`,
    ]) {
      const call = callOf('ductape_execute', {
        publishable_key: name === letters || name === `x${letters}` ? letters : name,
        module: 'databases',
        method: 'query',
        params: [{ [name]: 1 }],
      })
      assert.deepEqual((parsed(shapeOf(call)) as JsonObject)['params'], [{ '...': 1 }, 1], name)
    }
  })

  test('whatever the arguments are, the shape is canonical and small', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue({ stringUnit: 'binary', maxDepth: 8 }), { maxLength: 3 }),
        (params) => {
          const text = shapeOf(query(...(params as Json[])))
          parsed(text)
          assert.ok((text ?? '').length < 4096)
        },
      ),
      { seed: SEED, numRuns: 1000 },
    )
    assert.ok((shapeOf(query(JSON.parse('[['.repeat(30) + ']]'.repeat(30)) as Json)) ?? '').length < 500)
  })
})

describe('safe fields', () => {
  test('what the catalogue declares, by one name each', () => {
    assert.deepEqual(
      safe(
        query({ product: 'acme:shop', env: 'prd', database: 'main', entity: 'orders', where: { tag: 'x' } }),
      ),
      { database: 'main', entity: 'orders', env: 'prd', product: 'acme:shop' },
    )
    assert.deepEqual(safe(execute('databases', 'schema.drop', ['orders'])), { collection: 'orders' })
    assert.deepEqual(safe(execute('product', 'fetch', ['acme:shop'])), { product: 'acme:shop' })
    assert.deepEqual(
      safe(
        execute('actions', 'run', [
          { product: 'acme:shop', env: 'prd', app: 'stripe', action: 'charge', input: { tag: 'x' } },
        ]),
      ),
      { action: 'charge', app: 'stripe', env: 'prd', product: 'acme:shop' },
    )
  })

  test('plain names are words with few digits', () => {
    for (const value of [
      'a',
      'orders_2024_01',
      'acme:shop-eu2',
      '_users',
      'orderItems',
      'broker:topic',
      'v2',
      'x'.repeat(128),
    ])
      assert.deepEqual(safe(query({ entity: value })), { entity: value })
  })

  test('several environments stand with commas between them', () => {
    const call = execute('databases', 'create', [
      {
        product: 'a:b',
        name: 'x',
        tag: 'main',
        type: 'postgresql',
        envs: [{ slug: 'dev' }, { slug: 'prd' }],
      },
    ])
    assert.equal((safe(call) as Record<string, string>)['env'], 'dev,prd')
  })

  test('of the generate tools: the product, the environment and the targets', () => {
    const call = callOf('ductape_generate_payload', {
      ...PAYLOAD,
      targets: { database: 'main', action: 'charge', note: 'x', session: 'a:b' },
    })
    assert.deepEqual(safe(call), { action: 'charge', database: 'main', env: 'prd', product: 'acme:shop' })
  })

  test('nothing that is no plain name', () => {
    for (const value of [...SECRETS, '', 1, null, true, [], ['a b'], { a: 1 }]) {
      assert.equal(safe(query({ database: value })), undefined, JSON.stringify(value))
      assert.equal(safe(query({ env: value })), undefined, JSON.stringify(value))
      assert.equal(
        safe(execute('databases', 'schema.drop', [value as Json])),
        undefined,
        JSON.stringify(value),
      )
    }
    const call = execute('databases', 'create', [
      {
        product: 'a:b',
        name: 'x',
        tag: 'main',
        type: 'x',
        envs: [{ slug: 'dev' }, { slug: 'jane@example.com' }],
      },
    ])
    assert.equal((safe(call) as Record<string, string>)['env'], undefined)
  })

  test('a credential of the call is no plain name', () => {
    const args = {
      module: 'databases',
      method: 'query',
      params: [{ database: 'secretlettersonly', entity: 'a' }],
    }
    assert.deepEqual(safe(callOf('ductape_execute', { publishable_key: 'secretlettersonly', ...args })), {
      entity: 'a',
    })
    assert.deepEqual(safe(callOf('ductape_execute', { publishable_key: CREDENTIAL, ...args })), {
      database: 'secretlettersonly',
      entity: 'a',
    })
  })

  test('members of the prototype are no values', () => {
    assert.equal(safe(query(Object.create({ database: 'main' }) as JsonObject)), undefined)
  })
})

describe('redacted', () => {
  const args = (...params: Json[]): unknown =>
    (parsed(redactedArgs(query(...params))) as JsonObject)['params']

  test('all arguments but the credentials of the call', () => {
    assert.deepEqual(
      parsed(redactedArgs(query({ product: 'a:b', limit: 1.5, where: { id: [null, true] } }))),
      {
        method: 'query',
        module: 'databases',
        params: [{ limit: 1.5, product: 'a:b', where: { id: [null, true] } }],
      },
    )
  })

  test('the keys of both seeds at any depth, however they are written', () => {
    const R = '[REDACTED]'
    // Seed 002: password, token, secret, key, credential. Seed 004: password, token, secret, api_key, authorization.
    for (const name of [
      ...['password', 'token', 'secret', 'key', 'credential', 'api_key', 'authorization'],
      ...['Password', 'userPassword', 'access-token', 'client_secret', 'X-API-Key', 'apiKey', 'private_key'],
      ...[
        'credentials',
        'Set-Cookie',
        'passwd',
        'ｐａｓｓｗｏｒｄ',
        'connection_url',
        'auth',
        'PIN',
        'session',
      ],
    ]) {
      assert.deepEqual(args({ [name]: 'x' }), [{ [name]: R }], name)
      assert.deepEqual(args({ a: [[{ b: { [name]: { c: 1 } } }]] }), [{ a: [[{ b: { [name]: R } }]] }], name)
    }
    assert.deepEqual(args({ author: 'x', shipping: 'y', sessions: 1 }), [
      { author: 'x', shipping: 'y', sessions: 1 },
    ])
  })

  test('a value beside the name of a secret', () => {
    for (const named of [{ name: 'DB_PASSWORD' }, { header: 'Authorization' }, { field: 'api-key' }])
      assert.deepEqual(args({ ...named, value: 'x', a: 1 }), [{ ...named, value: '[REDACTED]', a: 1 }])
    assert.deepEqual(args({ key: 'region', value: 'x' }), [{ key: '[REDACTED]', value: '[REDACTED]' }])
    assert.deepEqual(args({ name: 'region', value: 'x' }), [{ name: 'region', value: 'x' }])
  })

  test('keys that give themselves away, and the credential of the call in values and names', () => {
    for (const value of [
      'AbCdEfGhIjKlMnOpQrSt1',
      encodeURIComponent('päßwörd+1/x'),
      'Bearer_x',
      'sk_live_abc',
      'eyJhbGci',
      `a ${CREDENTIAL} b`,
      'postgres://u:p@host/db',
    ])
      assert.ok(!JSON.stringify(args({ a: value, [value]: 1 })).includes(value.slice(-5)), value)
    const row = {
      id: '0189d9a4-7c3f-7e1b-8f2e-3a4b5c6d7e8f',
      at: '2026-01-01T00:00:00Z',
      sql: 'SELECT id FROM t1',
    }
    assert.deepEqual(args(row), [row])
    const call = callOf('ductape_execute', {
      publishable_key: 'secretlettersonly',
      module: 'databases',
      method: 'query',
      params: [{ 'x secretlettersonly': 'y secretlettersonly' }],
    })
    assert.deepEqual((parsed(redactedArgs(call)) as JsonObject)['params'], [
      { 'x [REDACTED]': 'y [REDACTED]' },
    ])
  })

  test('of the module secrets nothing but the method', () => {
    assert.deepEqual(parsed(redactedArgs(execute('secrets', 'fetch', ['STRIPE']))), {
      method: 'fetch',
      module: 'secrets',
      params: '[REDACTED]',
    })
  })

  test('long strings by their length, and long arguments as well', () => {
    assert.deepEqual(args({ a: 'x'.repeat(1000) }), [{ a: 'x'.repeat(1000) }])
    assert.deepEqual(args({ a: 'x'.repeat(1001), ['n'.repeat(1001)]: 1 }), [
      { '[1001 chars]': 1, a: '[1001 chars]' },
    ])
    const call = query({ list: Array.from({ length: 100 }, () => 'é'.repeat(100)) })
    assert.deepEqual(parsed(redactedArgs(call)), {
      '...': `[${Buffer.byteLength(canonicalize(call.prepared?.arguments) as string)} bytes]`,
    })
  })

  test('whatever the arguments are, it is canonical and at most 16 KiB', () => {
    const value = fc.json({ stringUnit: 'grapheme', maxDepth: 6 }).map((text) => JSON.parse(text) as Json)
    fc.assert(
      fc.property(value, (one) => {
        const text = redactedArgs(query(one)) ?? ''
        parsed(text)
        assert.ok(Buffer.byteLength(text) <= 16_384)
      }),
      { seed: SEED, numRuns: 1000 },
    )
    assert.deepEqual(args(JSON.parse('{"__proto__":{"password":1,"10":1,"2":2}}') as Json), [
      JSON.parse('{"__proto__":{"password":"[REDACTED]","10":1,"2":2}}'),
    ])
  })
})

test('a call whose arguments were refused shows none', () => {
  const call: Call = { ...query({ product: 'a:b' }), prepared: undefined }
  assert.deepEqual([shapeOf(call), safeOf(call), redactedArgs(call)], [undefined, undefined, undefined])
})
