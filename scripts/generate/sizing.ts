// Writes docs/operate/sizing.md from the measured pages: a figure that has no run behind it is in none of its tables.
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../..')
export const SIZING_PATH = 'docs/operate/sizing.md'

/** CPU requests of the table, in millicores; the chart's default is the second. */
const REQUESTS = [100, 250, 500, 1000]
/** Where the chart's autoscaler adds a replica. */
const UTILIZATION = 0.7

const page = (name: string): string => readFileSync(join(ROOT, 'docs/measured', name), 'utf8')

/** The cells of the row that begins with these, below a heading. */
function row(text: string, heading: string, ...first: readonly string[]): string[] {
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  const rows = section.split('\n').map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
  const found = rows.find((cells) => first.every((cell, index) => cells[index] === cell))
  if (found === undefined) throw new Error(`docs/measured has no row ${first.join(', ')} under ${heading}`)
  return found
}

function number(cells: readonly string[], index: number): number {
  const value = Number.parseFloat(cells[index] ?? '')
  if (!(value > 0)) throw new Error(`${cells.join(' | ')}: no figure in column ${index + 1}`)
  return value
}

const fact = (text: string, name: string): string =>
  new RegExp(`^- ${name}: (.*)$`, 'm').exec(text)?.[1] ?? ''

/** Two significant digits, so that a plan does not look more exact than it is. */
function about(value: number): number {
  const unit = 10 ** (Math.floor(Math.log10(value)) - 1)
  return Math.floor(value / unit) * unit
}

export function sizingText(): string {
  const bench = page('bench.md')
  const soak = page('soak.md')
  const perCall = Math.max(
    ...['legacy', 'modern'].map((era) => number(row(bench, 'CPU per call', 'ours', era), 2)),
  )
  const resident = number(row(bench, 'Memory', 'ours'), 1)
  const start = number(row(bench, 'Start', 'ours'), 1)
  const steady = row(soak, 'Memory after forced GC', '50000')
  const rows = REQUESTS.map((millicores) => {
    const calls = (millicores * 1000 * UTILIZATION) / perCall
    return `| \`${millicores}m\`${millicores === 250 ? ', the default' : ''} | ${about(calls)} | ${about(calls * 60)} |`
  })
  return `# Sizing

<!-- Generated from docs/measured by \`npm run generate\`. Do not edit. -->

Every figure here comes from [bench](../measured/bench.md) (commit ${fact(bench, 'Commit')}) and [soak](../measured/soak.md) (commit ${fact(soak, 'Commit')}), both on ${fact(bench, 'Machine')}. Your machine differs: run
\`npm run verify bench\` on one of yours, and \`npm run generate\` writes this page anew.

## CPU

One call costs **${perCall} us** of CPU in the service: an access token, ten policy rules, every kind of limit and two records, the dearer of the two protocol eras. So many calls a second does a replica do
at ${UTILIZATION * 100} % of its CPU request, where the chart's autoscaler adds another one:

| \`resources.requests.cpu\` | calls a second | calls a minute |
|---|---|---|
${rows.join('\n')}

- There is no CPU limit by default: a replica may use what the node has to spare, up to one core for its calls. More than that takes more replicas.
- A call that waits for the backend costs nothing while it waits. \`backend.connections\` (256) has to be above the calls in flight: calls a second times the seconds that the backend takes.
- nginx has a request of its own (\`proxy.resources\`). Its cost per call is not measured here; clients that keep their connection spare it the TLS handshake.

## Memory

| what | measured |
|---|---|
| highest resident memory under full load, 64 connections, small answers | ${resident} MiB |
| resident memory after 50,000 mixed calls | ${number(steady, 4)} MiB |
| of it JavaScript heap | ${number(steady, 1)} MiB |
| the chart's request and limit | 512 MiB, of which 384 MiB may be heap |

The rest of the limit is for large answers and what waits: \`backend.maxAnswer\` (10 MiB) and \`audit.maxQueue\` (8 MiB) each count for calls at one time. Where answers are large as a rule, lower \`backend.maxAnswer\`
before you raise the memory; a pod that runs out of heap ends with exit code 139 and starts again.

## Replicas

- **One** is right for a try-out. A rollout starts the new one first, so that no call fails.
- **Two or more** need the [store](store.md) for DPoP and for limits that hold over all of them, and the fleet key. Plan for the load with one replica missing.
- A replica is ready **${start} ms** after its start on the loaded machine of the bench, so autoscaling follows within seconds of its decision.

## Requests that fit

| part | request | limit |
|---|---|---|
| service | \`cpu: 250m\`, \`memory: 512Mi\` | \`memory: 512Mi\` |
| nginx | \`cpu: 50m\`, \`memory: 128Mi\` | \`memory: 128Mi\` |
`
}
