// The session of stdio without a process: how bytes become lines, what is answered, what waits and what is given up.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { LineWriter } from '../../src/audit/writer.ts'
import { createSession, MAX_IN_FLIGHT, readLines, type SessionParts } from '../../src/cli/stdio.ts'
import { type Call, openCall } from '../../src/core/call.ts'
import type { HttpAnswer } from '../../src/core/http.ts'
import type { Json } from '../../src/core/json.ts'
import { LOCAL } from '../../src/identity/index.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { RUNTIME } from '../lib/runtime.ts'

const SEED = 20260728

async function* chunks(parts: readonly (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const part of parts) yield Buffer.from(part)
}

async function linesOf(parts: readonly (string | Buffer)[], limit: number): Promise<(string | undefined)[]> {
  const lines: (string | undefined)[] = []
  for await (const line of readLines(chunks(parts), limit)) lines.push(line?.toString('latin1'))
  return lines
}

test('lines are the same however the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes))),
      fc.integer({ min: 1, max: 12 }),
      async (parts, limit) => {
        const text = Buffer.concat(parts).toString('latin1')
        const expected: (string | undefined)[] = text.split('\n')
        if (expected.at(-1) === '') expected.pop()
        assert.deepEqual(
          await linesOf(parts, limit),
          expected.map((line) => ((line?.length ?? 0) > limit ? undefined : line)),
        )
      },
    ),
    { seed: SEED, numRuns: 500 },
  )
})

test('a line over the limit is told of once and before it ends, and holds no memory', async () => {
  let given = 0
  async function* endless(): AsyncGenerator<Buffer> {
    for (; given < 1000; given++) yield Buffer.alloc(1024, 0x61)
    yield Buffer.from('\nnext\n')
  }
  const lines: (string | undefined)[] = []
  for await (const line of readLines(endless(), 2048)) {
    if (line === undefined) assert.equal(given, 2, 'reported while it is still being read')
    lines.push(line?.toString())
  }
  assert.deepEqual(lines, [undefined, 'next'])
})

test('a last line without a line feed counts', async () => {
  assert.deepEqual(await linesOf(['a\nb', 'c'], 8), ['a', 'bc'])
})

interface Taken {
  body: Json | undefined
  fault: string | undefined
  call: Call
  answer(body: string | undefined, headers?: Record<string, string>): void
  fail(): void
}

interface Stage {
  parts: SessionParts
  taken: Taken[]
  written: string[]
  log: string[]
  setBacklog(bytes: number): void
}

/** A session whose messages stay under way until the test answers them. */
function stage(maxLine = 1024): Stage {
  const taken: Taken[] = []
  const written: string[] = []
  const log: string[] = []
  let pendingBytes = 0
  let flushed: () => void = () => undefined
  const output: LineWriter = {
    write: (line) => written.push(line) > 0,
    flush: () =>
      pendingBytes === 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            flushed = resolve
          }),
    stats: () => ({ written: written.length, lost: 0, pendingBytes }),
  }
  const message: SessionParts['app']['message'] = (body, fault, onOpen) => {
    const call = openCall({
      id: `call-${taken.length}`,
      startedAt: 0,
      startedTick: 0,
      channel: 'stdio',
      peer: 'stdio',
      principal: LOCAL,
      runtime: RUNTIME,
    })
    const token = (body as { params?: { _meta?: { progressToken?: string } } } | undefined)?.params?._meta
    call.message = {
      era: 'legacy',
      revision: '2025-03-26',
      id: 1,
      progressToken: token?.progressToken,
      capabilities: undefined,
      inputResponses: undefined,
      requestState: undefined,
    }
    onOpen(call)
    return new Promise<HttpAnswer>((resolve, reject) => {
      taken.push({
        body,
        fault: fault?.code,
        call,
        answer: (text, headers = {}) => resolve({ status: 200, headers, body: text }),
        fail: () => reject(new Error('secret-in-a-message')),
      })
    })
  }
  return {
    parts: {
      app: { message },
      output,
      maxLine,
      log: createLog(
        'debug',
        () => 0,
        (line) => log.push(line),
      ),
    },
    taken,
    written,
    log,
    setBacklog(bytes) {
      pendingBytes = bytes
      if (bytes === 0) flushed()
    },
  }
}

