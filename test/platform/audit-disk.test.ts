// A disk that is full or read-only under the audit files, in both modes: a tmpfs that the test mounts.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { callTool, EXECUTE } from '../lib/calls.ts'
import { type Served, serve } from '../lib/serve.ts'
import { unless } from './lib/tools.ts'

interface Line {
  seq: number
  type: string
  hash: string
  prev?: string
  callId?: string
  decision?: { allowed: boolean }
  outcome?: { status: string; code?: string }
  lost?: { records: number }
}

const run = (program: string, ...args: string[]): void => {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  assert.equal(status, 0, stderr)
}

describe('the disk under the audit files', { skip: unless('root', 'mount', 'umount') }, () => {
  let emulator: Emulator
  let disk: string
  before(async () => {
    emulator = await startEmulator({})
    disk = fs.mkdtempSync(join(tmpdir(), 'ductape-mcp-disk-'))
    run('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk)
  })
  after(async () => {
    run('umount', disk)
    fs.rmdirSync(disk)
    await emulator.close()
  })

  const start = (mode: string, directory: string, more: object = {}): Promise<Served> =>
    serve({
      config: {
        backend: { url: emulator.url },
        audit: { mode, sink: { directory }, maxQueue: '64KiB', timeout: '300ms', fsync: 'always', ...more },
      },
    })
  const folder = (name: string): string => {
    const path = join(disk, name)
    fs.mkdirSync(path)
    return path
  }
  const fill = (): void => {
    const descriptor = fs.openSync(join(disk, 'filler'), 'w')
    assert.throws(
      () => {
        for (;;) fs.writeSync(descriptor, Buffer.alloc(4096, 1))
      },
      { code: 'ENOSPC' },
    )
    fs.closeSync(descriptor)
  }
  const empty = (): void => fs.rmSync(join(disk, 'filler'))
  const linesOf = (directory: string): Line[] => {
    const lines = fs
      .readdirSync(directory)
      .flatMap((name) => fs.readFileSync(join(directory, name), 'utf8').trimEnd().split('\n'))
      .map((line) => JSON.parse(line) as Line)
    for (const [i, line] of lines.entries()) {
      assert.equal(line.seq, i)
      assert.equal(line.prev, lines[i - 1]?.hash)
    }
    return lines
  }
  const call = async (service: Served): Promise<string> =>
    JSON.stringify(await callTool(service.url, 'ductape_execute', EXECUTE))
  const refused = /audit_unavailable/
  const until = async (look: () => Promise<boolean>): Promise<void> => {
    const end = performance.now() + 30_000
    while (!(await look())) {
      assert.ok(performance.now() < end, 'it did not come')
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  test('full, strict: calls are refused, have no effect and are all in the chain; with room they are served again', async () => {
    const directory = folder('strict')
    const service = await start('strict', directory)
    try {
      assert.doesNotMatch(await call(service), refused)
      fill()
      // The file has a page of its own left.
      await until(async () => refused.test(await call(service)))
      const asked = emulator.stats.requests.execute
      for (let i = 0; i < 100; i++) assert.match(await call(service), refused)
      assert.equal(emulator.stats.requests.execute, asked)
      assert.match(service.stderr(), /"event":"audit_sink_failed","reason":"ENOSPC"/)
      empty()
      await until(async () => !refused.test(await call(service)))
      service.child.kill('SIGTERM')
      assert.deepEqual(await service.exit, { code: 0, signal: null }, service.stderr())
      const lines = linesOf(directory)
      assert.deepEqual(
        lines.filter(({ lost }) => lost !== undefined),
        [],
      )
      const executed = lines.filter(({ outcome }) => outcome?.status === 'executed').length
      assert.equal(executed, emulator.stats.requests.execute, 'every effect has its records')
      const outcomes = new Set(
        lines.filter(({ outcome }) => outcome !== undefined).map(({ callId }) => callId),
      )
      for (const { decision, callId } of lines) if (decision?.allowed) assert.ok(outcomes.has(callId))
    } finally {
      service.child.kill('SIGKILL')
    }
  })

  test('full, best-effort: calls go on, and the chain says how many records are missing', async () => {
    const directory = folder('best-effort')
    const service = await start('best-effort', directory)
    try {
      fill()
      for (let i = 0; i < 150; i++) assert.doesNotMatch(await call(service), refused)
      empty()
      await until(async () => {
        await call(service)
        return /"event":"audit_records_again"/.test(service.stderr())
      })
      service.child.kill('SIGTERM')
      assert.deepEqual(await service.exit, { code: 0, signal: null }, service.stderr())
      assert.ok(linesOf(directory).some(({ lost }) => (lost?.records ?? 0) > 0))
    } finally {
      service.child.kill('SIGKILL')
    }
  })

  test('read-only at the start: strict does not start; best-effort does, and writes when it can', async () => {
    const directory = folder('read-only')
    run('mount', '-o', 'remount,ro', disk)
    try {
      await assert.rejects(start('strict', directory), /EROFS.*audit\.mode is strict/s)
      const service = await start('best-effort', directory)
      try {
        assert.doesNotMatch(await call(service), refused)
        assert.match(service.stderr(), /"event":"audit_sink_failed","reason":"EROFS"/)
        run('mount', '-o', 'remount,rw', disk)
        await until(async () => /"event":"audit_sink_again"/.test(service.stderr()))
        service.child.kill('SIGTERM')
        assert.deepEqual(await service.exit, { code: 0, signal: null }, service.stderr())
        assert.ok(linesOf(directory).some(({ outcome }) => outcome?.status === 'executed'))
      } finally {
        service.child.kill('SIGKILL')
      }
    } finally {
      run('mount', '-o', 'remount,rw', disk)
    }
  })

  test('under the events of OCSF: full, then read-only, and strict calls go on; with room they are written again', async () => {
    const directory = folder('ocsf')
    const records = fs.mkdtempSync(join(tmpdir(), 'ductape-mcp-records-'))
    // Their own disk is a real one, and may be busy.
    const others = { fsync: 'off', timeout: '20s' }
    const service = await start('strict', records, { ...others, ocsf: { directory } })
    const told = (event: string): number => service.stderr().split(`"event":"${event}"`).length - 1
    try {
      fill()
      await until(async () => {
        assert.doesNotMatch(await call(service), refused)
        return told('audit_ocsf_failed') === 1
      })
      assert.match(service.stderr(), /"event":"audit_ocsf_failed","reason":"ENOSPC"/)
      for (let i = 0; i < 100; i++) assert.doesNotMatch(await call(service), refused)
      empty()
      await until(async () => told('audit_ocsf_again') === 1)
      service.child.kill('SIGTERM')
      assert.deepEqual(await service.exit, { code: 0, signal: null }, service.stderr())
      const count = (text: string): number => text.split('\n').length - 1
      const text = (from: string): string =>
        fs
          .readdirSync(from)
          .map((name) => fs.readFileSync(join(from, name), 'utf8'))
          .join('')
      const events = text(directory)
      for (const line of events.trimEnd().split('\n')) JSON.parse(line)
      const kept = text(records)
        .split('\n')
        .filter((line) => /"type":"(?:decision|outcome)"/.test(line))
      assert.equal(count(events), kept.length, 'none was lost in the queue, none is torn')
      run('mount', '-o', 'remount,ro', disk)
      const again = await start('strict', records, { ...others, ocsf: { directory } })
      try {
        assert.doesNotMatch(await call(again), refused)
        assert.match(again.stderr(), /"event":"audit_ocsf_failed","reason":"EROFS"/)
        again.child.kill('SIGTERM')
        assert.deepEqual(await again.exit, { code: 0, signal: null }, again.stderr())
      } finally {
        again.child.kill('SIGKILL')
      }
    } finally {
      service.child.kill('SIGKILL')
      run('mount', '-o', 'remount,rw', disk)
      fs.rmSync(records, { recursive: true })
    }
  })
})
