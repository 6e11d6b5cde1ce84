// The digests of a call: recomputed from their definition, equal for equal requests, salted, and made once.
import assert from 'node:assert/strict'
import { createHash, createHmac, hkdfSync } from 'node:crypto'
import { describe, test } from 'node:test'
import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { createDigests, toolDigest } from '../../src/audit/digests.ts'
import type { Call } from '../../src/core/call.ts'
import { canonical } from '../../src/core/canonical.ts'
import { deny } from '../../src/core/denials.ts'
import type { Json } from '../../src/core/json.ts'
import { makePrincipal } from '../../src/core/principal.ts'
import { callOf, execute, FLEET, newDigests, TOOLS } from './fake.ts'

const SEED = 20_261_121

const salted = (salt: string | undefined, text: string): string =>
  createHash('sha256')
    .update(Buffer.from(salt ?? '', 'base64url'))
    .update(text)
    .digest('base64url')

const json = fc
  .json({ stringUnit: 'binary', maxDepth: 5 })
  .map((text) => JSON.parse(text) as Json)
  .filter((value) => JSON.stringify(value).isWellFormed() && !/\\ud[89a-f]/.test(JSON.stringify(value)))

test('canonical JSON is that of another implementation', () => {
  fc.assert(
    fc.property(json, (value) => assert.equal(canonical(value), canonicalize(value))),
    { seed: SEED, numRuns: 2000 },
  )
  for (const text of [
    '{"10":1,"2":2,"1":{"b":0,"a":-0}}',
    '{"__proto__":{"z":1,"a":2},"constructor":3}',
    '{"\\ufb33":1,"\\ud83d\\ude00":2,"\\u20ac":3,"\\r":4,"1":5,"\\u0080":6,"\\u00f6":7}',
    '["\\u0000\\u001f\\u007f\\u2028\\"\\\\/\\b\\f\\n\\r\\t"]',
    '[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001,1e21,1e-7,-0]',
    '[]',
    '{}',
    '""',
    'null',
  ]) {
    const value = JSON.parse(text) as Json
    assert.equal(canonical(value), canonicalize(value), text)
  }
})

describe('of a request', () => {
  test('are what the format says', () => {
    const call = execute('databases', 'query', [{ product: 'a:b', env: 'prd', where: { é: 1, b: [null] } }])
    newDigests().request(call)
    const args = canonicalize(call.prepared?.arguments) as string
    assert.ok(!args.includes('publishable_key'))
    const { credentialId, principal, toolName } = call
    const key = Buffer.from(hkdfSync('sha256', Buffer.alloc(32, 7), '', 'ductape-mcp/1/request-digest', 32))
    const text = canonicalize({
      arguments: call.prepared?.arguments,
      credentialId,
      tenant: principal.tenant,
      tool: toolName,
    }) as string
    assert.equal(call.requestDigest, `k1.${createHmac('sha256', key).update(text).digest('base64url')}`)
    assert.match(call.argsSalt ?? '', /^[\w-]{22}$/)
    assert.equal(call.argsDigest, salted(call.argsSalt, args))
  })

  test('absent members are left out of it', () => {
    const call = execute('product', 'fetch', ['a:b'])
    call.credentialId = undefined
    const open: Call = {
      ...call,
      principal: makePrincipal({ method: 'none', id: 'local', subject: 'local' }),
    }
    newDigests().request(open)
    const text = canonicalize({ arguments: call.prepared?.arguments, tool: 'ductape_execute' }) as string
    assert.equal(open.requestDigest, FLEET.mac('request-digest', text))
  })

  test('equal requests have one request digest, whatever the order of their members, and digests of their own for disclosure', () => {
    const digests = newDigests()
    const [one, other] = [
      { product: 'a:b', env: 'prd' },
      { env: 'prd', product: 'a:b' },
    ].map((first) => execute('databases', 'query', [first])) as [Call, Call]
    digests.request(one)
    digests.request(other)
    assert.equal(one.requestDigest, other.requestDigest)
    assert.notEqual(one.argsSalt, other.argsSalt)
    assert.notEqual(one.argsDigest, other.argsDigest)
  })

  test('everything in it counts', () => {
    const digests = newDigests()
    const base = execute('databases', 'query', [{ product: 'a:b' }])
    const calls = [
      base,
      execute('databases', 'query', [{ product: 'a:c' }]),
      execute('databases', 'count', [{ product: 'a:b' }]),
      { ...base, credentialId: 'k1.other' },
      { ...base, principal: makePrincipal({ method: 'none', id: 'x', subject: 'x', tenant: 't2' }) },
      { ...base, tool: TOOLS[1] },
    ]
    for (const call of calls) digests.request(call)
    assert.equal(new Set(calls.map((call) => call.requestDigest)).size, calls.length)
  })

  test('are made once, and not where the arguments were refused', () => {
    const digests = newDigests()
    const call = execute('product', 'fetch', ['a:b'])
    digests.request(call)
    const { argsDigest, argsSalt, requestDigest } = call
    digests.request(call)
    assert.deepEqual(
      [call.argsDigest, call.argsSalt, call.requestDigest],
      [argsDigest, argsSalt, requestDigest],
    )
    const refused: Call = { ...execute('product', 'fetch', ['a:b']), prepared: undefined }
    digests.request(refused)
    assert.equal(refused.requestDigest, undefined)
    assert.equal(refused.argsSalt, undefined)
  })

  test('long arguments give the same as short ones would', () => {
    for (const size of [8190, 8192, 8193, 200_000]) {
      const call = execute('databases', 'query', [{ text: 'é'.repeat(size) }])
      newDigests().request(call)
      assert.equal(call.argsDigest, salted(call.argsSalt, canonicalize(call.prepared?.arguments) as string))
    }
  })
})

