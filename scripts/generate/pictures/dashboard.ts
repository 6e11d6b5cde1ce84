// Draws the panels of the dashboard, each with what Prometheus has answered to its queries, as SVG; the places are those of the dashboard.
import { escaped } from './terminal.ts'

interface Target {
  readonly expr: string
  readonly legendFormat: string
}

interface Panel {
  readonly title: string
  readonly type: string
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number }
  readonly targets?: readonly Target[]
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } }
}

export interface Dashboard {
  readonly panels: readonly Panel[]
}

/** One series of a matrix: pairs of Unix time and value. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>
  readonly values: readonly (readonly [number, string])[]
}

interface Line {
  readonly name: string
  readonly points: readonly (readonly [time: number, value: number])[]
}

/** The queries as they stand, and as Grafana fills them in. */
export const queriesOf = ({ panels }: Dashboard): { expr: string; filled: string }[] =>
  panels
    .flatMap(({ targets = [] }) => targets)
    .map(({ expr }) => ({
      expr,
      filled: expr.replaceAll('$__rate_interval', '4s').replaceAll(/\$(namespace|job)\b/g, '.*'),
    }))

const COLUMN = 50
const ROW = 24
const HEAD = 44
const GAP = 4
/** Lines of the legend below a chart; what is more is counted. */
const MAX_NAMES = 6
const COLOURS = [
  ...['#1f77b4', '#d62728', '#2ca02c', '#9467bd', '#ff7f0e'],
  ...['#17becf', '#8c564b', '#e377c2', '#7f7f7f', '#bcbd22'],
]

const SCALES: Readonly<Record<string, (value: number) => string>> = {
  percentunit: (value) => `${short(value * 100)} %`,
  s: (value) => (value < 1 ? `${short(value * 1000)} ms` : `${short(value)} s`),
  bytes: (value) => `${short(value / 2 ** 20)} MiB`,
  reqps: (value) => `${short(value)}/s`,
  cps: (value) => `${short(value)}/s`,
  ops: (value) => `${short(value)}/s`,
}

function short(value: number): string {
  if (value >= 10_000) return `${(value / 1000).toFixed(0)}k`
  return String(Number(value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2)))
}

export function dashboardSvg(
  { panels }: Dashboard,
  found: ReadonlyMap<string, readonly Series[]>,
  instances: readonly string[],
): string {
  const linesOf = ({ targets = [] }: Panel): Line[] =>
    targets.flatMap(({ expr, legendFormat }) =>
      (found.get(expr) ?? [])
        .map(({ metric, values }) => ({
          name: legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => {
            const value = metric[label] ?? ''
            const replica = instances.indexOf(value)
            return replica === -1 ? value : `replica ${replica + 1}`
          }),
          points: values
            .map(([time, value]) => [time, Number(value)] as const)
            .filter(([, value]) => Number.isFinite(value)),
        }))
        .sort((one, other) => (one.name < other.name ? -1 : 1)),
    )
  const times = [...found.values()].flatMap((series) =>
    series.flatMap(({ values }) => values.map(([time]) => time)),
  )
  const [from, to] = [Math.min(...times), Math.max(...times)]
  const drawn = panels.map((panel) => {
    const { x, y, w, h } = panel.gridPos
    const place = `<g transform="translate(${x * COLUMN} ${HEAD + y * ROW})">`
    if (panel.type === 'row')
      return `${place}<text class="row" x="${GAP}" y="${ROW * 0.75}">${escaped(panel.title)}</text></g>\n`
    const size = { width: w * COLUMN - GAP, height: h * ROW - GAP }
    const inner = panel.type === 'stat' ? stat(linesOf(panel)) : chart(panel, linesOf(panel), size, from, to)
    return `${place}<rect width="${size.width}" height="${size.height}"/><text class="title" x="10" y="18">${escaped(panel.title)}</text>${inner}</g>\n`
  })
  const width = 24 * COLUMN
  const height = HEAD + Math.max(...panels.map(({ gridPos: { y, h } }) => y + h)) * ROW
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="The data of the dashboard">
<!-- Made by node scripts/generate/pictures.ts. Do not edit. -->
<style>text { font: 11px sans-serif; fill: #333 } .title { font-weight: bold; font-size: 12px } .row { font-weight: bold; font-size: 15px } .big { font-size: 40px } rect { fill: #fff; stroke: #d8d8d8 } polyline { fill: none; stroke-width: 1.5 } .axis { stroke: #ccc } .small { fill: #666 }</style>
<rect width="100%" height="100%" style="fill: #f6f6f6; stroke: none"/>
<text class="row" x="${GAP}" y="18">The data of the dashboard over ${Math.round(to - from)} seconds</text>
<text x="${GAP}" y="36">Each panel's queries as a real Prometheus has answered them, with two replicas under calls and faults. Drawn by scripts/generate/pictures.ts, and not by Grafana; ranges of the recording rules are 30 times shorter.</text>
${drawn.join('')}</svg>
`
}

const last = ({ points }: Line): number => points.at(-1)?.[1] ?? Number.NaN

const stat = (lines: readonly Line[]): string =>
  lines
    .map(
      (line, at) =>
        `<text class="big" x="${30 + at * 190}" y="100">${short(last(line))}</text><text x="${30 + at * 190}" y="124">${escaped(line.name)}</text>`,
    )
    .join('')

function chart(
  { fieldConfig }: Panel,
  lines: readonly Line[],
  { width, height }: { width: number; height: number },
  from: number,
  to: number,
): string {
  const shown = (value: number): string => (SCALES[fieldConfig?.defaults.unit ?? ''] ?? short)(value)
  const names = lines.slice(0, MAX_NAMES)
  const [left, right, top] = [58, width - 10, 30]
  const bottom = height - 14 - Math.ceil(names.length / 2) * 14
  const most = Math.max(...lines.flatMap(({ points }) => points.map(([, value]) => value)), 0) || 1
  const x = (time: number): string => (left + ((right - left) * (time - from)) / (to - from)).toFixed(1)
  const y = (value: number): string => (bottom - ((bottom - top) * Math.max(0, value)) / most).toFixed(1)
  const axes = [0, most / 2, most].map(
    (value) =>
      `<line class="axis" x1="${left}" x2="${right}" y1="${y(value)}" y2="${y(value)}"/><text class="small" x="${left - 4}" y="${Number(y(value)) + 4}" text-anchor="end">${shown(value)}</text>`,
  )
  const colour = (at: number): string => COLOURS[at % COLOURS.length] ?? ''
  const drawn = lines.map(
    ({ points }, at) =>
      `<polyline stroke="${colour(at)}" points="${points.map(([time, value]) => `${x(time)},${y(value)}`).join(' ')}"/>`,
  )
  const column = (right - 10) / 2
  const legend = names.map((line, at) => {
    const place = `x="${10 + (at % 2) * column}" y="${bottom + 18 + Math.floor(at / 2) * 14}"`
    const more =
      at === MAX_NAMES - 1 && lines.length > MAX_NAMES ? ` and ${lines.length - MAX_NAMES} more` : ''
    const value = `: ${shown(last(line))}${more}`
    // Two stand beside each other, and a name is as long as it is.
    const room = Math.floor(column / 5.8) - value.length - 1
    const name = line.name.length > room ? `${line.name.slice(0, room)}…` : line.name
    return `<text ${place} style="fill: ${colour(at)}">${escaped(name + value)}</text>`
  })
  return [...axes, ...drawn, ...legend].join('')
}
