// Every record that is written is canonical and of the schema, whatever stands in the call; what each member is, and how large they get.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createRecordWriter } from '../../src/audit/record.ts'
import type { Call } from '../../src/core/call.ts'
import { DENIALS, type DenialCode, deny } from '../../src/core/denials.ts'
import type { Json } from '../../src/core/json.ts'
import { CAPTURES } from '../../src/core/policy.ts'
import { makePrincipal } from '../../src/core/principal.ts'
import { callOf, execute, FLEET, newDigests, TOOLS } from './fake.ts'

const SEED = 20_261_121

import { ASKED, GUARDED, start } from './lib/written.ts'

const CERTIFIED = makePrincipal({
  method: 'oauth',
  id: 'oauth:https://idp.example|alice',
  subject: 'alice',
  issuer: 'https://idp.example',
  client: 'agent',
  tenant: 'acme',
  roles: ['developer'],
  keyId: 'key-1',
  owner: 'team-a',
  tokenId: 'jti-1',
  fingerprint: 'ab'.repeat(32),
  spiffeId: 'spiffe://acme/agent',
  binding: 'mtls',
  actors: ['bob'],
})

describe('a decision', () => {
  test('every member', () => {
    const { records, last } = start()
    const call: Call = {
      ...execute('databases', 'query', [{ product: 'acme:shop', env: 'prd', database: 'main' }], 'redacted'),
      principal: CERTIFIED,
      idempotencyKey: 'order 1',
      approval: ASKED,
      guarded: GUARDED,
      replayOf: '018f0000-0000-7000-8000-00000000ffff',
      traceparent: `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`,
      message: {
        era: 'modern',
        revision: '2026-07-28',
        id: 7,
        progressToken: undefined,
        capabilities: undefined,
        inputResponses: undefined,
        requestState: undefined,
      },
      action: 'kill',
      target: 'module "databases"',
    }
    const hash = records.decision(call)
    const { decision, what, who, ...rest } = last()
    assert.equal(hash, rest.hash)
    assert.equal(call.recordHash, hash)
    assert.equal(rest.callId, call.id)
    assert.deepEqual(decision, {
      allowed: true,
      approval: {
        approver: 'people:https://idp.example|bob',
        expiresAt: '2026-11-21T23:30:00.000Z',
        id: 'Zx3mLk0Qp8T2vYw6',
        request: ASKED.request,
        rule: 'cd'.repeat(32),
        state: 'used',
      },
      guards: [
        { at: '/params/0/query', found: 'read-only', guard: 'sql' },
        { at: '/params/0/file', count: 2, found: 'plain', guard: 'path' },
      ],
      replayOf: '018f0000-0000-7000-8000-00000000ffff',
      rule: 'r/allow/0',
    })
    const { argsDigest, credentialId, idempotencyKey, requestDigest, toolDigest, ...shown } = what ?? {}
    assert.deepEqual(
      [argsDigest, credentialId, requestDigest],
      [call.argsDigest, call.credentialId, call.requestDigest],
    )
    assert.equal(idempotencyKey, FLEET.mac('request-digest', '{"idempotencyKey":"order 1"}'))
    assert.match(String(toolDigest), /^[\w-]{43}$/)
    assert.deepEqual(shown, {
      action: 'kill',
      args: {
        method: 'query',
        module: 'databases',
        params: [{ database: 'main', env: 'prd', product: 'acme:shop' }],
      },
      effect: 'read',
      mcpMethod: 'tools/call',
      method: 'query',
      module: 'databases',
      requestId: call.requestId,
      revision: '2026-07-28',
      rpcId: 7,
      safe: { database: 'main', env: 'prd', product: 'acme:shop' },
      shape: {
        method: 'string',
        module: 'string',
        params: [{ database: 'string', env: 'string', product: 'string' }, 1],
      },
      surface: 'mcp',
      target: 'module "databases"',
      tool: 'ductape_execute',
      traceId: 'ab'.repeat(16),
      transport: 'http',
    })
    const { tokenId, ...caller } = who ?? {}
    assert.match(String(tokenId), /^[\w-]{43}$/)
    assert.deepEqual(caller, {
      actors: ['bob'],
      binding: 'mtls',
      certificate: 'ab'.repeat(32),
      clientId: 'agent',
      issuer: 'https://idp.example',
      keyId: 'key-1',
      method: 'oauth',
      owner: 'team-a',
      peer: '127.0.0.1',
      principal: 'oauth:https://idp.example|alice',
      roles: ['developer'],
      spiffeId: 'spiffe://acme/agent',
      subject: 'alice',
      tenant: 'acme',
    })
  })

  test('how much of the arguments is what the rule says; each shows more than the one before', () => {
    const { records, last } = start()
    const members = CAPTURES.map((record) => {
      records.decision(execute('databases', 'query', [{ product: 'acme:shop' }], record))
      const what = last()['what'] ?? {}
      assert.ok(Object.hasOwn(what, 'argsDigest') && Object.hasOwn(what, 'requestDigest'))
      return ['shape', 'safe', 'args'].filter((name) => Object.hasOwn(what, name))
    })
    assert.deepEqual(members, [[], ['shape'], ['shape', 'safe'], ['shape', 'safe', 'args']])
  })

  test('every refusal, with and without a rule', () => {
    const { records, last } = start()
    for (const code of Object.keys(DENIALS) as DenialCode[]) {
      const call = execute('product', 'fetch', ['acme:shop'])
      call.denial = deny(code, 'x')
      records.decision(call)
      assert.deepEqual(last()['decision'], {
        allowed: false,
        code,
        rule: 'r/allow/0',
        stage: DENIALS[code].stage,
      })
      assert.ok(Object.hasOwn(last()['what'] ?? {}, 'requestDigest'))
      const early: Call = {
        ...call,
        tool: undefined,
        prepared: undefined,
        policy: undefined,
        requestDigest: undefined,
      }
      records.decision({
        ...early,
        argsDigest: undefined,
        module: undefined,
        method: undefined,
        effect: undefined,
      })
      assert.deepEqual(last()['decision'], { allowed: false, code, stage: DENIALS[code].stage })
      assert.ok(!Object.hasOwn(last()['what'] ?? {}, 'shape'))
    }
  })

  test('a chain without room gives no hash', () => {
    const records = createRecordWriter({ append: () => undefined }, { digests: newDigests(), tick: () => 0 })
    const call = execute('product', 'fetch', ['acme:shop'])
    assert.equal(records.decision(call), undefined)
    assert.equal(call.recordHash, undefined)
  })
})

