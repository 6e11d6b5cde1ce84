// Writes docs/reference/metrics.md from the registry of the service.
import { createMetrics } from '../../src/telemetry/metrics.ts'

export const METRICS_PATH = 'docs/reference/metrics.md'

const INTRO = `# Metrics

<!-- Generated from src/telemetry/registry.ts by \`npm run generate\`. Do not edit. -->

\`GET /metrics\` on the ops listener, in the Prometheus text format. Labels take their values from closed sets (methods of the protocol, the names of the
tools, the codes of [errors.md](errors.md)), so their number is bounded and nothing that a caller wrote turns up in them. Besides these the
usual \`process_*\` and \`nodejs_*\` metrics of the process are there.

| metric | type | labels | meaning |
|---|---|---|---|
`

const NOTES = `
- A REST call has \`mcp_method_name="rest"\`; a request that was refused before its message was read has \`none\`.
- \`error_type\` is the code of the refusal or failure, empty where there is none.
- The lists of tools and resources are counted like calls; probes and \`/metrics\` itself are not.
`

export async function metricsText(): Promise<string> {
  const metrics = createMetrics({
    inFlight: () => 0,
    audit: () => ({ written: 0, pendingBytes: 0, failing: false, chain: undefined, witnessFailures: 0 }),
    receiptFailures: () => 0,
    ready: () => true,
    liveAges: () => [],
    storeAvailable: () => true,
    build: { version: '', node: '' },
  })
  const own = (await metrics.list()).filter(({ name }) => /^(mcp|ductape_mcp)_/.test(name))
  const rows = own.map(({ name, type, help, labels }) => {
    const shown = labels.map((label) => `\`${label}\``).join(', ')
    return `| \`${name}\` | ${type} | ${shown} | ${help} |`
  })
  return `${INTRO}${rows.join('\n')}\n${NOTES}`
}
