// The end of a service: SIGTERM lets calls in flight finish, takes no others, and nobody who reads the records slowly can hold the exit.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Agent, request as send } from 'undici'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import type { RecordLine } from '../lib/app.ts'
import { callTool, EXECUTE, toolCall } from '../lib/calls.ts'
import { open, request } from '../lib/raw.ts'
import { type Served, serve } from '../lib/serve.ts'

const FLUSH_LIMIT = 2000

const recordsOf = (service: Served): RecordLine[] =>
  service
    .stdout()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RecordLine)

/** Waits for a condition of another process: asked again with every answer, never by the clock. */
async function until(look: () => Promise<boolean>): Promise<void> {
  while (!(await look())) await new Promise((resolve) => setImmediate(resolve))
}

describe('drain', () => {
  let emulator: Emulator
  before(async () => {
    emulator = await startEmulator()
  })
  after(() => emulator.close())

  const config = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
    backend: { url: emulator.url },
    http: { drainTimeout: '10s' },
    ...more,
  })
  const asked = (): number => emulator.stats.requests.execute

  test('SIGTERM: the call in flight finishes, a new connection is refused, /readyz says so, exit 0', async () => {
    const service = await serve({ config: config() })
    const idle = await open(service.url)
    idle.send(request('GET /v1/tools'))
    assert.equal((await idle.answer()).status, 200)
    emulator.faults.next({ kind: 'latency', ms: 1500 })
    const before = asked()
    const call = callTool(service.url, 'ductape_execute', EXECUTE)
    await until(async () => asked() > before)

    service.child.kill('SIGTERM')
    const readyz = async (): Promise<number> => (await send(`${service.ops}/readyz`)).statusCode
    await until(async () => (await readyz()) === 503)
    await assert.rejects(open(service.url), { code: 'ECONNREFUSED' })
    // A connection from before is told that it is over.
    idle.send(request('POST /mcp', [], toolCall('ductape_execute', EXECUTE)))
    const late = await idle.answer()
    assert.equal(late.status, 503)
    assert.equal(late.headers['retry-after'], '1')
    assert.equal(late.headers['connection'], 'close')
    assert.equal(await idle.closed, '')

    const answer = await call
    assert.equal(answer.isError, undefined, JSON.stringify(answer))
    assert.deepEqual(await service.exit, { code: 0, signal: null })
    assert.deepEqual(
      recordsOf(service)
        .map((record) => record.decision?.code ?? record.type)
        .filter((what) => what !== 'checkpoint'),
      ['open', 'decision', 'draining', 'outcome', 'close'],
    )
    assert.match(service.stderr(), /"event":"stopped","unfinished":0/)
  })

  test('an answer that is still being written is written to its end', async () => {
    const service = await serve({ config: config({ response: { maxResult: '8MiB' } }) })
    emulator.faults.next({ kind: 'giant', bytes: 5_000_000 })
    const connection = await open(service.url)
    connection.socket.pause()
    connection.send(request('POST /mcp', [], toolCall('ductape_execute', EXECUTE)))
    await until(async () => recordsOf(service).some((record) => record.type === 'outcome'))
    service.child.kill('SIGTERM')
    await until(async () => /"event":"draining"/.test(service.stderr()))
    connection.socket.resume()
    const answer = await connection.answer()
    assert.equal(answer.status, 200)
    assert.ok(answer.body.length > 5_000_000)
    assert.deepEqual(await service.exit, { code: 0, signal: null })
  })

  test('a call that does not finish in time is cut off, and the exit code says so', async () => {
    const service = await serve({ config: config({ http: { drainTimeout: '200ms' } }) })
    emulator.faults.next({ kind: 'hang' })
    const before = asked()
    const call = callTool(service.url, 'ductape_execute', EXECUTE).catch((error: unknown) => error)
    await until(async () => asked() > before)
    service.child.kill('SIGTERM')
    assert.ok((await call) instanceof Error)
    assert.deepEqual(await service.exit, { code: 1, signal: null })
    assert.match(service.stderr(), /"event":"stopped","unfinished":1/)
  })

  test('a second signal ends it at once', async () => {
    const service = await serve({ config: config() })
    emulator.faults.next({ kind: 'hang' })
    const before = asked()
    const call = callTool(service.url, 'ductape_execute', EXECUTE).catch((error: unknown) => error)
    await until(async () => asked() > before)
    service.child.kill('SIGTERM')
    await until(async () => /"event":"draining"/.test(service.stderr()))
    service.child.kill('SIGTERM')
    assert.deepEqual(await service.exit, { code: 1, signal: null })
    assert.ok((await call) instanceof Error)
  })

  test('a full pipe that nobody reads does not hold the exit', async () => {
    const fifo = join(fs.mkdtempSync(join(tmpdir(), 'ductape-mcp-fifo-')), 'records')
    spawnSync('mkfifo', [fifo])
    const { O_RDONLY, O_WRONLY, O_NONBLOCK } = fs.constants
    const reader = fs.openSync(fifo, O_RDONLY | O_NONBLOCK)
    const filler = fs.openSync(fifo, O_WRONLY | O_NONBLOCK)
    assert.throws(
      () => {
        for (;;) fs.writeSync(filler, Buffer.alloc(4096, 0x0a))
      },
      { code: 'EAGAIN' },
    )
    const writer = fs.openSync(fifo, O_WRONLY)
    try {
      const service = await serve({ config: config(), stdout: writer })
      for (let i = 0; i < 5; i++) await callTool(service.url, 'ductape_execute', EXECUTE)
      // What is loaded now must not trip over the pipe either.
      const listing = await fetch(`${service.url}/v1/tools`)
      assert.equal(listing.status, 200, await listing.text())
      const { body } = await send(`${service.ops}/metrics`)
      const pending = /^ductape_mcp_audit_queue_bytes (\d+)$/m.exec(await body.text())?.[1]
      assert.ok(Number(pending) > 0, `nothing is held up: ${pending}`)
      const start = performance.now()
      service.child.kill('SIGTERM')
      const exit = await service.exit
      const took = performance.now() - start
      assert.deepEqual(exit, { code: 1, signal: null }, 'records were lost, so it is no clean end')
      assert.ok(took < FLUSH_LIMIT + 3000, `it took ${Math.round(took)} ms`)
    } finally {
      for (const descriptor of [reader, filler, writer]) fs.closeSync(descriptor)
      fs.rmSync(join(fifo, '..'), { recursive: true })
    }
  })

  test('a reader of the records that goes away does not end the service', async () => {
    const service = await serve({ config: config() })
    await callTool(service.url, 'ductape_execute', EXECUTE)
    service.child.stdout?.destroy()
    await until(async () => {
      await callTool(service.url, 'ductape_execute', EXECUTE)
      return /"event":"audit_sink_failed","reason":"EPIPE"/.test(service.stderr())
    })
    assert.equal((await callTool(service.url, 'ductape_execute', EXECUTE)).isError, undefined)
    const { body } = await send(`${service.ops}/metrics`)
    assert.match(await body.text(), /^ductape_mcp_audit_sink_failing 1/m)
    service.child.kill('SIGTERM')
    assert.deepEqual(
      await service.exit,
      { code: 1, signal: null },
      'records were lost, so it is no clean end',
    )
  })

  test('SIGINT is the same, and nothing in flight means an end at once', async () => {
    const service = await serve({ config: config() })
    // A client that only keeps its connection open is no call in flight.
    const agent = new Agent({ connections: 1 })
    const { body } = await send(`${service.url}/v1/tools`, { dispatcher: agent })
    await body.dump()
    service.child.kill('SIGINT')
    assert.deepEqual(await service.exit, { code: 0, signal: null })
    await agent.destroy()
  })
})
