// The records of a running service: when they are made, which requests have which, and what must never stand in them.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import type { DenialCode } from '../../src/core/denials.ts'
import type { Fault } from '../../src/emulator/index.ts'
import { STAGES, type StageRow } from '../../src/pipeline.ts'
import { callTool, EXECUTE, GENERATE, KEY, toolCall } from '../lib/calls.ts'
import { open, request } from '../lib/raw.ts'
import { checkChain, checkForm, parsed, type Recorded, start } from './lib.ts'

const SEED = 20_260_303

const post = async (url: string, body: string, headers: Record<string, string> = {}): Promise<number> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  })
  await response.arrayBuffer()
  return response.status
}

describe('order', () => {
  test('the decision stands before the backend is asked, the outcome after it has answered', async () => {
    const atRequest: string[][] = []
    let service: Recorded | undefined
    service = await start({ emulator: { observe: () => atRequest.push([...(service?.lines ?? [])]) } })
    try {
      for (let i = 0; i < 3; i++) await callTool(service.url, 'ductape_execute', EXECUTE)
      assert.deepEqual(
        atRequest.map((lines) => parsed(lines).map((record) => record.type)),
        [
          ['decision'],
          ['decision', 'outcome', 'decision'],
          ['decision', 'outcome', 'decision', 'outcome', 'decision'],
        ],
      )
      checkChain(service.chain())
      const ids = parsed(service.lines).map((record) => record.callId)
      assert.deepEqual(ids, [ids[0], ids[0], ids[2], ids[2], ids[4], ids[4]])
      for (const id of ids)
        assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    } finally {
      await service.close()
    }
  })

  test('calls at once: each has its two records, numbered without a gap', async () => {
    const service = await start()
    try {
      await Promise.all(
        Array.from({ length: 100 }, (_, i) =>
          i % 3 === 0
            ? callTool(service.url, 'ductape_execute', { ...EXECUTE, publishable_key: '' })
            : callTool(service.url, 'ductape_execute', EXECUTE),
        ),
      )
      checkChain(service.chain())
      const types = new Map<string, string[]>()
      for (const { callId, type } of parsed(service.lines))
        types.set(callId, [...(types.get(callId) ?? []), type])
      assert.equal(types.size, 100)
      assert.equal([...types.values()].filter((list) => list.join() === 'decision').length, 34)
      assert.equal([...types.values()].filter((list) => list.join() === 'decision,outcome').length, 66)
    } finally {
      await service.close()
    }
  })
})

