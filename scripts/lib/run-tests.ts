// Runs test files each in a process of its own, tells what failed or was skipped, and closes with `N passed, N failed`.
import { globSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { run } from 'node:test'
import { inspect } from 'node:util'

export interface TestTier {
  readonly root: string
  readonly include: readonly string[]
  readonly exclude: readonly string[]
  /** How many files run at once; the rest wait. */
  readonly concurrency: number
  /** A single test that takes longer has failed. */
  readonly testTimeoutMs: number
  /** A file that takes longer is ended: without this, one open handle would hold the whole run. */
  readonly fileTimeoutMs: number
  /** A skipped test counts as failed: on CI a missing tool must not look like success. */
  readonly skipFails: boolean
}

export interface FileReport {
  readonly file: string
  readonly passed: number
  readonly failures: readonly string[]
  readonly skipped: readonly string[]
  readonly todo: readonly string[]
  readonly notes: readonly string[]
  /** The end of what the file wrote, told only when it failed. */
  readonly output: string
  readonly ms: number
}

interface TestEvent {
  readonly type: string
  readonly data: {
    readonly name?: string
    readonly nesting?: number
    readonly file?: string
    readonly message?: string
    readonly skip?: string | boolean
    readonly todo?: string | boolean
    readonly counts?: unknown
    readonly details?: { readonly type?: string; readonly error?: Error & { failureType?: string } }
  }
}

const OUTPUT_LIMIT = 64 * 1024

/** The files of a tier; `only` keeps those whose path contains one of the given words. */
function tierFiles(tier: TestTier, only: readonly string[]): string[] {
  const skip = new Set(tier.exclude.flatMap((pattern) => globSync(pattern, { cwd: tier.root })))
  return [...new Set(tier.include.flatMap((pattern) => globSync(pattern, { cwd: tier.root })))]
    .filter((file) => !skip.has(file) && !file.includes('node_modules'))
    .filter((file) => only.length === 0 || only.some((word) => file.includes(word.replace(/^\.\//, ''))))
    .sort()
}

async function runFile(tier: TestTier, file: string): Promise<FileReport> {
  const path = resolve(tier.root, file)
  const names: string[] = []
  const failures: string[] = []
  const skipped: string[] = []
  const todo: string[] = []
  const notes: string[] = []
  let output = ''
  let passed = 0
  let finished = false
  const started = performance.now()
  const stop = new AbortController()
  const deadline = setTimeout(() => stop.abort(), tier.fileTimeoutMs)
  const events = run({
    files: [path],
    concurrency: 1,
    timeout: tier.testTimeoutMs,
    signal: stop.signal,
    cwd: tier.root,
  })
  for await (const event of events as AsyncIterable<TestEvent>) {
    const { type, data } = event
    if (type === 'test:start') names[data.nesting ?? 0] = data.name ?? ''
    if (type === 'test:stdout' || type === 'test:stderr')
      output = (output + (data.message ?? '')).slice(-OUTPUT_LIMIT)
    if (type === 'test:diagnostic' && data.file !== undefined) notes.push(data.message ?? '')
    // The runner writes a summary with `file` only when the file's own run reached its end.
    if (type === 'test:summary' && data.file !== undefined) finished = true
    if (type !== 'test:pass' && type !== 'test:fail') continue
    if (data.name === path) {
      if (type === 'test:fail') failures.push(`${file}: ${reason(data.details?.error, tier)}`)
      continue
    }
    const title = [...names.slice(0, data.nesting ?? 0), data.name].join(' > ')
    if (isSet(data.skip)) skipped.push(`${title}${typeof data.skip === 'string' ? `: ${data.skip}` : ''}`)
    else if (isSet(data.todo)) todo.push(title)
    else if (type === 'test:fail') {
      // A parent fails with its child, which has been told already; it still counts.
      const error = data.details?.error
      failures.push(
        error?.failureType === 'subtestsFailed'
          ? `${title}: a test in it failed`
          : `${title}\n${reason(error, tier)}`,
      )
    } else if (data.details?.type !== 'suite') passed++
  }
  clearTimeout(deadline)
  if (!finished && failures.length === 0)
    failures.push(`${file}: holds no test, or ended its process before its tests ended`)
  const ms = Math.round(performance.now() - started)
  return { file, passed, failures, skipped, todo, notes, output: output.trimEnd(), ms }
}

function isSet(mark: string | boolean | undefined): boolean {
  return mark !== undefined && mark !== false
}

function reason(error: (Error & { failureType?: string }) | undefined, tier: TestTier): string {
  if (error?.failureType === 'testAborted')
    return `took longer than ${tier.fileTimeoutMs / 1000} s and was ended`
  if (error?.failureType === 'testTimeoutFailure') return `took longer than ${tier.testTimeoutMs / 1000} s`
  const cause = error?.cause ?? error
  // An assertion's own fields repeat, at length, the difference that its message shows.
  if (cause instanceof Error && cause.name === 'AssertionError') return cause.stack ?? cause.message
  return inspect(cause, { depth: 4, maxStringLength: 4000, maxArrayLength: 50, colors: false })
}

/** Runs the tier; the exit code is 1 when anything failed or nothing ran. */
export async function runTier(tier: TestTier, only: readonly string[]): Promise<number> {
  const files = tierFiles(tier, only)
  const waiting = [...files]
  const reports: FileReport[] = []
  const worker = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const report = await runFile(tier, file)
      reports.push(report)
      print(report)
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, tier.concurrency) }, worker))
  const { passed, failed } = totals(reports, tier.skipFails)
  const skipped = reports.reduce((sum, report) => sum + report.skipped.length, 0)
  const todo = reports.reduce((sum, report) => sum + report.todo.length, 0)
  if (skipped > 0)
    console.log(`${skipped} skipped${tier.skipFails ? ', counted as failed because CI is set' : ''}`)
  if (todo > 0) console.log(`${todo} marked todo`)
  if (files.length === 0) console.log('no test file matches')
  else if (passed + failed === 0) console.log('no test ran')
  console.log(`${passed} passed, ${failed} failed`)
  return failed > 0 || passed === 0 ? 1 : 0
}

function totals(reports: readonly FileReport[], skipFails: boolean): { passed: number; failed: number } {
  let passed = 0
  let failed = 0
  for (const report of reports) {
    passed += report.passed
    failed += report.failures.length
    if (skipFails) failed += report.skipped.length
  }
  return { passed, failed }
}

function print(report: FileReport): void {
  const word = report.failures.length > 0 ? 'FAIL' : 'ok  '
  console.log(`${word} ${report.file}  ${report.passed} passed  ${(report.ms / 1000).toFixed(1)} s`)
  for (const note of report.notes) console.log(`       ${note}`)
  for (const line of report.skipped) console.log(`     skipped: ${line}`)
  for (const line of report.todo) console.log(`     todo: ${line}`)
  for (const line of report.failures) console.log(indent(line))
  if (report.failures.length > 0 && report.output !== '')
    console.log(indent(`output of ${report.file}:\n${report.output}`))
}

function indent(text: string): string {
  return `     ${text.replaceAll('\n', '\n     ')}`
}

/** The options every tier shares: bounded by the machine, strict where `CI` is set. */
export function defaults(): Pick<TestTier, 'root' | 'concurrency' | 'skipFails'> {
  const ci = process.env['CI'] ?? ''
  return {
    root: resolve(import.meta.dirname, '../..'),
    concurrency: Math.min(4, availableParallelism()),
    skipFails: ci !== '' && ci !== 'false' && ci !== '0',
  }
}
