// `npm run verify evidence`: 10^6 mutations of a segment, none of which may verify, and the speed and memory of the verifier on 10^6 records.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { KIND_NAMES, makeSegment, mutate } from '../../test/audit/lib/mutate.ts'
import { realChain } from '../../test/audit/lib/real.ts'
import { prepareRefusal } from '../../test/audit/lib/refuse.ts'
import { KEY, KEYS } from '../../test/audit/lib/vector.ts'
import { seeded } from '../../test/store/lib/random.ts'
import { publish } from './report.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    count: { type: 'string', default: '1000000' },
    records: { type: 'string', default: '1000000' },
  },
})
const seed = Number(values.seed ?? Date.now() % 2 ** 31)
const count = Number(values.count)
const records = Number(values.records)
const full = count >= 1_000_000 && records >= 1_000_000

/** Kinds that make all hashes anew take some milliseconds each. */
const SLOW = ['another key', 'a change, and all hashes after it made anew']
const SLOW_SHARE = 0.02

interface KindResult {
  kind: string
  mutations: number
  codes: Map<string, number>
}

function runMutations(): { results: KindResult[]; verified: string[]; perSecond: number } {
  const segment = makeSegment()
  const refuse = prepareRefusal(segment)
  const random = seeded(seed)
  const verified: string[] = []
  const quick = Math.ceil((count * (1 - SLOW.length * SLOW_SHARE)) / (KIND_NAMES.length - SLOW.length))
  const started = performance.now()
  const results = KIND_NAMES.map((kind) => {
    const mutations = SLOW.includes(kind) ? Math.ceil(count * SLOW_SHARE) : quick
    const codes = new Map<string, number>()
    for (let i = 0; i < mutations; i++) {
      const mutation = mutate(segment, kind, random)
      const { code } = refuse(mutation)
      codes.set(code, (codes.get(code) ?? 0) + 1)
      if (code === 'ok') verified.push(`${kind}, number ${i}: bytes ${mutation.from} to ${mutation.to}`)
    }
    process.stdout.write(`${kind}: ${mutations}\n`)
    return { kind, mutations, codes }
  })
  const all = results.reduce((sum, { mutations }) => sum + mutations, 0)
  return { results, verified, perSecond: all / ((performance.now() - started) / 1000) }
}

const FILES = 8
/** The verifier gets no more heap than this, so that what grows with the records ends it. */
const HEAP_MB = 64

interface Speed {
  bytes: number
  perSecond: number
  /** Of CPU, all threads: what a busy machine does not change. */
  perCpuSecond: number
  peakRss: number
  /** Medians of the second and the last quarter of the time. */
  earlyRss: number
  lateRss: number
  ok: boolean
}

/** Files as a service rotates them, by its own chain. */
async function writeRecords(dir: string): Promise<string[]> {
  const files: string[] = []
  let descriptor = -1
  let lines: string[] = []
  let written = 0
  const flush = (): void => {
    if (lines.length > 0) writeSync(descriptor, `${lines.join('\n')}\n`)
    lines = []
  }
  const witness: string[] = []
  const chain = realChain({
    key: KEY,
    witness: (jws) => witness.push(jws),
    onLine(line) {
      if (written++ % Math.ceil(records / FILES) === 0) {
        flush()
        if (descriptor >= 0) closeSync(descriptor)
        files.push(path.join(dir, `audit-${files.length}.jsonl`))
        descriptor = openSync(files.at(-1) as string, 'wx')
      }
      lines.push(line)
      if (lines.length === 1000) flush()
    },
  })
  // With its open record, the checkpoint behind it, close, and the last checkpoint.
  for (let call = 0; written < records - 3; call++) {
    chain.call(call)
    if (call % 1000 === 0) await setImmediate()
  }
  await chain.close()
  flush()
  closeSync(descriptor)
  writeFileSync(path.join(dir, 'keys.json'), KEYS)
  writeFileSync(path.join(dir, 'witness'), witness.map((jws) => `${jws}\n`).join(''))
  return files
}

