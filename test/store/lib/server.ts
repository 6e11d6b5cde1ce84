// Runs a real Redis or Valkey on a free loopback port: killed, restarted, frozen and thawed by a test.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@redis/client'
import { createRedisStore, type RedisSettings, type RedisStore } from '../../../src/store/redis.ts'
import { quietPort } from '../../lib/ports.ts'
import { type Running, start } from '../../platform/lib/process.ts'
import { path } from '../../platform/lib/tools.ts'

export const SERVERS = [
  { name: 'Redis', program: 'redis-server' },
  { name: 'Valkey', program: 'valkey-server' },
] as const

export interface Server {
  readonly port: number
  readonly url: string
  /** As on power loss; resolves when the process is gone. */
  kill(): Promise<void>
  /** On the same port, with nothing kept. */
  restart(): Promise<void>
  freeze(): void
  thaw(): void
  stop(): Promise<void>
}

export interface ServerOptions {
  /** Command line options of the server. */
  args?: readonly string[]
  /** The listener speaks TLS. */
  tls?: boolean
}

export async function startServer(program: string, options: ServerOptions = {}): Promise<Server> {
  const { args = [], tls = false } = options
  // A replica's copy is written to the working directory, whatever `save` says.
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-server-'))
  const launch = async (port: number): Promise<Running> => {
    const listener = tls ? ['--port', '0', '--tls-port', String(port)] : ['--port', String(port)]
    const all = [
      ...listener,
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      '--repl-diskless-sync-delay',
      '0',
      ...args,
    ]
    // Its log goes to standard output, and what is waited for is read from standard error.
    const running = start('sh', ['-c', 'exec "$0" "$@" 1>&2', path(program), ...all], { cwd: folder })
    try {
      await running.line(/Ready to accept connections|Opening port failed/)
      if (/Opening port failed/.test(running.stderr())) throw new Error(running.stderr())
      return running
    } catch (error) {
      await running.stop()
      throw error
    }
  }
  let port = await quietPort()
  let running: Running | undefined
  // Another process may take the port between our look and the server's bind: then look again.
  for (let attempt = 1; running === undefined; attempt++) {
    try {
      running = await launch(port)
    } catch (error) {
      if (attempt === 5 || !/Address already in use/.test(String(error))) throw error
      port = await quietPort()
    }
  }
  let current = running
  return {
    port,
    url: `${tls ? 'rediss://localhost' : 'redis://127.0.0.1'}:${port}/0`,
    async kill() {
      current.child.kill('SIGKILL')
      await current.exit
    },
    async restart() {
      current = await launch(port)
    },
    freeze: () => void current.child.kill('SIGSTOP'),
    thaw: () => void current.child.kill('SIGCONT'),
    async stop() {
      current.child.kill('SIGCONT')
      await current.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export interface Opened {
  readonly store: RedisStore
  /** Every reason that was reported. */
  readonly reasons: string[]
}

/** A store as the service makes it, but patient where nothing else is said; time and chance are real here. */
export async function openStore(
  settings: Partial<RedisSettings> & { readonly url: string },
  readFile: (file: string) => string = () => {
    throw new Error('there are no files')
  },
): Promise<Opened> {
  const reasons: string[] = []
  const store = await createRedisStore(
    { prefix: 'ductape-mcp', timeout: 10_000, ...settings },
    { now: Date.now, random: Math.random, readFile, report: (reason) => void reasons.push(reason) },
  )
  return { store, reasons }
}

/** What a test starts and opens, and ends all at once. */
export function workbench(program: string) {
  const servers: Server[] = []
  const stores: RedisStore[] = []
  return {
    async launch(options?: ServerOptions): Promise<Server> {
      const launched = await startServer(program, options)
      servers.push(launched)
      return launched
    },
    async open(...given: Parameters<typeof openStore>): Promise<Opened> {
      const opened = await openStore(...given)
      stores.push(opened.store)
      return opened
    },
    async close(): Promise<void> {
      await Promise.all(stores.map((store) => store.close()))
      await Promise.all(servers.map((server) => server.stop()))
    },
  }
}

/** Resolves when `available()` is what is wanted. */
export async function until(store: RedisStore, wanted: boolean): Promise<void> {
  if (store.available() === wanted) return
  await new Promise<void>((resolve) =>
    store.onChange((available) => {
      if (available === wanted) resolve()
    }),
  )
}

/** A connection without the adapter: what an administrator, or an intruder, has. */
export async function rawClient(url: string, options: object = {}) {
  const client = createClient({ url, ...options })
  client.on('error', () => undefined)
  await client.connect()
  const send = (...args: string[]): Promise<unknown> => client.sendCommand(args)
  const time = async (): Promise<number> => {
    const [seconds, micros] = (await send('TIME')) as [string, string]
    return Number(seconds) * 1000 + Number(micros) / 1000
  }
  return {
    send,
    /** The server's time, in milliseconds. */
    time,
    /** Comes back when the server's clock has gone on by so much. */
    async pass(ms: number) {
      const end = (await time()) + ms
      while ((await time()) < end) await new Promise((resolve) => setImmediate(resolve))
    },
    close: () => client.destroy(),
  }
}
