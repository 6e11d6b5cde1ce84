// Event streams and callers that go away: when an answer is a stream, how it is kept open, and what a disconnect ends (mcp.md 6, 10.5).
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { memorySink, type RecordLine, recordsOf, startApp, type TestApp } from '../lib/app.ts'
import { type HeldBackend, startHeldBackend } from '../lib/held-backend.ts'
import { EXECUTE, type Message, modern, modernHeaders, PAYLOAD, request } from './lib/messages.ts'
import { createWire, messagesOf, type Wire } from './lib/wire.ts'

let backend: HeldBackend
let service: TestApp
let wire: Wire
/** Resolves with the next record of a kind, whether it has been written or not. */
let record: (type: RecordLine['type']) => Promise<RecordLine>
const outcome = async () => (await record('outcome')).outcome

function queue<T>(): { put(item: T): void; take(): Promise<T> } {
  const items: T[] = []
  const takers: ((item: T) => void)[] = []
  return {
    put(item) {
      const taker = takers.shift()
      if (taker === undefined) items.push(item)
      else taker(item)
    },
    take: () => {
      const item = items.shift()
      return item === undefined ? new Promise((resolve) => takers.push(resolve)) : Promise.resolve(item)
    },
  }
}

async function start(connections = 8): Promise<void> {
  backend = await startHeldBackend()
  const written = { decision: queue<RecordLine>(), outcome: queue<RecordLine>() }
  record = (type) => written[type].take()
  service = await startApp({
    backend: backend.url,
    config: { http: { keepAliveInterval: 2 }, backend: { url: backend.url, connections } },
    ports: {
      records: {
        ...memorySink([]),
        insert(before, after, pieceOf) {
          const line = before + pieceOf(Buffer.from(before + after)) + after
          for (const one of recordsOf([line])) written[one.type].put(one)
          return true
        },
      },
    },
  })
  wire = createWire(service.url)
}

beforeEach(() => start())
afterEach(async () => {
  wire.close()
  await backend.close()
  await service.close()
})

const DATA = { data: 'fetched', execution_time_ms: 1, request_id: 'req_1' }
const GENERATED = { payload: {}, meta: {} }
type Tool = typeof EXECUTE | typeof PAYLOAD
const inEra = (
  era: 'modern' | 'legacy',
  tool: Tool,
  meta: Message = {},
  headers: Record<string, string> = {},
) =>
  era === 'modern'
    ? {
        body: JSON.stringify(request('tools/call', modern(tool, meta))),
        headers: { ...modernHeaders('tools/call', tool.name), ...headers },
      }
    : { body: JSON.stringify(request('tools/call', { ...tool, _meta: meta })), headers }

