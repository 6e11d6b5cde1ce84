// The metrics: names and labels as published, label values from closed sets only, counts that agree with the calls.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { METRICS_PATH } from '../../scripts/generate/metrics.ts'
import { readCommitted } from '../../scripts/generate.ts'
import { openCall } from '../../src/core/call.ts'
import { DENIALS, type DenialCode } from '../../src/core/denials.ts'
import { MCP_METHODS } from '../../src/core/methods.ts'
import { LOCAL } from '../../src/identity/index.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { startApp, type TestApp } from '../lib/app.ts'
import { callRest, callTool, EXECUTE, GENERATE, KEY, toolCall } from '../lib/calls.ts'
import { RUNTIME } from '../lib/runtime.ts'

interface Sample {
  name: string
  labels: Record<string, string>
  value: number
}

async function scrape(service: TestApp): Promise<{ text: string; samples: Sample[] }> {
  if (!service.app.ops.listening) {
    service.app.ops.listen(0, '127.0.0.1')
    await once(service.app.ops, 'listening')
  }
  const { port } = service.app.ops.address() as AddressInfo
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const samples = [...text.matchAll(/^([a-z_]+)(?:\{(.*)\})? (\S+)$/gm)].map(
    ([, name = '', labels = '', value]): Sample => ({
      name,
      labels: Object.fromEntries(
        [...labels.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, label]) => [key, label]),
      ) as Record<string, string>,
      value: Number(value),
    }),
  )
  return { text, samples }
}

const post = (url: string, body: string): Promise<Response> =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })

