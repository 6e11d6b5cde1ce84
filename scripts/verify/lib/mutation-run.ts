// Runs the tests against one mutant after another, in copies of the tree, and tells which of them no test notices.
import { spawn } from 'node:child_process'
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, relative } from 'node:path'
import { apply, findMutants, type Mutant } from './mutate.ts'

/** Which test files answer for which sources; the first suite that names a source counts. */
export interface Suite {
  /** Glob of the sources. */
  readonly of: string
  /** Globs of test files, the quick ones first. */
  readonly tests: readonly string[]
}

export interface Outcome {
  readonly mutant: Mutant
  /** The test file that failed; undefined = every one of them passed. */
  readonly killer: string | undefined
  /** The test file did not end in time, as with a check that ends a loop. */
  readonly late: boolean
}

export interface Options {
  readonly root: string
  readonly suites: readonly Suite[]
  /** Copies of the tree that are worked in at the same time. */
  readonly jobs: number
  /** Milliseconds that a test file gets; one that takes longer has noticed the mutant. */
  readonly timeout: number
  onOutcome(outcome: Outcome): void
}

export interface Result {
  readonly outcomes: readonly Outcome[]
  /** Test files that fail on the tree as it is: what they notice counts for nothing. */
  readonly broken: readonly string[]
}

/** Sources of the suites, then their mutants. */
export function allMutants(root: string, suites: readonly Suite[]): Mutant[] {
  const files = new Set(suites.flatMap(({ of }) => globSync(of, { cwd: root })))
  return [...files].sort().flatMap((file) => findMutants(file, readFileSync(join(root, file), 'utf8')))
}

export async function runMutants(mutants: readonly Mutant[], options: Options): Promise<Result> {
  const { root, suites, jobs } = options
  const home = mkdtempSync(join(tmpdir(), 'ductape-mcp-mutants-'))
  const left = [...mutants]
  const outcomes: Outcome[] = []
  const plan = createPlan(root, suites)
  const remove = (): void => rmSync(home, { recursive: true, force: true })
  // Also where the run is ended from outside by process.exit.
  process.once('exit', remove)
  try {
    const copies = Array.from({ length: Math.max(1, Math.min(jobs, left.length)) }, (_, index) =>
      copyTree(root, join(home, String(index))),
    )
    await Promise.all(
      copies.map(async (copy) => {
        for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
          const outcome = await judge(copy, mutant, plan, options)
          outcomes.push(outcome)
          options.onOutcome(outcome)
        }
      }),
    )
  } finally {
    process.off('exit', remove)
    remove()
  }
  return { outcomes, broken: plan.broken() }
}

const SKIPPED = new Set(['node_modules', '.git', '.cache', 'dist', 'coverage'])

function copyTree(root: string, to: string): string {
  cpSync(root, to, {
    recursive: true,
    // The paths below the root only: a checkout may itself stand in a folder of such a name.
    filter: (path) => path === root || !SKIPPED.has(basename(relative(root, path))),
  })
  symlinkSync(join(root, 'node_modules'), join(to, 'node_modules'))
  return to
}

interface Plan {
  /** The test files that answer for a source: the one that noticed its last mutant comes first. */
  testsFor(file: string): readonly string[]
  noticed(file: string, test: string): void
  /** Whether a test file passes without a mutant; asked once, when it first noticed one. */
  isSound(test: string, run: () => Promise<boolean>): Promise<boolean>
  broken(): readonly string[]
}

function createPlan(root: string, suites: readonly Suite[]): Plan {
  const suiteOf = new Map<string, Suite>()
  for (const suite of suites.toReversed())
    for (const file of globSync(suite.of, { cwd: root })) suiteOf.set(file, suite)
  const orders = new Map<string, readonly string[]>()
  const sound = new Map<string, Promise<boolean>>()
  const broken: string[] = []
  const testsFor = (file: string): readonly string[] => {
    const found = orders.get(file)
    if (found !== undefined) return found
    const patterns = suiteOf.get(file)?.tests ?? []
    const tests = new Set(patterns.flatMap((pattern) => globSync(pattern, { cwd: root }).sort()))
    // Else every mutant of it would look like one that nobody notices.
    if (tests.size === 0) throw new Error(`no test file answers for ${file}`)
    const order = [...tests]
    orders.set(file, order)
    return order
  }
  return {
    testsFor,
    noticed: (file, test) => orders.set(file, [test, ...testsFor(file).filter((one) => one !== test)]),
    isSound(test, run) {
      let answer = sound.get(test)
      if (answer === undefined) {
        answer = run().then((passed) => {
          if (!passed) broken.push(test)
          return passed
        })
        sound.set(test, answer)
      }
      return answer
    },
    broken: () => broken,
  }
}

async function judge(copy: string, mutant: Mutant, plan: Plan, { timeout }: Options): Promise<Outcome> {
  const path = join(copy, mutant.file)
  const source = readFileSync(path, 'utf8')
  for (const test of plan.testsFor(mutant.file)) {
    writeFileSync(path, apply(source, mutant))
    let ended: Ended
    try {
      ended = await runTest(copy, test, timeout)
    } finally {
      writeFileSync(path, source)
    }
    if (ended === 'passed') continue
    if (!(await plan.isSound(test, async () => (await runTest(copy, test, timeout)) === 'passed'))) continue
    plan.noticed(mutant.file, test)
    return { mutant, killer: test, late: ended === 'late' }
  }
  return { mutant, killer: undefined, late: false }
}

type Ended = 'passed' | 'failed' | 'late'

/** Ends the test file at its first failure. */
function runTest(cwd: string, test: string, timeout: number): Promise<Ended> {
  // Inside a test this variable would make the runner report to that test.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--test-reporter=tap', '--max-old-space-size=1024', test], {
      cwd,
      env,
      // A group of its own: a mutant may leave the programs behind that the test has started.
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let ended: Ended | undefined
    const killAll = (): void => {
      if (child.pid !== undefined) killGroup(child.pid)
    }
    process.once('exit', killAll)
    const stop = (as: Ended): void => {
      ended ??= as
      killAll()
    }
    const timer = setTimeout(() => stop('late'), timeout)
    let line = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (line + chunk).split('\n')
      line = (lines.pop() ?? '').slice(-4096)
      if (lines.some((one) => /^\s*not ok /.test(one))) stop('failed')
    })
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(timer)
      process.off('exit', killAll)
      killAll()
      resolve(ended ?? (code === 0 ? 'passed' : 'failed'))
    })
  })
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Everybody in it has ended.
  }
}