test('a salt is used once, and random bytes are asked for in blocks', () => {
  const asked: number[] = []
  const digests = createDigests({
    fleet: FLEET,
    random: (size) => {
      asked.push(size)
      return Buffer.from(Array.from({ length: size }, (_, i) => (i * 7 + asked.length) % 251))
    },
  })
  const salts = Array.from({ length: 600 }, () => {
    const call = execute('product', 'fetch', ['a:b'])
    digests.request(call)
    digests.result(call, '[]')
    assert.notEqual(call.argsSalt, call.resultSalt)
    return call.argsSalt
  })
  assert.equal(asked.length, 5)
  assert.equal(salts.filter((salt) => salt === Buffer.alloc(16).toString('base64url')).length, 0)
})

describe('of a result', () => {
  const text = '{\n  "a": "é \\" \u2028"\n}'
  const content = [{ type: 'text', text }]
  const delivered = JSON.stringify(content)

  test('over MCP: the canonical text of the content, however it was written', () => {
    const cases: [string, Partial<Call>, string][] = [
      [
        'written',
        { result: { written: { content: delivered, value: () => '1' }, content: [], value: 1 } },
        delivered,
      ],
      ['one block', { result: { content, value: 1 } }, delivered],
      ['a refusal', { denial: deny('backend_failed') }, delivered],
      [
        'two blocks',
        { result: { content: [...content, ...content], value: 1 } },
        JSON.stringify([...content, ...content]),
      ],
      [
        'a block with more',
        { result: { content: [{ type: 'text', text, annotations: { b: 1, a: 2 } }], value: 1 } },
        JSON.stringify([{ type: 'text', text, annotations: { b: 1, a: 2 } }]),
      ],
      ['nothing', { result: { content: [], value: 1 } }, '[]'],
    ]
    for (const [name, members, given] of cases) {
      const call = { ...execute('product', 'fetch', ['a:b']), ...members }
      newDigests().result(call, given)
      assert.match(call.resultSalt ?? '', /^[\w-]{22}$/)
      assert.equal(
        call.resultDigest,
        salted(call.resultSalt, canonicalize(JSON.parse(given)) as string),
        name,
      )
    }
  })

  test('over REST: the body as it is', () => {
    const call = execute('product', 'fetch', ['a:b'])
    call.surface = 'rest'
    newDigests().result(call, '{"b":1, "a":2}')
    assert.equal(call.resultDigest, salted(call.resultSalt, '{"b":1, "a":2}'))
  })

  test('before redaction: of the same form and with the same salt', () => {
    const digests = newDigests()
    const result = { content, value: { b: 1, a: 2 } }
    for (const surface of ['mcp', 'rest'] as const) {
      const call: Call = { ...callOf('ductape_execute', ARGS), surface, result }
      digests.raw(call, result)
      assert.equal(call.resultDigest, undefined)
      digests.result(call, surface === 'rest' ? JSON.stringify(result.value) : delivered)
      assert.equal(call.resultDigest, call.resultDigestRaw)
    }
  })
})

const ARGS = {
  publishable_key: 'pk_live_0123456789abcdef',
  module: 'product',
  method: 'fetch',
  params: ['a:b'],
}

test('an idempotency key is shown by a keyed hash of its own', () => {
  const digests = newDigests()
  assert.match(digests.idempotencyKey('a'), /^k1\.[\w-]{43}$/)
  assert.equal(digests.idempotencyKey('a'), digests.idempotencyKey('a'))
  assert.notEqual(digests.idempotencyKey('a'), digests.idempotencyKey('b'))
})

test('the digest of a tool is that of its declaration', () => {
  for (const tool of TOOLS)
    assert.equal(
      toolDigest(tool),
      createHash('sha256')
        .update(canonicalize(tool.declaration) as string)
        .digest('base64url'),
    )
})
