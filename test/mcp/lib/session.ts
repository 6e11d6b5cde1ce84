// The service and a wire to it for one test file: started before its tests, closed after them.
import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { startApp, type TestApp } from '../../lib/app.ts'
import type { Message } from './messages.ts'
import { createWire, messagesOf, type Received, type Wire } from './wire.ts'

export interface Answer {
  result?: Message & { content?: { text: string }[]; isError?: boolean; _meta?: Message }
  error?: { code: number; message: string; data?: Message }
  id?: unknown
}

export interface Session {
  service(): TestApp
  wire(): Wire
  /** Posts a body to /mcp: a value as its JSON, a text as it is. */
  post(body: unknown, headers?: Record<string, string | null>): Promise<Received>
}

export function useService(): Session {
  let service: TestApp | undefined
  let wire: Wire | undefined
  before(async () => {
    service = await startApp()
    wire = createWire(service.url)
  })
  after(async () => {
    wire?.close()
    await service?.close()
  })
  const started = <T>(part: T | undefined): T => {
    assert.ok(part !== undefined, 'the service has not been started')
    return part
  }
  return {
    service: () => started(service),
    wire: () => started(wire),
    post: (body, headers = {}) =>
      started(wire).send({ body: typeof body === 'string' ? body : JSON.stringify(body), headers }),
  }
}

/** The one message of an answer. */
export function only(received: Received): Answer {
  const [message, ...rest] = messagesOf(received)
  assert.equal(rest.length, 0)
  return message as Answer
}