describe('an outcome', () => {
  test('every member', () => {
    const { records, last } = start()
    const call: Call = {
      ...execute('product', 'fetch', ['acme:shop']),
      backendRequestId: 'req_1',
      backendStatus: 200,
      resultDigest: 'a'.repeat(43),
      resultDigestRaw: 'b'.repeat(43),
      denial: deny('result_too_large'),
    }
    records.outcome(call, { status: 200, bytes: 5, tokens: 12 })
    assert.deepEqual(last()['outcome'], {
      backendRequestId: 'req_1',
      backendStatus: 200,
      bytesIn: 100,
      bytesOut: 5,
      code: 'result_too_large',
      durationMs: 12.346,
      httpStatus: 200,
      resultDigest: 'a'.repeat(43),
      resultDigestRaw: 'b'.repeat(43),
      status: 'executed',
      tokens: 12,
    })
    // Nothing was executed where the answer is that of an earlier call.
    const replayed = { ...call, denial: undefined, replayOf: '018f0000-0000-7000-8000-00000000ffff' }
    records.outcome(replayed, { status: 200, bytes: 5 })
    assert.equal(last()['outcome']?.['status'], 'replayed')
    // What was replaced did not stand in the result.
    call.resultDigestRaw = call.resultDigest
    records.outcome(call, { status: 200, bytes: 5 })
    assert.ok(!Object.hasOwn(last()['outcome'] ?? {}, 'resultDigestRaw'))
  })
})

test('refusals that were counted, and files of live/', () => {
  const { records, last } = start()
  const refusals = {
    code: 'token_invalid',
    count: 3,
    from: '2026-11-21T23:15:00.000Z',
    peer: '10.0.0.1',
    stage: 'identity',
    to: '2026-11-21T23:15:09.000Z',
  } as const
  records.refusals(refusals)
  assert.deepEqual(last()['refusals'], refusals)
  const digest = 'ab'.repeat(32)
  records.reload({ file: 'policy.yaml', applied: true, digest, policyDigest: digest })
  assert.deepEqual(last()['reload'], { applied: true, digest, file: 'policy.yaml' })
  assert.equal(last()['policyDigest'], digest)
  records.reload({ file: 'limits.yaml', applied: false, digest: undefined, policyDigest: undefined })
  assert.deepEqual(last()['reload'], { applied: false, file: 'limits.yaml' })
})

