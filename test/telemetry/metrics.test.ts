// The metrics: names and labels as published, label values from closed sets only, counts that agree with the calls.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { METRICS_PATH, noFigures } from '../../scripts/generate/metrics.ts'
import { readCommitted } from '../../scripts/generate.ts'
import { type Call, openCall } from '../../src/core/call.ts'
import { DENIALS, type DenialCode } from '../../src/core/denials.ts'
import { MCP_METHODS } from '../../src/core/methods.ts'
import { STAGE_NAMES } from '../../src/core/stages.ts'
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
      // A checkpoint may come between any two lines of this test.
      const before = service.chain().length
      const { samples } = await scrape(service)
      const after = service.chain().length
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
        'none||-31004|1',
        'none||-32700|1',
        'rest|ductape_execute||1',
        'tools/call|ductape_execute|tool_error|2',
        'tools/call|ductape_execute||2',
        'tools/call|ductape_generate_payload||1',
        'tools/list|||1',
      ])
      const written = samples.find(({ name }) => name === 'ductape_mcp_audit_lines_written_total')
      assert.ok(written !== undefined && before <= written.value && written.value <= after)
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
        assert.match(labels['error_type'] ?? '', /^(?:|tool_error|-?\d{3,5})$/)
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

describe('what is measured on the way of a call', () => {
  const sumOf = (samples: readonly Sample[], name: string, labels: Record<string, string> = {}): number =>
    samples
      .filter((one) => one.name === name)
      .filter((one) => Object.entries(labels).every(([key, value]) => one.labels[key] === value))
      .reduce((sum, one) => sum + one.value, 0)

  test('each stage that a call reached, once; the backend by class of its answer', async () => {
    const service = await startApp()
    try {
      await callTool(service.url, 'ductape_execute', EXECUTE)
      await callTool(service.url, 'ductape_execute', {})
      service.emulator?.faults.next({ kind: 'status', status: 503 })
      await callTool(service.url, 'ductape_execute', EXECUTE)
      service.emulator?.faults.next({ kind: 'reset' })
      await callTool(service.url, 'ductape_execute', EXECUTE)
      service.emulator?.faults.next({ kind: 'latency', ms: 60 })
      await callTool(service.url, 'ductape_execute', EXECUTE)
      const { samples } = await scrape(service)
      const stages = Object.fromEntries(
        STAGE_NAMES.map((stage) => [
          stage,
          sumOf(samples, 'ductape_mcp_stage_duration_seconds_count', { stage }),
        ]),
      )
      assert.deepEqual(stages, {
        ...Object.fromEntries(STAGE_NAMES.map((stage) => [stage, 4])),
        ...{ transport: 5, identity: 5, protocol: 5, resolve: 5, validate: 5, shape: 3, scan: 2 },
      })
      const backend = 'ductape_mcp_backend_duration_seconds'
      for (const [status, count] of Object.entries({ '2xx': 2, '3xx': 0, '4xx': 0, '5xx': 1, none: 1 }))
        assert.equal(sumOf(samples, `${backend}_count`, { status }), count, status)
      const inBackend = sumOf(samples, 'ductape_mcp_stage_duration_seconds_sum', { stage: 'backend' })
      assert.ok(inBackend >= 0.06, 'the time that the backend took')
      const all = sumOf(samples, 'mcp_server_operation_duration_seconds_sum')
      assert.ok(sumOf(samples, 'ductape_mcp_stage_duration_seconds_sum') <= all)
      assert.equal(sumOf(samples, 'ductape_mcp_backend_connections_limit'), 256)
      assert.ok(sumOf(samples, 'ductape_mcp_backend_connections') >= 1)
      assert.equal(sumOf(samples, 'ductape_mcp_backend_requests'), 0)
    } finally {
      await service.close()
    }
  })

  test('the buckets of a histogram only rise, and the last one is the count', async () => {
    const service = await startApp()
    try {
      for (let i = 0; i < 3; i++) await callTool(service.url, 'ductape_execute', EXECUTE)
      const { samples } = await scrape(service)
      const buckets = samples.filter(
        ({ name, labels }) =>
          name === 'ductape_mcp_stage_duration_seconds_bucket' && labels['stage'] === 'backend',
      )
      const values = buckets.map(({ value }) => value)
      assert.deepEqual(
        values,
        [...values].sort((a, b) => a - b),
      )
      assert.equal(buckets.at(-1)?.labels['le'], '+Inf')
      assert.equal(buckets.at(-1)?.value, 3)
    } finally {
      await service.close()
    }
  })

  test('findings of guards and scan by words of ours; a configured rule is "custom"', async () => {
    const metrics = createMetrics({ ...noFigures(), isOwnRule: (rule) => rule === 'aws-access-key' })
    const call = makeCall()
    call.guarded = [
      { guard: 'sql', at: '/params/0', found: 'unproven' },
      { guard: 'sql', at: '/params/1', found: 'unproven' },
      { guard: 'path', at: '/params/2', found: "it's free text" },
    ]
    call.scanned = [
      { detector: 'secret', rule: 'aws-access-key', count: 3, action: 'redact' },
      { detector: 'personal', rule: 'acme-secretword', count: 1, action: 'flag' },
      { detector: 'personal', rule: 'acme-other', count: 1, action: 'flag' },
    ]
    metrics.observe(call, 0.01, undefined)
    const { body } = await metrics.render(undefined)
    assert.match(body, /^ductape_mcp_guard_findings_total\{guard="sql",found="unproven"\} 2$/m)
    assert.match(body, /^ductape_mcp_guard_findings_total\{guard="path",found="other"\} 1$/m)
    assert.match(
      body,
      /^ductape_mcp_scan_findings_total\{detector="secret",rule="aws-access-key",action="redact"\} 3$/m,
    )
    assert.match(
      body,
      /^ductape_mcp_scan_findings_total\{detector="personal",rule="custom",action="flag"\} 2$/m,
    )
    assert.doesNotMatch(body, /secretword|free text/)
  })

  test('what others count is read when somebody looks', async () => {
    let asked = 0
    const metrics = createMetrics({
      ...noFigures(),
      approvals: () => ({
        ...{ asked, approved: 2, denied: 3, used: 4, forged: 5 },
        notifications: { sent: 6, failed: 7, dropped: 8 },
        pending: async () => 16,
      }),
      credentials: () => ({ lacking: 9, stale: 10, loaded: 11, refused: 12 }),
      limiter: () => ({ principals: 13, tenants: 14, tools: 15 }),
    })
    for (asked of [1, 2]) {
      const { body } = await metrics.render(undefined)
      for (const line of [
        `ductape_mcp_approvals_total{event="asked"} ${asked}`,
        'ductape_mcp_approvals_total{event="forged"} 5',
        'ductape_mcp_notifications_total{result="dropped"} 8',
        'ductape_mcp_credentials_stale 10',
        'ductape_mcp_credential_reloads_total{result="refused"} 12',
        'ductape_mcp_limiter_accounts{kind="tool"} 15',
        'ductape_mcp_approvals_pending 16',
      ])
        assert.ok(body.includes(`\n${line}\n`), line)
    }
  })
})

