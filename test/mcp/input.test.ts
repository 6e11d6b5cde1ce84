// input_required on the codec: asked, answered and refused in 2026-07-28, a failed result before it (mcp.md 1.1 "MRTR").
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { missingCapabilities } from '../../src/mcp/input.ts'
import type { TestApp } from '../lib/app.ts'
import { startFixture } from './lib/fixture.ts'
import { CAPABILITIES, type Message, modern, modernHeaders, request } from './lib/messages.ts'
import { createWire, messagesOf, type Wire } from './lib/wire.ts'

interface Answer {
  result?: Message & { requestState?: string; inputRequests?: Record<string, { method: string }> }
  error?: { code: number; data?: Message }
}

let service: TestApp
let wire: Wire
before(async () => {
  service = await startFixture()
  wire = createWire(service.url)
})
after(async () => {
  wire?.close()
  await service?.close()
})

const EVERYTHING = { elicitation: { form: {}, url: {} }, sampling: { tools: {} }, roots: {} }

async function call(
  name: string,
  params: Message = {},
  capabilities: Message = EVERYTHING,
  meta: Message = {},
): Promise<{ status: number; answer: Answer }> {
  const received = await wire.send({
    body: JSON.stringify(
      request('tools/call', modern({ name, ...params }, { [CAPABILITIES]: capabilities, ...meta })),
    ),
    headers: modernHeaders('tools/call', name),
  })
  return { status: received.status, answer: messagesOf(received).at(-1) as Answer }
}

describe('2026-07-28', () => {
  test('asks, and completes when the answers and the state come back', async () => {
    const first = await call('test_input_required_result_multiple_inputs')
    assert.equal(first.status, 200)
    assert.equal(first.answer.result?.['resultType'], 'input_required')
    assert.deepEqual(
      Object.values(first.answer.result?.inputRequests ?? {}).map((asked) => asked.method),
      ['elicitation/create', 'sampling/createMessage', 'roots/list'],
    )
    assert.equal(first.answer.result?.['content'], undefined)
    assert.deepEqual(Object.keys(first.answer.result?.['_meta'] as Message), [
      'io.modelcontextprotocol/serverInfo',
      'app.ductape/receipt',
      'app.ductape/receipt-salts',
    ])
    const { requestState } = first.answer.result ?? {}
    const inputResponses = {
      user_name: { action: 'accept', content: { name: 'Ada' } },
      greeting: { role: 'assistant', content: { type: 'text', text: 'Hello' }, model: 'm' },
      client_roots: { roots: [] },
    }
    const second = await call('test_input_required_result_multiple_inputs', { inputResponses, requestState })
    assert.equal(second.answer.result?.['resultType'], 'complete')
  })

  test('a state that was changed or is of another tool is error -32602', async () => {
    const { answer } = await call('test_input_required_result_tampered_state')
    const state = answer.result?.requestState ?? ''
    const inputResponses = { confirm: { action: 'accept', content: { ok: true } } }
    const name = 'test_input_required_result_tampered_state'
    for (const [tool, requestState] of [
      [name, `${state}x`],
      [name, `1${state.slice(1)}`],
      [name, ''],
      ['test_input_required_result_request_state', state],
    ] as const) {
      const tampered = await call(tool, { inputResponses, requestState })
      assert.equal(tampered.answer.error?.code, -32602, requestState)
    }
    const whole = await call(name, { inputResponses, requestState: state })
    assert.equal(whole.answer.result?.['resultType'], 'complete')
  })

  test('a client that did not declare the capability gets 400 and -32021 with what is missing', async () => {
    for (const [tool, declared, requiredCapabilities] of [
      ['test_missing_capability', {}, { sampling: {} }],
      ['test_missing_capability', { elicitation: {} }, { sampling: {} }],
      ['test_input_required_result_elicitation', {}, { elicitation: { form: {} } }],
      ['test_input_required_result_elicitation', { elicitation: { url: {} } }, { elicitation: { form: {} } }],
      [
        'test_input_required_result_multiple_inputs',
        { sampling: {} },
        { elicitation: { form: {} }, roots: {} },
      ],
    ] as const) {
      const { status, answer } = await call(tool, {}, declared)
      assert.equal(status, 400, tool)
      assert.equal(answer.error?.code, -32021)
      assert.deepEqual(answer.error?.data?.['requiredCapabilities'], requiredCapabilities)
    }
    const outcome = service.records().findLast((line) => line.type === 'outcome')
    assert.equal(outcome?.outcome?.code, 'capability_missing')
    assert.equal(outcome?.outcome?.httpStatus, 400)
  })

  test('a bare elicitation capability means the form', async () => {
    const { answer } = await call('test_input_required_result_elicitation', {}, { elicitation: {} })
    assert.equal(answer.result?.['resultType'], 'input_required')
  })

  test('asks on an event stream as well, after progress', async () => {
    const { status, answer } = await call('test_tool_with_progress', {}, {}, { progressToken: 't' })
    assert.equal(status, 200)
    assert.equal(answer.result?.['resultType'], 'complete')
    const asked = await call('test_streaming_elicitation', {}, EVERYTHING, { progressToken: 't' })
    assert.equal(asked.answer.result?.['resultType'], 'input_required')
  })
})

test('before 2026-07-28 the call fails with a sentence instead', async () => {
  const received = await wire.send({
    body: JSON.stringify(request('tools/call', { name: 'test_input_required_result_elicitation' })),
  })
  const { result } = messagesOf(received)[0] as Answer
  assert.deepEqual(Object.keys(result ?? {}), ['content', 'isError', '_meta'])
  assert.equal(result?.['isError'], true)
})

describe('missingCapabilities', () => {
  const ask = (method: string, params?: Message) => ({ a: { method, ...(params && { params }) } }) as never
  const rows: [name: string, requests: never, declared: Message | undefined, missing: Message | undefined][] =
    [
      ['nothing asked', undefined as never, {}, undefined],
      ['a method without a capability', ask('example/other'), undefined, undefined],
      ['nothing declared', ask('roots/list'), undefined, { roots: {} }],
      ['declared', ask('roots/list'), { roots: {} }, undefined],
      ['declared as no object', ask('roots/list'), { roots: true }, { roots: {} }],
      ['inherited, not declared', ask('roots/list'), Object.create({ roots: {} }) as Message, { roots: {} }],
      [
        'url elicitation',
        ask('elicitation/create', { mode: 'url' }),
        { elicitation: {} },
        { elicitation: { url: {} } },
      ],
      [
        'url elicitation declared',
        ask('elicitation/create', { mode: 'url' }),
        { elicitation: { url: {} } },
        undefined,
      ],
      [
        'sampling with tools',
        ask('sampling/createMessage', { tools: [] }),
        { sampling: {} },
        { sampling: { tools: {} } },
      ],
      [
        'sampling with a tool choice',
        ask('sampling/createMessage', { toolChoice: {} }),
        { sampling: { tools: {} } },
        undefined,
      ],
    ]
  for (const [name, requests, declared, missing] of rows) {
    test(name, () => assert.deepEqual(missingCapabilities(requests, declared as never), missing))
  }
  test('several of one kind are joined', () => {
    const requests = {
      a: { method: 'elicitation/create' },
      b: { method: 'elicitation/create', params: { mode: 'url' } },
    }
    assert.deepEqual(missingCapabilities(requests, {}), { elicitation: { form: {}, url: {} } })
  })
})
