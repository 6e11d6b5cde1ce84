// Writes what an area of `npm run verify` measured to docs/measured/<area>.md: commit, machine, seed, figures, ceilings.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export type Figures = {
  readonly title: string
  /** A sentence or two under the title: how it was measured, how to read it. */
  readonly note?: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly (string | number)[])[]
}

/** A stated bound. `missed` decides: a figure that could not be measured (NaN) misses its bound. */
export type Bound = {
  readonly what: string
  readonly measured: number
  readonly bound: number
  /** `ceiling` (at most) and `floor` (at least) fail the run; `goal` is a ceiling that is only reported. */
  readonly kind: 'ceiling' | 'floor' | 'goal'
  readonly unit?: string
}

export type Report = {
  readonly area: string
  /** One sentence: what was checked. */
  readonly what: string
  readonly command: string
  /** `undefined` where nothing was random. */
  readonly seed?: number | undefined
  readonly notes?: readonly string[]
  readonly figures: readonly Figures[]
  readonly bounds: readonly Bound[]
}

const root = fileURLToPath(new URL('../../', import.meta.url))

export function missed({ kind, measured, bound }: Bound): boolean {
  return kind === 'floor' ? !(measured >= bound) : !(measured <= bound)
}

/** Three significant digits, whole above 100. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return 'not measured'
  return Math.abs(value) >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)))
}

function git(...args: string[]): string {
  return execFileSync('git', args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim()
}

/** The commit that was measured, and whether the tree differed from it (the written figures aside). */
function commit(): string {
  try {
    const dirty = git('status', '--porcelain', '--', '.', ':!docs/measured') !== ''
    return `${git('rev-parse', '--short=12', 'HEAD')}${dirty ? ' with uncommitted changes' : ''}`
  } catch {
    return 'none'
  }
}

function machine(): string {
  const cpus = os.cpus()
  const model = cpus[0]?.model.trim() ?? 'unknown CPU'
  const memory = Math.round(os.totalmem() / 2 ** 30)
  return `${cpus.length} cores, ${model}, ${memory} GiB, ${os.platform()} ${os.arch()}, Node ${process.version}`
}

const cell = (value: string | number) =>
  (typeof value === 'number' ? short(value) : value).replaceAll('|', '\\|')
const row = (cells: readonly (string | number)[]) => `| ${cells.map(cell).join(' | ')} |`

function table({ title, note, columns, rows }: Figures): string {
  const lines = [`## ${title}`, '']
  if (note !== undefined) lines.push(note, '')
  lines.push(row(columns), `|${columns.map(() => '---').join('|')}|`, ...rows.map(row), '')
  return lines.join('\n')
}

function verdict(bound: Bound): string {
  if (!missed(bound)) return 'met'
  return bound.kind === 'goal' ? 'not yet' : 'MISSED'
}

/** The page as Markdown. */
export function render(report: Report, at: { date: string; commit: string; machine: string }): string {
  const sign = { ceiling: '<=', floor: '>=', goal: 'goal <=' }
  const bounds: Figures = {
    title: 'Bounds',
    columns: ['what', 'measured', 'bound', 'verdict'],
    rows: report.bounds.map((bound) => {
      const unit = bound.unit === undefined ? '' : ` ${bound.unit}`
      const limit = `${sign[bound.kind]} ${short(bound.bound)}${unit}`
      const measured = Number.isFinite(bound.measured)
        ? `${short(bound.measured)}${unit}`
        : short(bound.measured)
      return [bound.what, measured, limit, verdict(bound)]
    }),
  }
  const head = [
    `# Measured: ${report.area}`,
    '',
    report.what,
    '',
    `- Command: \`${report.command}\``,
    `- Date: ${at.date}`,
    `- Commit: ${at.commit}`,
    `- Machine: ${at.machine}`,
    `- Seed: ${report.seed ?? 'nothing in this run is random'}`,
    ...(report.notes ?? []).map((note) => `- ${note}`),
    '',
  ].join('\n')
  const tables = report.bounds.length > 0 ? [bounds, ...report.figures] : report.figures
  return [head, ...tables.map(table)].join('\n')
}

/**
 * Prints the page, writes it unless `write` is false, and returns the exit code: 1 when a ceiling or floor is missed.
 */
export function publish(report: Report, { write = true }: { write?: boolean } = {}): 0 | 1 {
  const at = { date: new Date().toISOString().slice(0, 10), commit: commit(), machine: machine() }
  const page = render(report, at)
  process.stdout.write(`${page}\n`)
  if (write) {
    const file = path.join('docs', 'measured', `${report.area}.md`)
    mkdirSync(path.join(root, 'docs', 'measured'), { recursive: true })
    writeFileSync(path.join(root, file), page)
    process.stdout.write(`written to ${file}\n`)
  }
  return report.bounds.some((bound) => bound.kind !== 'goal' && missed(bound)) ? 1 : 0
}