test('whatever stands in a call, its records are canonical and of the schema', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('"', '\\', '\n', '\u2028', '\ud800', '__proto__', '\u0000', '😀', '\ufffe'),
  )
  const some = fc.option(text, { nil: undefined })
  const json = fc.json({ stringUnit: 'grapheme', maxDepth: 6 }).map((source) => JSON.parse(source) as Json)
  const caller = fc.record({
    id: text,
    subject: text,
    issuer: some,
    client: some,
    tenant: some,
    owner: some,
    keyId: some,
    tokenId: some,
    roles: fc.array(text, { maxLength: 3 }),
    actors: fc.array(text, { maxLength: 3 }),
  })
  const { chain, records, last } = start()
  fc.assert(
    fc.property(
      caller,
      fc.array(json, { maxLength: 3 }),
      fc.constantFrom(...CAPTURES),
      text,
      text,
      fc.option(fc.constantFrom(...(Object.keys(DENIALS) as DenialCode[])), { nil: undefined }),
      (principal, params, record, peer, key, code) => {
        const call: Call = {
          ...execute('databases', 'query', params, record),
          principal: makePrincipal({ method: 'oauth', ...principal }),
          idempotencyKey: key,
          approval: { ...ASKED, id: key, approver: principal.owner, requester: principal.client },
          guarded: [{ guard: 'url', at: peer, found: key }],
          peer,
          denial: code === undefined ? undefined : deny(code),
        }
        const policy = call.policy
        call.policy = policy === undefined ? undefined : { ...policy, rule: principal.subject }
        records.decision(call)
        last()
        records.outcome(call, { status: 200, bytes: 1 })
        last()
        records.refusals({ ...REFUSALS, peer })
        last()
      },
    ),
    { seed: SEED, numRuns: 500 },
  )
  assert.ok(chain.lines.length >= 1500)
})

const REFUSALS = {
  code: 'http_malformed',
  count: 1,
  from: '2026-11-21T23:15:00.000Z',
  stage: 'transport',
  to: '2026-11-21T23:15:00.000Z',
} as const

test('a decision is at most 2 KB and an outcome at most 1 KB for 400 bytes of arguments', () => {
  const { chain, records } = start()
  const params = [
    {
      ...{ product: 'acme:shop', env: 'prd', database: 'main', entity: 'orders' },
      where: {
        status: { $in: ['open', 'paid'] },
        customer_id: 12345,
        created_at: { $gte: '2026-01-01T00:00:00Z' },
      },
      select: ['id', 'status', 'total', 'customer_id', 'created_at'],
      orderBy: [{ field: 'created_at', direction: 'desc' }],
      ...{ limit: 50, offset: 0, include: ['customer', 'items'] },
    },
  ]
  const call: Call = {
    ...execute('databases', 'query', params),
    principal: CERTIFIED,
    idempotencyKey: 'order 1',
    guarded: GUARDED.slice(0, 1),
    traceparent: `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`,
    backendRequestId: `req_${'0'.repeat(32)}`,
    backendStatus: 200,
    resultDigest: 'a'.repeat(43),
    resultDigestRaw: 'b'.repeat(43),
  }
  assert.ok((call.prepared?.text.length ?? 0) >= 390)
  records.decision(call)
  // A call that repeats another one needs no approval.
  for (const more of [
    { approval: { ...ASKED, request: call.requestDigest ?? '' } },
    { replayOf: '018f0000-0000-7000-8000-00000000ffff' },
  ]) {
    records.decision({ ...call, ...more })
    const decision = Buffer.byteLength(chain.lines.at(-1) ?? '')
    assert.ok(decision > 1500 && decision <= 2048, `${decision} bytes`)
  }
  records.outcome(call, { status: 200, bytes: 100_000, tokens: 1000 })
  const outcome = Buffer.byteLength(chain.lines.at(-1) ?? '')
  assert.ok(outcome > 400 && outcome <= 1024, `${outcome} bytes`)
})

test('of each tool, over REST too', () => {
  const { records, last } = start()
  for (const { declaration } of TOOLS.slice(1)) {
    const call = callOf(declaration.name, {
      workspace_id: 'ws_1',
      user_id: 'usr_1',
      public_key: 'pub_0123456789abcdef',
      product_tag: 'acme:shop',
      env_slug: 'prd',
      operation_family:
        declaration.name === 'ductape_generate_snippet' ? 'database' : 'any text, of whatever kind',
      method: 'query',
      ...(declaration.name === 'ductape_generate_snippet' && { language: 'typescript' }),
    })
    call.surface = 'rest'
    call.mcpMethod = undefined
    records.decision(call)
    assert.deepEqual(last()['what']?.['safe'], { env: 'prd', product: 'acme:shop' })
    assert.ok(!JSON.stringify(last()).includes('whatever kind'))
  }
})
