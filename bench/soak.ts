// `npm run verify soak`: heap after forced GC while mixed calls run through ours; the slope over the last four fifths is bounded.
// --calls N (default 50,000), --seed N, --quick: 5,000 calls, prints only.
import { parseArgs } from 'node:util'
import { type Figures, publish } from '../scripts/verify/report.ts'
import { mixed } from './harness/calls.ts'
import { type Bench, type Running, start } from './harness/measure.ts'
import { message } from './harness/process.ts'
import { loadAverage, say, session } from './harness/session.ts'
import { slope } from './harness/stats.ts'
import { entry, ours } from './harness/targets.ts'

const slopeCeiling = 64
const samples = 10
const connections = 32

const { values } = parseArgs({
  options: { calls: { type: 'string' }, seed: { type: 'string' }, quick: { type: 'boolean' } },
})
const quick = values.quick ?? false
const calls = Number(values.calls ?? (quick ? 5_000 : 50_000))
const seed = Number(values.seed ?? 20261121)

type Sample = { readonly calls: number; readonly memory: NodeJS.MemoryUsage }

async function memory({ child }: Running): Promise<NodeJS.MemoryUsage> {
  const heard = message<'heap', NodeJS.MemoryUsage>(child, 'heap', 30_000)
  child.send({ heap: true })
  return await heard
}

type Soaked = {
  readonly list: readonly Sample[]
  readonly wrong: number
  readonly firstWrong?: string
  readonly cpu: number
}

async function soak(bench: Bench): Promise<Soaked> {
  const running = await start(
    bench,
    ours({ nodeArgs: ['--expose-gc', '--import', './bench/harness/heap.ts'] }),
    { ipc: true },
  )
  try {
    const list: Sample[] = [{ calls: 0, memory: await memory(running) }]
    let wrong = 0
    let cpu = 0
    let firstWrong: string | undefined
    for (let done = 0; done < calls; ) {
      const until = { calls: Math.min(Math.ceil(calls / samples), calls - done) }
      const loaded = await bench.generator.run({
        port: running.port,
        connections,
        calls: 'mixed',
        until,
        seed: seed + done,
      })
      running.trim()
      done += loaded.calls
      wrong += loaded.wrong
      firstWrong ??= loaded.firstWrong
      cpu += loaded.seconds
      list.push({ calls: done, memory: await memory(running) })
      say(`${done} calls, heap ${(list.at(-1)?.memory.heapUsed ?? 0) >> 10} KiB, ${wrong} wrong`)
    }
    return { list, wrong, ...(firstWrong === undefined ? {} : { firstWrong }), cpu }
  } finally {
    await running.stop()
  }
}

function figures(list: readonly Sample[]): Figures {
  const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(2)
  return {
    title: 'Memory after forced GC',
    note: 'MiB, all calls of the step answered before the sample.',
    columns: ['calls', 'heap used', 'external', 'array buffers', 'RSS'],
    rows: list.map(({ calls: at, memory: m }) => [
      String(at),
      mebibytes(m.heapUsed),
      mebibytes(m.external),
      mebibytes(m.arrayBuffers),
      mebibytes(m.rss),
    ]),
  }
}

async function main(): Promise<number> {
  if (!(calls >= samples) || !Number.isSafeInteger(seed))
    throw new Error(`--calls needs at least ${samples}, --seed an integer`)
  if (entry() === undefined) throw new Error('neither dist/ductape-mcp.mjs nor src/main.ts is there')
  const load = loadAverage()
  return await session(async (bench) => {
    const { list, wrong, firstWrong, cpu } = await soak(bench)
    // The first fifth warms caches, pools and the compiler.
    const last = list.filter((sample) => sample.calls >= calls / 5)
    const grows = (pick: (m: NodeJS.MemoryUsage) => number) =>
      slope(last.map((s) => ({ x: s.calls, y: pick(s.memory) })))
    const total = mixed.reduce((sum, { weight }) => sum + weight, 0)
    const mix = mixed.map(({ name, weight }) => `${name} ${Math.round((weight / total) * 100)} %`).join(', ')
    return publish(
      {
        area: 'soak',
        what: `Heap after forced GC over ${calls} mixed calls in both eras on ${connections} connections, sampled every ${Math.ceil(calls / samples)}.`,
        command: `npm run verify soak${quick ? ' -- --quick' : ''}`,
        seed,
        notes: [
          `Mix: ${mix}`,
          `ours: ${ours().what}, with --expose-gc`,
          bench.cores.words,
          load,
          `The calls took ${cpu.toFixed(0)} s`,
          ...(firstWrong === undefined ? [] : [`First wrong answer: ${firstWrong}`]),
        ],
        figures: [figures(list)],
        bounds: [
          {
            what: 'heap over the last four fifths',
            measured: grows((m) => m.heapUsed),
            bound: slopeCeiling,
            kind: 'ceiling',
            unit: 'B/call',
          },
          {
            what: 'external memory over the last four fifths',
            measured: grows((m) => m.external),
            bound: slopeCeiling,
            kind: 'ceiling',
            unit: 'B/call',
          },
          {
            what: 'answers that were not what the call asks for',
            measured: wrong,
            bound: 0,
            kind: 'ceiling',
          },
        ],
      },
      { write: !quick },
    )
  })
}

process.exitCode = await main()
