// Starts a target, runs one window of load against it and says what the kernel counted for it meanwhile.
import type { ChildProcess } from 'node:child_process'
import { existsSync, truncateSync } from 'node:fs'
import path from 'node:path'
import type { Era } from './calls.ts'
import type { Load, Loaded } from './load.ts'
import { type Cores, resident, usage } from './machine.ts'
import { type Backend, firstGoodCall, freePort, type Generator, launch, stop } from './process.ts'
import type { Target } from './targets.ts'

export type Bench = {
  readonly cores: Cores
  readonly backend: Backend
  readonly generator: Generator
  /** A folder for configs, records and stderr, removed at the end. */
  readonly dir: string
}

export type Running = {
  readonly target: Target
  readonly port: number
  readonly child: ChildProcess
  readonly pid: number
  /** From spawn to the first good call. */
  readonly readyMs: number
  /** What every load on it has to have. */
  readonly load: Pick<Load, 'authorization'>
  readonly stop: () => Promise<void>
  /** Empties the records file, so that a long run does not fill the disk. */
  readonly trim: () => void
}

/** Starts the target pinned to the server's core and waits for its first good call. */
export async function start(bench: Bench, target: Target, options: { ipc?: boolean } = {}): Promise<Running> {
  const port = await freePort()
  const {
    args,
    env = {},
    stdout = '/dev/null',
    authorization,
  } = target.start(port, bench.backend.port, bench.dir)
  const stderr = path.join(bench.dir, `stderr-${port}.txt`)
  const since = performance.now()
  const child = launch({ core: bench.cores.server, args, env, stdout, stderr, ipc: options.ipc ?? false })
  try {
    const era = target.eras[0] ?? 'legacy'
    const readyMs = await firstGoodCall(child, port, era, since, stderr, authorization)
    const trim = () => {
      if (stdout !== '/dev/null' && existsSync(stdout)) truncateSync(stdout)
    }
    const load = authorization === undefined ? {} : { authorization }
    return { target, port, child, pid: child.pid ?? 0, readyMs, load, stop: () => stop(child), trim }
  } catch (error) {
    await stop(child)
    throw new Error(`${target.name}: ${(error as Error).message}`)
  }
}

/** From the spawn of a Node that does nothing to its end: what every start pays. */
export async function bareStart(cores: Cores): Promise<number> {
  const since = performance.now()
  const child = launch({ core: cores.server, args: ['-e', '0'] })
  const code = await new Promise((resolve) => child.on('exit', resolve))
  if (code !== 0) throw new Error('node -e 0 failed')
  return performance.now() - since
}

export type Window = {
  readonly loaded: Loaded
  /** CPU of the server process in microseconds per call. */
  readonly cpu: number
  readonly rate: number
  /** Share of its core that the server used; near 1 it was the bottleneck. */
  readonly busy: number
  /** Share of the time that the server's main thread was ready but had no core: disturbance from outside. */
  readonly waited: number
  readonly generatorCpu: number
  readonly backendCpu: number
  /** Share of the other core that backend and load generator used together. */
  readonly othersBusy: number
  readonly resident: { readonly now: number; readonly peak: number }
}

/** One window of load; throws when any answer was wrong: a figure for wrong answers says nothing. */
export async function measure(bench: Bench, running: Running, load: Omit<Load, 'port'>): Promise<Window> {
  const pids = [running.pid, bench.generator.pid, bench.backend.pid]
  let before = pids.map(usage)
  const loaded = await bench.generator.run({ ...load, ...running.load, port: running.port }, () => {
    before = pids.map(usage)
  })
  const after = pids.map(usage)
  const memory = resident(running.pid)
  running.trim()
  if (loaded.wrong > 0) {
    throw new Error(
      `${running.target.name}: ${loaded.wrong} of ${loaded.calls} answers wrong, first ${loaded.firstWrong}`,
    )
  }
  const spent = after.map((now, i) => now.cpu - (before[i]?.cpu ?? Number.NaN))
  const [server = Number.NaN, generator = Number.NaN, backend = Number.NaN] = spent
  const wall = loaded.seconds * 1e6
  return {
    loaded,
    cpu: server / loaded.calls,
    rate: loaded.calls / loaded.seconds,
    busy: server / wall,
    waited: ((after[0]?.waited ?? Number.NaN) - (before[0]?.waited ?? Number.NaN)) / wall,
    generatorCpu: generator / loaded.calls,
    backendCpu: backend / loaded.calls,
    othersBusy: (generator + backend) / wall,
    resident: memory,
  }
}

export type Variant = { readonly target: Target; readonly era: Era }

/** Every era of every target: what the tables have a row for. */
export function variants(targets: readonly Target[]): Variant[] {
  return targets.flatMap((target) => target.eras.map((era) => ({ target, era })))
}
