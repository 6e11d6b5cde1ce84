// Both modes in a running service whose records nobody reads: what calls get, what /readyz and the metrics say, and what is in the chain when the reader comes back.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { callTool, EXECUTE } from '../lib/calls.ts'
import { type Served, serve } from '../lib/serve.ts'

const { O_RDONLY, O_WRONLY, O_NONBLOCK } = fs.constants

let emulator: Emulator
let directory: string
before(async () => {
  emulator = await startEmulator({})
  directory = fs.mkdtempSync(join(tmpdir(), 'ductape-mcp-modes-'))
})
after(async () => {
  await emulator.close()
  fs.rmSync(directory, { recursive: true })
})

interface Line {
  seq: number
  type: string
  callId?: string
  hash: string
  prev?: string
  decision?: { allowed: boolean; code?: string }
  outcome?: { status: string; code?: string }
  lost?: { records: number }
}

/** A service whose standard output is a full pipe; `read` begins to read it, past what filled it. */
async function stalled(mode: string): Promise<{ service: Served; read(): () => Line[]; close(): void }> {
  const path = join(directory, mode)
  assert.equal(spawnSync('mkfifo', [path]).status, 0)
  const reader = fs.openSync(path, O_RDONLY | O_NONBLOCK)
  const writer = fs.openSync(path, O_WRONLY | O_NONBLOCK)
  const full = Buffer.alloc(4096, 0x0a)
  assert.throws(
    () => {
      for (;;) fs.writeSync(writer, full)
    },
    { code: 'EAGAIN' },
  )
  const service = await serve({
    config: { backend: { url: emulator.url }, audit: { mode, maxQueue: '64KiB', timeout: '300ms' } },
    stdout: writer,
  })
  fs.closeSync(writer)
  let socket: Socket | undefined
  return {
    service,
    read() {
      let text = ''
      socket = new Socket({ fd: reader, readable: true, writable: false })
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      return () =>
        text
          .split('\n')
          .slice(0, -1)
          .filter((line) => line !== '')
          .map((line) => JSON.parse(line) as Line)
    },
    close: () => (socket === undefined ? fs.closeSync(reader) : void socket.destroy()),
  }
}

const DEADLINE = 20_000
async function until(look: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + DEADLINE
  while (!(await look())) {
    assert.ok(performance.now() < end, 'it did not come')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

const readyz = async (service: Served): Promise<{ status: number; text: string }> => {
  const answer = await fetch(`${service.ops}/readyz`)
  return { status: answer.status, text: await answer.text() }
}
const metric = async (service: Served, name: string): Promise<number> => {
  const text = await (await fetch(`${service.ops}/metrics`)).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
}

function linked(lines: readonly Line[]): void {
  for (const [i, line] of lines.entries()) {
    assert.equal(line.seq, i)
    assert.equal(line.prev, lines[i - 1]?.hash)
  }
}

describe('records that nobody reads', () => {
  test('strict: calls are refused and have no effect; all of it is in the chain later, and calls are served again', async () => {
    const { service, read, close } = await stalled('strict')
    try {
      const asked = emulator.stats.requests.execute
      const refused = await callTool(service.url, 'ductape_execute', EXECUTE)
      assert.match(JSON.stringify(refused), /audit_unavailable/)
      await until(async () => (await readyz(service)).status === 503)
      assert.match((await readyz(service)).text, /audit records cannot be written \(stalled\)/)
      // More than the queue holds: from then on not even the decision is recorded, and still nothing happens.
      for (let i = 0; i < 100; i++)
        assert.match(
          JSON.stringify(await callTool(service.url, 'ductape_execute', EXECUTE)),
          /audit_unavailable/,
        )
      assert.equal(emulator.stats.requests.execute, asked, 'nothing reached the backend')

      const lines = read()
      await until(async () => (await readyz(service)).status === 200)
      const good = await callTool(service.url, 'ductape_execute', EXECUTE)
      assert.equal(good.isError, undefined, JSON.stringify(good))
      service.child.kill('SIGTERM')
      assert.deepEqual(await service.exit, { code: 0, signal: null }, service.stderr())
      await until(() => lines().some(({ type }) => type === 'close'))
      linked(lines())
      const allowed = lines().filter(({ decision }) => decision?.allowed)
      const ended = new Map(
        lines().flatMap(({ callId, outcome }) => (outcome === undefined ? [] : [[callId, outcome]])),
      )
      assert.ok(allowed.length > 1)
      const codes = allowed.map(({ callId }) => ended.get(callId)?.code ?? ended.get(callId)?.status)
      assert.equal(codes.pop(), 'executed')
      assert.deepEqual(new Set(codes), new Set(['audit_unavailable']))
      assert.deepEqual(
        lines().filter(({ lost }) => lost !== undefined),
        [],
      )
    } finally {
      service.child.kill('SIGKILL')
      close()
    }
  })

  test('best-effort: calls go on; what found no room is counted, and told in the chain', async () => {
    const { service, read, close } = await stalled('best-effort')
    try {
      for (let i = 0; i < 100; i++) {
        const answer = await callTool(service.url, 'ductape_execute', EXECUTE)
        assert.equal(answer.isError, undefined, JSON.stringify(answer))
      }
      assert.equal((await readyz(service)).status, 200)
      const lost = await metric(service, 'ductape_mcp_audit_lines_lost_total')
      assert.ok(lost > 0)
      await until(async () => (await metric(service, 'ductape_mcp_audit_sink_failing')) === 1)
      assert.match((await readyz(service)).text, /audit records cannot be written/)

      const lines = read()
      await until(() => lines().some(({ type }) => type === 'lost'))
      assert.equal(await metric(service, 'ductape_mcp_audit_sink_failing'), 0)
      service.child.kill('SIGTERM')
      assert.deepEqual(await service.exit, { code: 0, signal: null }, service.stderr())
      await until(() => lines().some(({ type }) => type === 'close'))
      linked(lines())
      const count = (type: string): number => lines().filter((line) => line.type === type).length
      const told = lines().reduce((sum, line) => sum + (line.lost?.records ?? 0), 0)
      assert.equal(count('decision') + count('outcome') + told, 200)
      assert.equal(told, lost)
    } finally {
      service.child.kill('SIGKILL')
      close()
    }
  })
})
