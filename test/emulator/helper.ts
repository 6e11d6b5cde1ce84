// Starts an emulator with a settable clock and counted randomness, and speaks its two endpoints for the tests.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { DEMO, type Emulator, type EmulatorOptions, startEmulator } from '../../src/emulator/index.ts'

export const DEMO_KEY = DEMO.main.publishableKey
export const OTHER_KEY = DEMO.other.publishableKey
export const PRODUCT = 'ductape:my-product'
export const PLACE = { product: PRODUCT, env: 'prd' }
export const DB = { ...PLACE, database: 'main-db' }

export interface Reply {
  status: number
  body: { status: boolean; data?: { data?: unknown; request_id: string }; message?: string; code?: string }
}

export interface Bench {
  emulator: Emulator
  clock: { now: number }
  send(module: string, method: string, params?: unknown[], key?: string): Promise<Reply>
  // biome-ignore lint/suspicious/noExplicitAny: results of forty shapes are read member by member in assertions
  ok(module: string, method: string, ...params: unknown[]): Promise<any>
  fails(code: string, module: string, method: string, ...params: unknown[]): Promise<string>
}

export function countedRandom(): (bytes: number) => Buffer {
  let count = 0
  return (bytes) => {
    const pieces: Buffer[] = []
    for (let size = 0; size < bytes; size += 32) {
      pieces.push(createHash('sha256').update(`random ${count++}`).digest())
    }
    return Buffer.concat(pieces).subarray(0, bytes)
  }
}

export async function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Reply> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    redirect: 'manual',
  })
  return { status: response.status, body: (await response.json()) as Reply['body'] }
}

export async function open(options: EmulatorOptions = {}): Promise<Bench> {
  const clock = { now: Date.parse('2026-02-01T12:00:00.000Z') }
  const emulator = await startEmulator({ now: () => clock.now, random: countedRandom(), ...options })
  const execute = `${emulator.url}/proxy/v1/sdk-proxy/execute`
  const send: Bench['send'] = (module, method, params = [], key = DEMO_KEY) =>
    post(execute, { module, method, params }, { 'x-publishable-key': key })
  return {
    emulator,
    clock,
    send,
    async ok(module, method, ...params) {
      const { status, body } = await send(module, method, params)
      assert.equal(status, 200, `${module}.${method}: ${JSON.stringify(body)}`)
      assert.equal(body.status, true, `${module}.${method}: ${JSON.stringify(body)}`)
      return body.data?.data
    },
    async fails(code, module, method, ...params) {
      const { status, body } = await send(module, method, params)
      assert.ok(status < 500, `${module}.${method}: ${JSON.stringify(body)}`)
      assert.equal(body.status, false, `${module}.${method}: ${JSON.stringify(body)}`)
      assert.equal(body.code, code, `${module}.${method}: ${JSON.stringify(body)}`)
      return body.message ?? ''
    },
  }
}