describe('OpenMetrics', () => {
  const OPEN = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
  const TRACE = 'c'.repeat(32)

  test('is written where it is asked for, with the trace of a recorded call; the text format stays as it was', async () => {
    const metrics = createMetrics(noFigures())
    metrics.observe(makeCall(), 0.015, TRACE)
    metrics.observe(makeCall(), 0.3, undefined)
    // At once: the format of one must not become that of the other.
    const answers = await Promise.all([undefined, OPEN, 'text/plain', OPEN].map((one) => metrics.render(one)))
    const [plain, open] = answers as [(typeof answers)[number], (typeof answers)[number]]
    assert.deepEqual(answers[2]?.contentType, plain.contentType)
    assert.match(plain.contentType, /^text\/plain; version=0\.0\.4/)
    assert.match(open.contentType, /^application\/openmetrics-text; version=1\.0\.0/)
    assert.match(open.body, /# EOF\n$/)
    assert.match(open.body, /^# TYPE ductape_mcp_decisions counter\nductape_mcp_decisions_total\{.*\} 2$/m)
    assert.match(
      plain.body,
      /^# TYPE ductape_mcp_decisions_total counter\nductape_mcp_decisions_total\{.*\} 2$/m,
    )
    assert.match(answers[2]?.body ?? '', /^# TYPE ductape_mcp_decisions_total counter$/m)
    const exemplars = open.body.split('\n').filter((line) => line.includes(' # {'))
    assert.equal(exemplars.length, 1)
    assert.match(
      exemplars[0] ?? '',
      new RegExp(
        `^mcp_server_operation_duration_seconds_bucket\\{le="0\\.02",.*\\} 1 # \\{trace_id="${TRACE}"\\} 0\\.015 [\\d.]+$`,
      ),
    )
    assert.doesNotMatch(plain.body, /trace_id/)
  })

  test('the ops listener gives what Accept asks for', async () => {
    const service = await startApp()
    try {
      await scrape(service)
      const { port } = service.app.ops.address() as AddressInfo
      for (const [accept, type] of [
        [OPEN, 'application/openmetrics-text; version=1.0.0; charset=utf-8'],
        ['*/*', 'text/plain; version=0.0.4; charset=utf-8'],
      ] as const) {
        const response = await fetch(`http://127.0.0.1:${port}/metrics`, { headers: { accept } })
        assert.equal(response.headers.get('content-type'), type)
        await response.arrayBuffer()
      }
    } finally {
      await service.close()
    }
  })
})

const makeCall = (): Call =>
  openCall({
    id: 'id',
    startedAt: 1_767_225_600_000,
    startedTick: 0,
    channel: 'http',
    peer: '127.0.0.1',
    principal: LOCAL,
    runtime: RUNTIME,
  })

test('calls and scrapes in between are counted once each', async () => {
  const metrics = createMetrics(noFigures())
  const call = makeCall()
  const total = async (): Promise<number[]> => {
    const { body } = await metrics.render(undefined)
    return [
      /^ductape_mcp_decisions_total\{.*\} (\d+)$/m,
      /^mcp_server_operation_duration_seconds_count\{.*\} (\d+)$/m,
    ].map((line) => Number(line.exec(body)?.[1]))
  }
  // Before the library is there.
  for (let i = 0; i < 3000; i++) metrics.observe(call, 0.01, undefined)
  assert.deepEqual(await total(), [3000, 3000])
  for (let i = 0; i < 1300; i++) metrics.observe(call, 0.01, undefined)
  assert.deepEqual(await total(), [4300, 4300])
  assert.deepEqual(await total(), [4300, 4300])
})
