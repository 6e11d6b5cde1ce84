// Starts and ends the processes of a run: pinned servers, the fake backend, the load generator. Ends only its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import net from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Answer, type Encoded, type Era, encode, reference } from './calls.ts'
import type { Load, Loaded } from './load.ts'
import { connect } from './socket.ts'

export const root = fileURLToPath(new URL('../../', import.meta.url))
const startLimitMs = 20_000
const stopLimitMs = 5_000
const loadLimitMs = 300_000

const children = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))

/** A port of loopback that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

type Launch = {
  readonly core: number
  readonly args: readonly string[]
  readonly env?: Record<string, string>
  /** Where stdout goes; stderr is kept beside it for the error message. Without files both are dropped. */
  readonly stdout?: string
  readonly stderr?: string
  readonly ipc?: boolean
}

/** Spawns Node pinned to one core, with nothing of this environment but PATH. */
export function launch({ core, args, env = {}, stdout, stderr, ipc = false }: Launch): ChildProcess {
  const files = [stdout, stderr].map((file) => (file === undefined ? 'ignore' : openSync(file, 'a')))
  const child = spawn('taskset', ['-c', String(core), process.execPath, ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'] ?? '', NODE_ENV: 'production', ...env },
    stdio: ['ignore', files[0] ?? 'ignore', files[1] ?? 'ignore', ...(ipc ? (['ipc'] as const) : [])],
  })
  for (const file of files) if (typeof file === 'number') closeSync(file)
  children.add(child)
  child.on('exit', () => children.delete(child))
  child.on('error', () => children.delete(child))
  return child
}

/** Asks the process to end, and after a while makes it. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), stopLimitMs)
  await gone
  clearTimeout(timer)
}

/** The next message that has the member, within the limit. */
export function message<K extends string, V>(child: ChildProcess, member: K, limitMs: number): Promise<V> {
  return new Promise((resolve, reject) => {
    const done = (finish: () => void) => {
      clearTimeout(timer)
      child.off('message', onMessage)
      child.off('exit', onExit)
      finish()
    }
    const onExit = () => done(() => reject(new Error(`the process ended before it sent ${member}`)))
    const onMessage = (value: unknown) => {
      const record = value as Record<string, unknown>
      if (member in record) done(() => resolve(record[member] as V))
      else if ('failed' in record) done(() => reject(new Error(String(record['failed']))))
    }
    const timer = setTimeout(() => done(() => reject(new Error(`no ${member} in time`))), limitMs)
    child.on('message', onMessage)
    child.on('exit', onExit)
  })
}

export type Backend = {
  readonly pid: number
  readonly port: number
  readonly answerBytes: (bytes: number) => Promise<void>
  readonly stop: () => Promise<void>
}

export async function startBackend(core: number): Promise<Backend> {
  const child = launch({ core, args: ['bench/harness/backend.ts'], ipc: true })
  const port = await message<'port', number>(child, 'port', startLimitMs)
  return {
    pid: child.pid ?? 0,
    port,
    async answerBytes(bytes) {
      const heard = message(child, 'answerBytes', startLimitMs)
      child.send({ answerBytes: bytes })
      await heard
    },
    stop: () => stop(child),
  }
}

export type Generator = {
  readonly pid: number
  /** `opened` is called when all connections stand and nothing is sent yet. */
  readonly run: (load: Load, opened?: () => void) => Promise<Loaded>
  readonly stop: () => Promise<void>
}

export function startGenerator(core: number): Generator {
  const child = launch({ core, args: ['bench/harness/load.ts'], ipc: true })
  return {
    pid: child.pid ?? 0,
    async run(load, opened) {
      const open = message(child, 'opened', startLimitMs)
      child.send({ load })
      await open
      opened?.()
      const loaded = message<'loaded', Loaded>(child, 'loaded', loadLimitMs)
      child.send({ go: true })
      return await loaded
    },
    stop: () => stop(child),
  }
}

/** One call on a connection of its own. */
export function callOnce(port: number, { bytes }: Encoded): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const connection = connect(
      port,
      (error) => (error ? reject(error) : connection.send(bytes)),
      (result) => {
        connection.close()
        if (result === undefined || result instanceof Error) reject(result)
        else resolve(result)
      },
    )
  })
}

/** Knocks until the server gives its first good answer; milliseconds from `since`. Throws when it ends or stays mute. */
export async function firstGoodCall(
  child: ChildProcess,
  port: number,
  era: Era,
  since: number,
  stderr?: string,
  authorization?: string,
): Promise<number> {
  const call = encode(reference, era, port, authorization)
  let last = 'it never listened'
  while (performance.now() - since < startLimitMs) {
    if (child.exitCode !== null || child.signalCode !== null) {
      last = `it ended with ${child.exitCode ?? child.signalCode}`
      break
    }
    try {
      const answer = await callOnce(port, call)
      if (reference.right(answer)) return performance.now() - since
      last = `it answered ${answer.status} ${answer.body.toString('utf8', 0, 500)}`
      if (answer.status !== 503) break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') last = (error as Error).message
    }
    await pause(1)
  }
  const said = stderr === undefined ? '' : readFileSync(stderr, 'utf8').slice(-1000)
  throw new Error(`no good first call: ${last}\n${said}`)
}
