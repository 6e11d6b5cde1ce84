// A crash in the middle of a call says what kind of error it was: not its text, not its stack, and nothing of the call that was under way.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startEmulator } from '../../src/emulator/index.ts'
import { EXECUTE, toolCall } from '../lib/calls.ts'
import { serve } from '../lib/serve.ts'
import { findKeys } from './lib/canary.ts'
import { makeKey } from './lib/canary-requests.ts'

const thrower = (key: string, how: string): string =>
  `data:text/javascript,${encodeURIComponent(
    `process.on('SIGUSR2', () => { const error = new TypeError('${key}', { cause: '${key}' }); ${how} })`,
  )}`

for (const [event, how] of [
  ['uncaughtException', 'throw error'],
  ['unhandledRejection', 'Promise.reject(error)'],
] as const)
  test(`${event}: no key in log, records or files`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-crash-'))
    const emulator = await startEmulator()
    const thrown = { place: 'the error', key: makeKey() }
    const held = { place: 'the call under way', key: makeKey() }
    const service = await serve({
      cwd: folder,
      config: { backend: { url: emulator.url }, http: { drainTimeout: '1s' } },
      env: { NODE_OPTIONS: `--import=${thrower(thrown.key, how)}` },
    })
    try {
      emulator.faults.next({ kind: 'hang' })
      const call = fetch(`${service.url}/mcp`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
        body: toolCall('ductape_execute', { ...EXECUTE, publishable_key: held.key }),
      }).catch(() => undefined)
      while (emulator.stats.requests.execute !== 1) await new Promise((done) => setImmediate(done))
      service.child.kill('SIGUSR2')
      assert.deepEqual(await service.exit, { code: 1, signal: null })
      await call
      assert.match(service.stderr(), new RegExp(`"event":"crash","kind":"${event}","name":"TypeError"`))
      assert.match(service.stdout(), /"type":"decision"/)
      const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'))
      for (const text of [service.stderr(), service.stdout(), ...files])
        assert.deepEqual(findKeys(text, [thrown, held]), [])
      assert.deepEqual(readdirSync(folder), [], 'no report, no dump')
    } finally {
      service.child.kill('SIGKILL')
      await emulator.close()
      rmSync(folder, { recursive: true, force: true })
    }
  })