/** Lets everything run that can run without new input. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const request = (id: number | string, method = 'tools/call', params: object = {}): string =>
  `${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`

test('reading waits while as many messages are under way as may be', async () => {
  const { parts, taken, written } = stage()
  const session = createSession(parts)
  const lines = Array.from({ length: MAX_IN_FLIGHT + 2 }, (_, id) => request(id))
  const served = session.serve(chunks([lines.join('')]))
  await settled()
  assert.equal(taken.length, MAX_IN_FLIGHT)
  taken[5]?.answer('{"answer":5}')
  await settled()
  assert.equal(taken.length, MAX_IN_FLIGHT + 1)
  assert.deepEqual(written, ['{"answer":5}'])
  for (const message of taken) message.answer('{}')
  await settled()
  for (const message of taken) message.answer('{}')
  await served
  await session.idle()
  assert.equal(written.length, MAX_IN_FLIGHT + 2)
})

test('reading waits while answers wait for a slow reader, and no answer is dropped', async () => {
  const { parts, taken, written, setBacklog } = stage()
  setBacklog(2 << 20)
  const served = createSession(parts).serve(chunks([request(1)]))
  await settled()
  assert.equal(taken.length, 0)
  setBacklog(0)
  await settled()
  assert.equal(taken.length, 1)
  taken[0]?.answer('{"id":1}')
  await served
  await settled()
  assert.deepEqual(written, ['{"id":1}'])
})

test('stop ends a session that waits for room', async () => {
  const { parts, setBacklog, taken } = stage()
  setBacklog(2 << 20)
  const session = createSession(parts)
  const served = session.serve(chunks([request(1)]))
  await settled()
  session.stop()
  await served
  assert.equal(taken.length, 0)
})

test('a cancelled request is given up and gets no answer, whatever comes of it', async () => {
  const { parts, taken, written } = stage()
  const session = createSession(parts)
  let abandoned = 0
  const input = [request('a', 'tools/call', { _meta: { progressToken: 'p' } }), request('b')]
  const cancel = `${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'a' } })}\n`
  async function* feed(): AsyncGenerator<Buffer> {
    yield Buffer.from(input.join(''))
    await settled()
    const call = taken[0]?.call as Call
    call.underWay = { abandon: () => void abandoned++ }
    call.progress?.(call, 1, 2, 'on the way')
    yield Buffer.from(cancel)
    yield Buffer.from(cancel)
    call.progress?.(call, 2, 2, 'too late')
  }
  await session.serve(feed())
  await settled()
  assert.equal(taken.length, 2, 'the notification is not a message of its own')
  assert.equal(taken[0]?.call.gone, true)
  assert.equal(abandoned, 1)
  assert.equal(taken[1]?.call.gone, false)
  taken[0]?.answer('{"id":"a"}')
  taken[1]?.answer('{"id":"b"}')
  await session.idle()
  assert.equal(written.length, 2)
  assert.match(written[0] ?? '', /"progress":1/)
  assert.equal(written[1], '{"id":"b"}')
})

test('a number and a text are different ids, and odd cancellations change nothing', async () => {
  const { parts, taken } = stage()
  const session = createSession(parts)
  const odd = [{ requestId: '1' }, { requestId: null }, { requestId: [1] }, {}, undefined]
  const lines = odd.map(
    (params) => `${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params })}\n`,
  )
  await session.serve(chunks([request(1), ...lines, '{"method":"notifications/cancelled","params":7}\n']))
  assert.equal(taken.length, 1)
  assert.equal(taken[0]?.call.gone, false)
})

const UNANSWERED = [
  { jsonrpc: '2.0', method: 'notifications/initialized' },
  { jsonrpc: '2.0', method: 'tools/call', params: {} },
  { jsonrpc: '2.0', id: 4, result: {} },
  { jsonrpc: '2.0', id: 4, error: { code: 1, message: '' } },
]
const ANSWERED = [
  [{ jsonrpc: '2.0', method: 'a' }],
  7,
  null,
  { jsonrpc: '2.0', id: null, method: 'a' },
  { jsonrpc: '2.0', id: 5 },
  {},
]

test('notifications and responses are never answered, everything else is', async () => {
  const { parts, taken, written } = stage()
  const session = createSession(parts)
  await session.serve(chunks([...UNANSWERED, ...ANSWERED].map((body) => `${JSON.stringify(body)}\n`)))
  for (const [index, message] of taken.entries()) message.answer(`{"n":${index}}`)
  await session.idle()
  assert.deepEqual(
    written,
    ANSWERED.map((_, index) => `{"n":${UNANSWERED.length + index}}`),
  )
})

const FAULTS: [name: string, line: string | Buffer, code: string][] = [
  ['broken JSON', '{"a', 'json_malformed'],
  ['bytes that are no UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'json_malformed'],
  ['a byte order mark', '\ufeff{}', 'json_malformed'],
  ['a member twice', '{"id":1,"id":2}', 'json_not_exact'],
  ['a number that no double holds', '{"id":123456789012345678}', 'json_not_exact'],
  ['half a surrogate pair', '{"id":"\\ud800"}', 'json_not_exact'],
  ['nesting', '['.repeat(100) + ']'.repeat(100), 'json_not_exact'],
  ['a line over the limit', `"${'a'.repeat(2000)}"`, 'body_too_large'],
]

for (const [name, line, code] of FAULTS) {
  test(`${name} is refused, and the next line is read`, async () => {
    const { parts, taken } = stage()
    await createSession(parts).serve(chunks([line, '\n', request(1)]))
    assert.deepEqual(
      taken.map(({ fault }) => fault),
      [code, undefined],
    )
  })
}

test('empty lines are passed over, and a carriage return before the line feed is no fault', async () => {
  const { parts, taken } = stage()
  await createSession(parts).serve(chunks(['\n', '\r\n', ' \t\n', '{"id":1,"method":"a"}\r\n']))
  assert.equal(taken.length, 1)
  assert.equal(taken[0]?.fault, undefined)
})

test('a fault of ours is answered without its words', async () => {
  const { parts, taken, written, log } = stage()
  const session = createSession(parts)
  await session.serve(chunks([request('x')]))
  taken[0]?.fail()
  await session.idle()
  assert.deepEqual(JSON.parse(written[0] ?? ''), {
    jsonrpc: '2.0',
    id: 'x',
    error: { code: -32603, message: 'The service failed on this request.' },
  })
  assert.doesNotMatch(written.join() + log.join(), /secret/)
})

test('an event stream of the SDK becomes one line for each event', async () => {
  const { parts, taken, written } = stage()
  const session = createSession(parts)
  await session.serve(chunks([request(1, 'subscriptions/listen')]))
  const events = 'event: message\ndata: {"n":1}\n\n: keep-alive\n\nevent: message\ndata: {"n":2}\n\n'
  taken[0]?.answer(events, { 'content-type': 'text/event-stream' })
  await session.idle()
  assert.deepEqual(written, ['{"n":1}', '{"n":2}'])
})

test('later messages of the older era carry the revision that initialize settled on', async () => {
  const { parts, taken } = stage()
  const session = createSession(parts)
  async function* feed(): AsyncGenerator<Buffer> {
    yield Buffer.from(request(1, 'initialize'))
    await settled()
    taken[0]?.answer('{"result":{"protocolVersion":"2025-06-18"}}')
    await settled()
    yield Buffer.from(request(2))
  }
  await session.serve(feed())
  assert.equal(taken[1]?.call.message?.revision, '2025-06-18')
})