describe('event streams', () => {
  for (const era of ['modern', 'legacy'] as const) {
    test(`${era}: a stream with progress, then the result, where the client asked`, async () => {
      const pending = wire.send(inEra(era, EXECUTE, { progressToken: 7 }))
      ;(await backend.next()).release(DATA)
      const received = await pending
      assert.equal(received.status, 200)
      assert.equal(received.headers['content-type'], 'text/event-stream')
      assert.equal(received.headers['cache-control'], 'no-cache, no-transform')
      assert.equal(received.headers['x-accel-buffering'], 'no')
      assert.ok(received.headers['x-request-id'])
      const [first, second, last, ...rest] = messagesOf(received) as Message[]
      assert.equal(rest.length, 0)
      for (const [index, notification] of [first, second].entries()) {
        assert.equal(notification?.['method'], 'notifications/progress')
        const params = notification?.['params'] as Message
        assert.equal(params['progressToken'], 7)
        assert.equal(params['progress'], index + 1)
        assert.equal(params['total'], 2)
      }
      assert.equal(last?.['id'], 1)
      const result = last?.['result'] as { content: { text: string }[] } | undefined
      assert.equal(result?.content[0]?.text, '"fetched"')
    })

    test(`${era}: JSON without a token, and without text/event-stream in Accept`, async () => {
      for (const sent of [
        inEra(era, EXECUTE),
        inEra(era, EXECUTE, { progressToken: 7 }, { accept: 'application/json' }),
        inEra(era, EXECUTE, { progressToken: 7 }, { accept: '*/*' }),
      ]) {
        const pending = wire.send(sent)
        ;(await backend.next()).release(DATA)
        const received = await pending
        assert.equal(received.headers['content-type'], 'application/json')
        assert.equal(messagesOf(received).length, 1)
      }
    })

    test(`${era}: a call that is refused before the backend is plain JSON`, async () => {
      const tool = { ...EXECUTE, arguments: { ...EXECUTE.arguments, method: 'nothing' } }
      const received = await wire.send(inEra(era, tool, { progressToken: 7 }))
      assert.equal(received.headers['content-type'], 'application/json')
    })

    test(`${era}: comments keep the stream open while the backend works`, async () => {
      const [response, held] = await Promise.all([
        once(wire.open(inEra(era, EXECUTE, { progressToken: 'p' })), 'response') as Promise<
          [IncomingMessage]
        >,
        backend.next(),
      ])
      let text = ''
      let released = false
      for await (const chunk of response[0].setEncoding('utf8')) {
        text += chunk
        if (!released && text.split(': keep-alive\n\n').length > 3) {
          released = true
          held.release(DATA)
        }
      }
      assert.ok(released)
      assert.match(text, /"result":\{"content"/)
    })
  }

  test('a progress token of another type makes the message invalid', async () => {
    for (const token of [1.5, null, {}, true]) {
      const received = await wire.send(inEra('legacy', EXECUTE, { progressToken: token }))
      assert.equal(received.status, 400)
      assert.equal((messagesOf(received)[0] as { error: { code: number } }).error.code, -32600)
    }
    assert.equal(backend.count(), 0)
  })
})

/** Resolves when the service has seen that the client is gone. */
function hangUp(client: ClientRequest, socket: Socket): Promise<unknown> {
  const gone = once(socket, 'close')
  client.on('error', () => undefined)
  client.destroy()
  // The response closes in the turn after its socket.
  return gone.then(() => new Promise((resolve) => setImmediate(resolve)))
}

async function callAndHold(era: 'modern' | 'legacy', tool: Tool, meta: Message = {}) {
  const connected = once(service.app.main, 'connection') as Promise<[Socket]>
  const client = wire.open(inEra(era, tool, meta))
  const [[socket], held] = await Promise.all([connected, backend.next()])
  return { client, socket, held }
}

describe('a caller that goes away', () => {
  for (const meta of [{}, { progressToken: 't' }]) {
    const form = 'progressToken' in meta ? 'stream' : 'JSON'

    test(`2026-07-28, ${form}: a generate call is given up`, async () => {
      const { client, socket, held } = await callAndHold('modern', PAYLOAD, meta)
      await hangUp(client, socket)
      await held.abandoned
      assert.equal((await outcome())?.status, 'cancelled')
    })

    test(`2026-07-28, ${form}: an execution that was sent runs to its end and is recorded`, async () => {
      const { client, socket, held } = await callAndHold('modern', EXECUTE, meta)
      await hangUp(client, socket)
      assert.equal(held.isAbandoned(), false)
      held.release(DATA)
      const ended = await outcome()
      assert.equal(ended?.status, 'executed')
      assert.equal(ended?.backendStatus, 200)
    })

    test(`before 2026-07-28, ${form}: nothing is given up`, async () => {
      for (const [tool, data] of [
        [PAYLOAD, GENERATED],
        [EXECUTE, DATA],
      ] as const) {
        const { client, socket, held } = await callAndHold('legacy', tool, meta)
        await hangUp(client, socket)
        assert.equal(held.isAbandoned(), false)
        held.release(data)
        assert.equal((await outcome())?.status, 'executed')
      }
    })
  }

  test('2026-07-28: an execution that was not yet sent is given up', async () => {
    await Promise.all([backend.close(), service.close()])
    wire.close()
    await start(1)
    const first = await callAndHold('modern', EXECUTE)
    await record('decision')
    // The only connection is taken: the second call is decided, and then waits for it.
    const connected = once(service.app.main, 'connection') as Promise<[Socket]>
    const second = wire.open(inEra('modern', EXECUTE))
    const [socket] = await connected
    await record('decision')
    await hangUp(second, socket)
    assert.equal((await outcome())?.status, 'cancelled')
    const answered = once(first.client, 'response') as Promise<[IncomingMessage]>
    first.held.release(DATA)
    const [response] = await answered
    await once(response.resume(), 'end')
    assert.equal((await outcome())?.status, 'executed')
    assert.equal(backend.count(), 1)
  })
})