describe('contents', () => {
  let service: Recorded
  before(async () => {
    service = await start({ config: { response: { maxResult: 1_000_000 } } })
  })
  after(async () => {
    await service.close()
    checkChain(service.chain())
  })

  const during = async (run: () => Promise<unknown>): Promise<ReturnType<typeof parsed>> => {
    service.nextWindow()
    const first = service.lines.length
    await run()
    const lines = service.lines.slice(first)
    checkForm(lines)
    return parsed(lines)
  }

  test('a call: who, what, how it ended', async () => {
    const traceparent = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`
    const body = toolCall('ductape_execute', EXECUTE, 7)
    const [decision, outcome] = await during(() => post(service.mcp, body, { traceparent }))
    assert.deepEqual(decision?.decision, { allowed: true, rule: 'local' })
    const { argsDigest, credentialId, requestDigest, toolDigest, ...what } = decision?.what ?? {}
    for (const digest of [argsDigest, toolDigest]) assert.match(String(digest), /^[\w-]{43}$/)
    for (const keyed of [credentialId, requestDigest]) assert.match(String(keyed), /^boot\.[\w-]{43}$/)
    assert.deepEqual(what, {
      effect: 'read',
      mcpMethod: 'tools/call',
      method: 'environments.list',
      module: 'product',
      requestId: decision?.callId,
      revision: '2025-03-26',
      rpcId: 7,
      safe: { product: 'ductape:my-product' },
      shape: { method: 'string', module: 'string', params: ['string', 1] },
      surface: 'mcp',
      tool: 'ductape_execute',
      traceId: 'ab'.repeat(16),
      transport: 'http',
    })
    assert.deepEqual(decision?.who, {
      method: 'none',
      peer: '127.0.0.1',
      principal: 'local',
      roles: ['local'],
      subject: 'local',
    })
    const { backendRequestId, bytesOut, durationMs, resultDigest, ...rest } = {
      ...outcome?.outcome,
    } as Record<string, unknown>
    assert.deepEqual(rest, { backendStatus: 200, bytesIn: body.length, httpStatus: 200, status: 'executed' })
    assert.match(backendRequestId as string, /^req_/)
    assert.match(resultDigest as string, /^[\w-]{43}$/)
    assert.ok((bytesOut as number) > 100 && (durationMs as number) > 0)
  })

  test('REST: the same, without the members of MCP', async () => {
    const [decision] = await during(() =>
      post(`${service.url}/v1/tools/ductape_generate_payload`, JSON.stringify(GENERATE)),
    )
    const {
      requestId: _,
      argsDigest,
      credentialId,
      requestDigest,
      shape,
      toolDigest,
      ...what
    } = decision?.what ?? {}
    for (const digest of [argsDigest, toolDigest]) assert.match(String(digest), /^[\w-]{43}$/)
    for (const keyed of [credentialId, requestDigest]) assert.match(String(keyed), /^boot\.[\w-]{43}$/)
    assert.deepEqual(Object.values(shape as object).sort(), [
      'boolean',
      'boolean',
      ...Array.from({ length: 7 }, () => 'string'),
    ])
    assert.deepEqual(what, {
      effect: 'read',
      safe: { env: 'prd', product: 'ductape:my-product' },
      surface: 'rest',
      tool: 'ductape_generate_payload',
      transport: 'http',
    })
  })

  test('a list is no call: nothing is recorded, unless it is refused', async () => {
    const list = (version: string) => ({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/list',
      params: { _meta: version },
    })
    const records = await during(async () => {
      assert.equal(await post(service.mcp, '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'), 200)
      assert.equal((await fetch(`${service.url}/v1/tools`)).status, 200)
      await post(service.mcp, JSON.stringify(list('x')))
    })
    assert.deepEqual(
      records.map((record) => record.decision?.code),
      ['mcp_refused'],
    )
  })

  const modern = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const message = (params: unknown, more: Record<string, unknown> = {}): string =>
    JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params, ...more })
  const refusals: [code: DenialCode, send: () => Promise<unknown>][] = [
    ['path_unknown', () => fetch(`${service.url}/nothing`)],
    ['method_not_allowed', () => fetch(service.mcp)],
    ['origin_not_allowed', () => post(service.mcp, '{}', { origin: 'https://evil.example' })],
    ['media_type_unsupported', () => post(service.mcp, '{}', { 'content-type': 'text/plain' })],
    ['encoding_unsupported', () => post(service.mcp, '{}', { 'content-encoding': 'gzip' })],
    ['not_acceptable', () => post(service.mcp, '{}', { accept: 'text/html' })],
    ['body_too_large', () => post(service.mcp, ' '.repeat(1_100_000))],
    ['json_malformed', () => post(service.mcp, '{')],
    ['json_not_exact', () => post(service.mcp, '{"a":1,"a":2}')],
    ['batch_unsupported', () => post(service.mcp, '[]')],
    ['message_invalid', () => post(service.mcp, '1')],
    ['version_unsupported', () => post(service.mcp, message({}), { 'mcp-protocol-version': '1999-01-01' })],
    ['envelope_invalid', () => post(service.mcp, message({}), { 'mcp-protocol-version': '2026-07-28' })],
    ['header_mismatch', () => post(service.mcp, message({ name: 'ductape_execute', _meta: modern }))],
    ['params_invalid', () => post(service.mcp, message({ name: 1 }))],
    ['arguments_not_object', () => post(`${service.url}/v1/tools/ductape_execute`, '[]')],
    ['tool_unknown', () => post(service.mcp, toolCall('nope', {}))],
    ['tool_unknown', () => post(`${service.url}/v1/tools/nope`, '{}')],
    ['not_authenticated', () => post(service.mcp, toolCall('ductape_execute', {}))],
    ['argument_unknown', () => post(service.mcp, toolCall('ductape_execute', { ...EXECUTE, a: 1 }))],
    ['argument_missing', () => post(service.mcp, toolCall('ductape_generate_payload', {}))],
    ['argument_invalid', () => post(service.mcp, toolCall('ductape_execute', { ...EXECUTE, params: 1 }))],
    ['credential_malformed', () => post(service.mcp, toolCall('ductape_execute', { publishable_key: 'x' }))],
    ['module_unknown', () => post(service.mcp, toolCall('ductape_execute', { ...EXECUTE, module: 'x' }))],
    ['method_unknown', () => post(service.mcp, toolCall('ductape_execute', { ...EXECUTE, method: 'x' }))],
    [
      'operation_unsupported',
      () => post(service.mcp, toolCall('ductape_generate_snippet', { ...GENERATE, method: 'x' })),
    ],
    [
      'http_malformed',
      async () => {
        const connection = await open(service.url)
        connection.send('nonsense\r\n\r\n')
        await connection.closed
        connection.end()
      },
    ],
    [
      'header_repeated',
      async () => {
        const connection = await open(service.url)
        connection.send(request('POST /mcp', ['Authorization: a', 'Authorization: b'], '{}'))
        await connection.closed
        connection.end()
      },
    ],
  ]
  for (const [code, send] of refusals) {
    test(`refused with ${code}: one decision, no outcome`, async () => {
      const records = await during(send)
      assert.deepEqual(
        records.map((record) => record.decision),
        [{ allowed: false, code, stage: records[0]?.decision?.stage }],
      )
    })
  }

  const outcomes: [status: string, code: DenialCode | undefined, fault: Fault][] = [
    ['executed', undefined, { kind: 'result', value: 1 }],
    ['executed', 'result_too_large', { kind: 'giant', bytes: 2_000_000 }],
    ['failed', 'backend_failed', { kind: 'status-false', message: `no ${KEY}` }],
    ['failed', 'backend_refused', { kind: 'status', status: 403, body: `{"message":"${KEY}"}` }],
    ['failed', 'backend_busy', { kind: 'status', status: 429 }],
    ['unknown', 'backend_refused', { kind: 'status', status: 500 }],
    ['unknown', 'backend_malformed', { kind: 'not-json' }],
    ['unknown', 'backend_interrupted', { kind: 'truncation' }],
    ['unknown', 'backend_too_large', { kind: 'giant', bytes: 11_000_000 }],
  ]
  for (const [status, code, fault] of outcomes) {
    test(`${fault.kind}: ${status}, ${code ?? 'no code'}`, async () => {
      service.emulator?.faults.next(fault)
      const records = await during(() => callTool(service.url, 'ductape_execute', EXECUTE))
      assert.deepEqual(
        records.map((record) => record.type),
        ['decision', 'outcome'],
      )
      assert.deepEqual(records[0]?.decision, { allowed: true, rule: 'local' })
      assert.equal(records[1]?.outcome?.status, status)
      assert.equal(records[1]?.outcome?.code, code)
    })
  }

  test('nothing that the caller wrote stands in a record, wherever it was written', async () => {
    let planted = 0
    const canary = (): string => `canary${++planted}Zx9`
    const args = (): Record<string, unknown> => ({
      publishable_key: `pk_${canary()}_0123`,
      module: canary(),
      method: canary(),
      params: [canary(), { [canary()]: canary() }],
      [canary()]: canary(),
    })
    const headers = (): Record<string, string> => ({
      'x-request-id': canary(),
      traceparent: canary(),
      tracestate: `a=${canary()}`,
      'user-agent': canary(),
      authorization: `Bearer ${canary()}`,
      cookie: canary(),
      'mcp-name': canary(),
      'idempotency-key': canary(),
    })
    const first = service.lines.length
    for (const _ of [1, 2]) {
      service.nextWindow()
      await post(service.mcp, toolCall('ductape_execute', args(), canary()), headers())
      await post(service.mcp, toolCall(canary(), args(), canary()), headers())
      const { module, method, params } = args()
      const call = { publishable_key: `pk_${canary()}_0123`, module, method, params }
      await post(service.mcp, toolCall('ductape_execute', call, canary()), headers())
      const known = { ...call, module: 'databases', method: 'query' }
      await post(service.mcp, toolCall('ductape_execute', known, canary()), headers())
      await post(`${service.url}/v1/tools/${canary()}`, JSON.stringify(args()), headers())
      await post(`${service.url}/${canary()}?${canary()}`, canary(), headers())
      await post(
        service.mcp,
        JSON.stringify({ jsonrpc: '2.0', id: canary(), method: canary(), params: args() }),
        headers(),
      )
      await post(service.mcp, canary(), headers())
    }
    const lines = service.lines.slice(first)
    assert.ok(lines.length >= 16 && planted > 150)
    checkForm(lines)
    for (const line of lines) assert.doesNotMatch(line, /canary/i)
  })

  test('whatever a message holds, its records are whole lines of the schema', async () => {
    const word = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('"', '\\', '\n', '\u2028', '__proto__'),
    )
    const sent = fc.record({
      id: fc.oneof(word, fc.integer()),
      name: word,
      module: word,
      method: word,
      key: word,
    })
    await fc.assert(
      fc.asyncProperty(sent, async ({ id, name, module, method, key }) => {
        const first = service.lines.length
        await post(service.mcp, toolCall(name, { publishable_key: key, module, method }, id))
        await post(service.mcp, toolCall('ductape_execute', { ...EXECUTE, module, method }, id))
        const lines = service.lines.slice(first)
        assert.equal(lines.length, 2)
        checkForm(lines)
      }),
      { seed: SEED, numRuns: 100 },
    )
  })

  test('an id of the message stands in the record only where it has the form of an id', async () => {
    for (const [id, shown] of [
      [1, 1],
      [-5, -5],
      ['17', '17'],
      ['0189d9a4-7c3f-7e1b-8f2e-3a4b5c6d7e8f', '0189d9a4-7c3f-7e1b-8f2e-3a4b5c6d7e8f'],
      [KEY, undefined],
      ['1234567890123456', undefined],
      ['', undefined],
    ] as const) {
      const [decision] = await during(() => post(service.mcp, toolCall('ductape_execute', EXECUTE, id)))
      assert.equal(decision?.what?.['rpcId'], shown)
    }
  })
})

describe('faults of ours', () => {
  const broken: StageRow = {
    name: 'validate',
    group: 'admission',
    prepare: () => () => {
      throw new Error(`a secret: ${KEY}`)
    },
  }
  const brokenShape: StageRow = { ...broken, name: 'shape', group: 'response' }

  for (const [where, row, types] of [
    ['before the call', broken, ['decision']],
    ['after the call', brokenShape, ['decision', 'outcome']],
  ] as const) {
    test(`${where}: recorded, answered with a fixed sentence, told in the log without its text`, async () => {
      const stages = STAGES.map((stage) => (stage.name === row.name ? row : stage))
      const service = await start({ stages })
      try {
        const response = await fetch(service.mcp, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: toolCall('ductape_execute', EXECUTE),
        })
        const text = await response.text()
        assert.equal(response.status, 500)
        assert.match(text, /The service failed on this request/)
        checkChain(service.chain())
        const records = parsed(service.lines)
        assert.deepEqual(
          records.map((record) => record.type),
          types,
        )
        const last = records.at(-1)
        assert.equal(last?.outcome?.code ?? last?.decision?.code, 'internal_error')
        if (types.length === 2) assert.equal(last?.outcome?.status, 'fault')
        const fault = service.log().filter((line) => line.includes('"event":"fault"'))
        assert.equal(fault.length, 1)
        assert.match(fault[0] ?? '', /"at":"[^"]*records\.test\.ts:\d+:\d+"/)
        for (const place of [text, ...service.chain(), ...service.log()]) assert.ok(!place.includes(KEY))
      } finally {
        await service.close()
      }
    })
  }
})
