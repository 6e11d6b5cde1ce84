// What is sent to the collector and what becomes of it: sampling by the standard variables, and a collector that is away, silent or refuses.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { type Emulator, type Observed, startEmulator } from '../../src/emulator/index.ts'
import { EXECUTE, toolCall } from '../lib/calls.ts'
import { openOtlpSink } from '../lib/otlp.ts'
import { freePort, listenLocal } from '../lib/ports.ts'
import { type Served, serve } from '../lib/serve.ts'

let emulator: Emulator
const seen: Observed[] = []
before(async () => {
  emulator = await startEmulator({ observe: (request) => seen.push(request) })
})
after(() => emulator.close())

const start = (env: Record<string, string>): Promise<Served> =>
  serve({ config: { backend: { url: emulator.url } }, env: { OTEL_BSP_SCHEDULE_DELAY: '20', ...env } })

async function call(service: Served, traceparent?: string): Promise<number> {
  const response = await fetch(`${service.url}/mcp`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(traceparent !== undefined && { traceparent }),
    },
    body: toolCall('ductape_execute', EXECUTE),
  })
  await response.arrayBuffer()
  return response.status
}

async function stop(service: Served): Promise<void> {
  service.child.kill('SIGTERM')
  assert.deepEqual(await service.exit, { code: 0, signal: null })
}

async function spansOf(service: Served): Promise<Record<string, number>> {
  const text = await (await fetch(`${service.ops}/metrics`)).text()
  return Object.fromEntries(
    [...text.matchAll(/^ductape_mcp_spans_total\{outcome="(\w+)"\} (\d+)$/gm)].map(([, outcome, count]) => [
      outcome,
      Number(count),
    ]),
  ) as Record<string, number>
}

/** Looks again until it fits; the deadline is the test's. */
async function until(fits: () => Promise<boolean>): Promise<void> {
  while (!(await fits())) await new Promise((done) => setImmediate(done))
}

describe('sampling', () => {
  // The sampler adds up the four parts of the id, so that these two are at its ends.
  const low = `00-${'0'.repeat(31)}1-${'6'.repeat(16)}-01`
  const high = `00-${'f'.repeat(8)}${'0'.repeat(24)}-${'6'.repeat(16)}-01`
  const unsampled = `${low.slice(0, -2)}00`
  for (const [name, env, expected] of [
    ['none is said: the caller is followed', {}, { low: true, high: true, unsampled: false, none: true }],
    [
      'always_off',
      { OTEL_TRACES_SAMPLER: 'always_off' },
      { low: false, high: false, unsampled: false, none: false },
    ],
    [
      'traceidratio 0.5',
      { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.5' },
      { low: true, high: false, unsampled: true, none: undefined },
    ],
    [
      'parentbased_traceidratio 0',
      { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0' },
      { low: true, high: true, unsampled: false, none: false },
    ],
  ] as const) {
    test(name, async () => {
      const sink = await openOtlpSink()
      const service = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, ...env })
      try {
        for (const [kind, traceparent] of Object.entries({ low, high, unsampled, none: undefined })) {
          assert.equal(await call(service, traceparent), 200)
          const sent = String(seen.at(-1)?.headers['traceparent'])
          assert.match(sent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/)
          if (traceparent !== undefined) assert.equal(sent.slice(0, 35), traceparent.slice(0, 35))
          const sampled = expected[kind as keyof typeof expected]
          if (sampled !== undefined) assert.equal(sent.endsWith('1'), sampled, kind)
        }
      } finally {
        // The end of the process sends what is left.
        await stop(service)
        sink.close()
      }
      const definite = Object.values(expected).filter((sampled) => sampled === true).length
      const servers = sink.spans.filter(({ kind }) => kind === 2).length
      assert.ok(servers === definite || (expected.none === undefined && servers === definite + 1))
      assert.equal(sink.spans.length, 2 * servers, 'each with the span of its backend call')
    })
  }
})

describe('a collector that takes nothing', () => {
  const records = (service: Served): number =>
    service.stdout().match(/"type":"(decision|outcome)"/g)?.length ?? 0

  test('is away: spans are counted as failed, and nothing else is lost', async () => {
    const service = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await freePort()}`,
      OTEL_EXPORTER_OTLP_TIMEOUT: '200',
    })
    for (let i = 0; i < 20; i++) assert.equal(await call(service), 200)
    await until(async () => (await spansOf(service))['failed'] === 40)
    await stop(service)
    assert.equal(records(service), 40)
  })

  test('refuses: the same', async () => {
    const server = createServer((request, response) => {
      request.resume()
      response.writeHead(400).end()
    })
    const service = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await listenLocal(server)}`,
    })
    assert.equal(await call(service), 200)
    await until(async () => (await spansOf(service))['failed'] === 2)
    assert.equal((await spansOf(service))['sent'], 0)
    await stop(service)
    server.close()
  })

  test('is silent: the queue is bounded, what is over it is counted, and the exit is not held', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const service = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
      OTEL_BSP_MAX_QUEUE_SIZE: '16',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '16',
    })
    try {
      for (let i = 0; i < 40; i++) assert.equal(await call(service), 200)
      const { sent, failed, dropped } = await spansOf(service)
      assert.deepEqual({ sent, failed, dropped }, { sent: 0, failed: 0, dropped: 80 - 16 })
      const started = performance.now()
      await stop(service)
      assert.ok(performance.now() - started < 5000)
      assert.equal(records(service), 80)
    } finally {
      silent.closeAllConnections()
      silent.close()
    }
  })

  test('takes them: all are sent, and the last ones at the end', async () => {
    const sink = await openOtlpSink()
    const service = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_BSP_SCHEDULE_DELAY: '3600000',
    })
    for (let i = 0; i < 5; i++) assert.equal(await call(service), 200)
    assert.deepEqual(await spansOf(service), { sent: 0, failed: 0, dropped: 0 })
    assert.equal(sink.spans.length, 0)
    await stop(service)
    assert.equal(sink.spans.length, 10)
    sink.close()
  })
})