describe('metrics', () => {
  test('every way to end is counted once, by its code and stage', async () => {
    const service = await startApp()
    try {
      await callTool(service.url, 'ductape_execute', EXECUTE)
      await callTool(service.url, 'ductape_execute', EXECUTE)
      await callTool(service.url, 'ductape_generate_payload', GENERATE)
      await callRest(service.url, 'ductape_execute', EXECUTE)
      await callTool(service.url, 'ductape_execute', {})
      service.emulator?.faults.next({ kind: 'status-false', message: 'no' })
      await callTool(service.url, 'ductape_execute', EXECUTE)
      await post(service.mcp, '{')
      await post(service.mcp, '{"jsonrpc":"2.0","id":1,"method":"tools/list"}')
      await fetch(`${service.url}/nothing`)
      const { samples } = await scrape(service)
      const decisions = samples
        .filter(({ name }) => name === 'ductape_mcp_decisions_total')
        .map(({ labels, value }) => `${labels['code']} ${labels['stage']} ${value}`)
      assert.deepEqual(decisions.sort(), [
        'backend_failed backend 1',
        'json_malformed protocol 1',
        'not_authenticated validate 1',
        'ok  5',
        'path_unknown transport 1',
      ])
      const counts = samples
        .filter(({ name }) => name === 'mcp_server_operation_duration_seconds_count')
        .map(({ labels, value }) =>
          [labels['mcp_method_name'], labels['gen_ai_tool_name'], labels['error_type'], value].join('|'),
        )
      assert.deepEqual(counts.sort(), [
        'none||json_malformed|1',
        'none||path_unknown|1',
        'rest|ductape_execute||1',
        'tools/call|ductape_execute|backend_failed|1',
        'tools/call|ductape_execute|not_authenticated|1',
        'tools/call|ductape_execute||2',
        'tools/call|ductape_generate_payload||1',
        'tools/list|||1',
      ])
      const written = samples.find(({ name }) => name === 'ductape_mcp_audit_lines_written')
      assert.equal(written?.value, service.chain().length)
      assert.equal(samples.find(({ name }) => name === 'ductape_mcp_calls_in_flight')?.value, 0)
    } finally {
      await service.close()
    }
  })

  test('a count grows from scrape to scrape and never twice', async () => {
    const service = await startApp()
    try {
      for (const expected of [1, 2, 3]) {
        await callTool(service.url, 'ductape_execute', EXECUTE)
        const { samples } = await scrape(service)
        const value = (name: string): number | undefined =>
          samples.find((sample) => sample.name === name)?.value
        assert.equal(value('ductape_mcp_decisions_total'), expected)
        assert.equal(value('mcp_server_operation_duration_seconds_count'), expected)
      }
    } finally {
      await service.close()
    }
  })

  test('labels come from closed sets, whatever callers write', async () => {
    const service = await startApp()
    try {
      for (let i = 0; i < 50; i++) {
        const word = `secretword${i}`
        await post(service.mcp, JSON.stringify({ jsonrpc: '2.0', id: 1, method: word }))
        await post(service.mcp, toolCall(word, { publishable_key: KEY, [word]: word }, word))
        await post(`${service.url}/v1/tools/${word}`, '{}')
        await callTool(service.url, 'ductape_execute', { ...EXECUTE, module: word, method: word })
        await fetch(service.mcp, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'mcp-protocol-version': `2025-${word}` },
          body: toolCall('ductape_execute', EXECUTE),
        })
      }
      const { text, samples } = await scrape(service)
      assert.ok(!text.includes('secretword') && !text.includes(KEY))
      const own = samples.filter(({ name }) => /^(mcp|ductape_mcp)_/.test(name))
      assert.ok(own.length < 300, `${own.length} samples`)
      const tools = new Set(['', ...service.app.tools.map((tool) => tool.declaration.name)])
      const methods = new Set([...MCP_METHODS, 'other', 'rest', 'none'])
      const codes = new Set(['', 'ok', ...Object.keys(DENIALS)])
      for (const { labels } of own) {
        assert.ok(methods.has(labels['mcp_method_name'] ?? 'none'))
        assert.ok(tools.has(labels['gen_ai_tool_name'] ?? ''))
        assert.ok(codes.has(labels['error_type'] ?? ''))
        const code = labels['code'] ?? 'ok'
        assert.ok(codes.has(code))
        if (code !== 'ok') assert.equal(labels['stage'], DENIALS[code as DenialCode].stage)
      }
    } finally {
      await service.close()
    }
  })

  test('what is exposed is what is documented, with these labels', async () => {
    const service = await startApp()
    try {
      await callTool(service.url, 'ductape_execute', EXECUTE)
      const { text, samples } = await scrape(service)
      const page = readCommitted(METRICS_PATH) ?? ''
      const documented = new Map(
        [...page.matchAll(/^\| `([a-z_]+)` \| (\w+) \| (.*?) \|/gm)].map(
          ([, name = '', type, labels = '']) => [
            name,
            { type, labels: [...labels.matchAll(/`([a-z_]+)`/g)].map((match) => match[1]) },
          ],
        ),
      )
      const exposed = [...text.matchAll(/^# TYPE ((?:mcp|ductape_mcp)_\S+) (\w+)$/gm)]
      assert.deepEqual(exposed.map((match) => match[1]).sort(), [...documented.keys()].sort())
      for (const [, name = '', type] of exposed) {
        const row = documented.get(name)
        assert.equal(row?.type, type)
        for (const sample of samples.filter((item) => item.name === name || item.name === `${name}_count`))
          assert.deepEqual(Object.keys(sample.labels).sort(), [...(row?.labels ?? [])].sort(), name)
      }
      assert.match(text, /mcp_server_operation_duration_seconds_bucket\{le="0\.01",/)
      assert.match(text, /mcp_server_operation_duration_seconds_bucket\{le="300",/)
      assert.match(text, /^process_cpu_seconds_total /m)
      assert.match(text, /^nodejs_eventloop_lag_seconds /m)
    } finally {
      await service.close()
    }
  })

  test('calls in flight are those being worked on', async () => {
    const service = await startApp()
    try {
      service.emulator?.faults.next({ kind: 'latency', ms: 200 })
      const call = callTool(service.url, 'ductape_execute', EXECUTE)
      while (service.emulator?.stats.requests.execute !== 1) await new Promise((done) => setImmediate(done))
      assert.match((await scrape(service)).text, /^ductape_mcp_calls_in_flight 1$/m)
      await call
      while (service.app.inFlight() > 0) await new Promise((done) => setImmediate(done))
      assert.match((await scrape(service)).text, /^ductape_mcp_calls_in_flight 0$/m)
    } finally {
      await service.close()
    }
  })
})

test('calls in batches and scrapes in between are counted once each', async () => {
  const metrics = createMetrics({
    inFlight: () => 0,
    audit: () => ({ written: 0, pendingBytes: 0, failing: false, chain: undefined, witnessFailures: 0 }),
    receiptFailures: () => 0,
    ready: () => true,
    liveAges: () => [],
    storeAvailable: () => true,
    build: { version: '0', node: '0' },
  })
  const call = openCall({
    id: 'id',
    startedAt: 0,
    startedTick: 0,
    channel: 'http',
    peer: '127.0.0.1',
    principal: LOCAL,
    runtime: RUNTIME,
  })
  const total = async (): Promise<number[]> => {
    const { body } = await metrics.render()
    return [
      /^ductape_mcp_decisions_total\{.*\} (\d+)$/m,
      /^mcp_server_operation_duration_seconds_count\{.*\} (\d+)$/m,
    ].map((line) => Number(line.exec(body)?.[1]))
  }
  // More than a batch before the library is there, less than what may wait.
  for (let i = 0; i < 3000; i++) metrics.observe(call, 0.01)
  assert.deepEqual(await total(), [3000, 3000])
  for (let i = 0; i < 1300; i++) metrics.observe(call, 0.01)
  assert.deepEqual(await total(), [4300, 4300])
  assert.deepEqual(await total(), [4300, 4300])
})
