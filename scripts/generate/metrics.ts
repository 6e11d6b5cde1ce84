// Writes docs/reference/metrics.md from the registry of the service.
import { createMetrics, type MetricSources } from '../../src/telemetry/metrics.ts'

export const METRICS_PATH = 'docs/reference/metrics.md'

const INTRO = `# Metrics

<!-- Generated from src/telemetry/table.ts by \`npm run generate\`. Do not edit. -->

\`GET /metrics\` on the ops listener, in the Prometheus text format. Labels take their values from closed sets (methods of the protocol, the names of the
tools, the codes of [errors.md](errors.md)), so their number is bounded and nothing that a caller wrote turns up in them. Besides these the
usual \`process_*\` and \`nodejs_*\` metrics of the process are there.

| metric | type | labels | meaning |
|---|---|---|---|
`

const NOTES = `
- A REST call has \`mcp_method_name="rest"\`; a request that was refused before its message was read has \`none\`.
- \`error_type\` is the code of JSON-RPC, \`tool_error\` where a tool has failed, over REST the HTTP status, and empty where all went well; the codes of
  errors.md are in \`ductape_mcp_decisions_total\`.
- Where \`Accept\` names \`application/openmetrics-text\`, as Prometheus does, the answer is OpenMetrics and \`mcp_server_operation_duration_seconds\` has
  exemplars: the id of the last recorded trace in each bucket.
- Counters start at 0 with the process. Every replica counts for itself.
- The lists of tools and resources are counted like calls; probes and \`/metrics\` itself are not.
`

/** A service that does nothing, for the list and for tests. */
export const noFigures = (): MetricSources => ({
  inFlight: () => 0,
  ready: () => true,
  audit: () => ({
    written: 0,
    pendingBytes: 0,
    limit: 0,
    failing: false,
    chain: undefined,
    witnessFailures: 0,
    ocsfLost: 0,
  }),
  receiptFailures: () => 0,
  liveAges: () => [],
  store: { available: () => true, stats: () => ({ operations: 0, failures: 0 }) },
  limiter: () => ({ principals: 0, tenants: 0, tools: 0 }),
  approvals: () => ({
    ...{ asked: 0, approved: 0, denied: 0, used: 0, forged: 0 },
    notifications: { sent: 0, failed: 0, dropped: 0 },
    pending: async () => 0,
  }),
  replay: () => ({
    ...{ claimed: 0, kept: 0, unkept: 0, released: 0, repeated: 0 },
    ...{ running: 0, executed: 0, reused: 0, unreadable: 0, unsettled: 0 },
  }),
  killSwitch: () => ({ off: 0, forged: 0 }),
  revocations: () => ({ live: 0, shared: 0, forged: 0 }),
  credentials: () => ({ lacking: 0, stale: 0, loaded: 0, refused: 0 }),
  backend: { limit: 0, stats: () => undefined },
  spans: () => ({ sent: 0, failed: 0, dropped: 0 }),
  isOwnRule: () => true,
  build: { version: '', node: '' },
})

export async function metricsText(): Promise<string> {
  const metrics = createMetrics(noFigures())
  const own = (await metrics.list()).filter(({ name }) => /^(mcp|ductape_mcp)_/.test(name))
  const rows = own.map(({ name, type, help, labels }) => {
    const shown = labels.map((label) => `\`${label}\``).join(', ')
    return `| \`${name}\` | ${type} | ${shown} | ${help} |`
  })
  return `${INTRO}${rows.join('\n')}\n${NOTES}`
}
