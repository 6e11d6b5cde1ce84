// Which core serves and which core asks, and what the kernel counted for a process (Linux: /proc and taskset).
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

export type Cores = {
  /** The core of the server under test, and the one of backend, load generator and harness. */
  readonly server: number
  readonly others: number
  /** One sentence for the report. */
  readonly words: string
}

export type Usage = {
  /** CPU time of all threads in microseconds. */
  readonly cpu: number
  /** Time that the main thread stood ready in the run queue without a core, in microseconds. */
  readonly waited: number
}

/** The cores that this process may use, from a list as `0-1,4`. */
export function parseCores(list: string): number[] {
  return list
    .trim()
    .split(',')
    .flatMap((part) => {
      const [from = Number.NaN, to = from] = part.split('-').map(Number)
      return Array.from({ length: to - from + 1 }, (_, i) => from + i)
    })
}

/** Picks two cores and moves this process to the second; throws where the kernel has no such accounting. */
export function chooseCores(): Cores {
  if (process.platform !== 'linux') throw new Error('the runs read /proc and pin with taskset: Linux only')
  const status = readFileSync('/proc/self/status', 'utf8')
  const allowed = parseCores(/^Cpus_allowed_list:\s*(.+)$/m.exec(status)?.[1] ?? '0')
  const [server = 0, others = server] = allowed
  execFileSync('taskset', ['-acp', String(others), String(process.pid)], { stdio: 'ignore' })
  const words =
    server === others
      ? `only core ${server} is allowed: server, backend and load generator share it, rates mean little`
      : `server pinned to core ${server}; backend, load generator and harness to core ${others}`
  return { server, others, words }
}

/** From the kernel's schedstat of each thread: nanoseconds on a core, nanoseconds ready but waiting. */
export function usage(pid: number): Usage {
  let cpu = 0
  let waited = 0
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const [on = 0, ready = 0] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8')
      .split(' ')
      .map(Number)
    cpu += on / 1000
    if (thread === String(pid)) waited = ready / 1000
  }
  return { cpu, waited }
}

/** Resident memory in MiB: now, and the highest since the start. */
export function resident(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const mebibytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024
  return { now: mebibytes('VmRSS'), peak: mebibytes('VmHWM') }
}