/** Runs the command itself, and looks at its memory while it runs. */
async function runSpeed(): Promise<Speed> {
  const dir = mkdtempSync(path.join(tmpdir(), 'ductape-mcp-evidence-'))
  try {
    const files = await writeRecords(dir)
    const args = ['audit', 'verify', ...files, '--keys', path.join(dir, 'keys.json'), '--json']
    const started = performance.now()
    const child = spawn(
      process.execPath,
      [`--max-old-space-size=${HEAP_MB}`, 'src/main.ts', ...args, '--witness', path.join(dir, 'witness')],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    )
    const rss: number[] = []
    let cpu = Number.NaN
    const timer = setInterval(() => {
      rss.push(rssOf(child.pid))
      cpu = cpuOf(child.pid) ?? cpu
    }, 100)
    const [code] = (await once(child, 'exit')) as [number | null]
    clearInterval(timer)
    const seconds = (performance.now() - started) / 1000
    return {
      bytes: files.reduce((sum, file) => sum + statSync(file).size, 0),
      perSecond: records / seconds,
      // Where the system does not say, the time that it took.
      perCpuSecond: records / (Number.isNaN(cpu) ? seconds : cpu),
      peakRss: Math.max(...rss),
      earlyRss: median(rss.slice(rss.length / 4, rss.length / 2)),
      lateRss: median(rss.slice((rss.length * 3) / 4)),
      ok: code === 0,
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN

/** Mebibytes; 0 once it has ended. */
function rssOf(pid: number | undefined): number {
  try {
    if (process.platform === 'linux')
      return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
    return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1024
  } catch {
    return 0
  }
}

/** Seconds of CPU so far (proc(5), utime and stime in hundredths); undefined once it has ended, or where there is no /proc. */
function cpuOf(pid: number | undefined): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) / 100
  } catch {
    return undefined
  }
}

const { results, verified, perSecond } = runMutations()
for (const line of verified.slice(0, 20)) process.stdout.write(`VERIFIED: ${line}\n`)
const speed = await runSpeed()

process.exitCode = publish(
  {
    area: 'evidence',
    what: 'The verifier of records: random mutations of a segment of 64 records with a witness, of which none may verify, and its speed and memory on generated records.',
    command: `npm run verify evidence${full ? '' : ` -- --count ${count} --records ${records}`}`,
    seed,
    notes: [
      'Repeat a run with `-- --seed N`',
      `${Math.round(perSecond)} mutations a second, each verified from the line that it touches on`,
      `${records} records of ${Math.round(speed.bytes / records)} bytes in ${FILES} files, verified by the command with a witness and a heap of ${HEAP_MB} MB, ${Math.round(speed.perSecond)} a second beside whatever else ran`,
    ],
    figures: [
      {
        title: 'Mutations',
        columns: ['kind', 'mutations', 'found as'],
        rows: results.map(({ codes, kind, mutations }) => [
          kind,
          mutations,
          [...codes]
            .sort(([, a], [, b]) => b - a)
            .map(([code, number]) => `${code} ${number}`)
            .join(', '),
        ]),
      },
    ],
    bounds: [
      { what: 'mutations that verify', measured: verified.length, bound: 0, kind: 'ceiling' },
      {
        what: 'mutations in all',
        measured: results.reduce((sum, { mutations }) => sum + mutations, 0),
        bound: count,
        kind: 'floor',
      },
      {
        what: 'mutations of the rarest kind',
        measured: Math.min(...results.map(({ mutations }) => mutations)),
        bound: count / 100,
        kind: 'floor',
      },
      { what: 'the generated records verify', measured: speed.ok ? 1 : 0, bound: 1, kind: 'floor' },
      { what: 'records a second of CPU', measured: speed.perCpuSecond, bound: 20_000, kind: 'floor' },
      {
        what: 'memory in the last quarter of the run beside the second',
        measured: speed.lateRss / speed.earlyRss,
        bound: 1.15,
        kind: 'ceiling',
      },
      { what: 'most memory', measured: speed.peakRss, bound: 256, kind: 'ceiling', unit: 'MiB' },
    ],
  },
  { write: full },
)
