// The store that replicas share, in Redis or Valkey: one connection for commands and one for messages, every answer under a deadline.
import { RedisClient } from '@redis/client'
import { type Budget, type Store, StoreUnavailable } from '../core/store.ts'
import { checkBudget, milliseconds, permits } from './amounts.ts'
import { createChannels } from './channels.ts'
import { type Client, type Connection, DeadlinePassed, keepConnected, within } from './connection.ts'
import { COMPARE_AND_SWAP, COUNT, GIVE_BACK, JOIN, LEASE, LEAVE, MEMBERS, type Script } from './scripts.ts'

interface FileReference {
  readonly file: string
}

/** The config section `store.redis`. */
export interface RedisSettings {
  /** `rediss://host:port/database`, or `redis:` on loopback. */
  readonly url: string
  readonly username?: string | undefined
  readonly password?: FileReference | undefined
  readonly ca?: FileReference | undefined
  readonly cert?: FileReference | undefined
  readonly key?: FileReference | undefined
  readonly prefix: string
  /** Milliseconds that one operation, and one attempt to connect, may take. */
  readonly timeout: number
}

export interface RedisPorts {
  /** Milliseconds. */
  now(): number
  random(): number
  /** Throws where the file cannot be read. */
  readFile(path: string): string
  /** Told each new reason why the store cannot be reached: an error code of Node or Redis, `file`, `timeout` or `closed`. */
  report(reason: string): void
}

export interface RedisStore extends Store {
  /** Why the store could not be reached last, as `report` says it; undefined where it never failed or can be reached again. */
  fault(): string | undefined
  /** The text of INFO. */
  info(): Promise<string>
}

/** Commands that wait for a slow server; more are refused. */
const MAX_QUEUE = 10_000
const MAX_SECRET = 64 * 1024

/** Replies after which another connection may reach a server that can serve: this one has become a replica, or is still loading. */
const MOVE_ON = new Set(['READONLY', 'LOADING', 'MASTERDOWN', 'timeout'])

class FileFault extends Error {}

/** Connects in the background and heals by itself; resolves when the first attempt has ended, whether it worked or not. */
export async function createRedisStore(settings: RedisSettings, ports: RedisPorts): Promise<RedisStore> {
  const { prefix, timeout } = settings
  const channels = createChannels()
  const listeners: ((available: boolean) => void)[] = []
  let operations = 0
  let failures = 0
  let reason: string | undefined
  let wasAvailable = false
  let closed = false

  // Not `createClient`, which makes a class with a method for each of Redis's commands: 60 ms and 20 MB for what is not used here.
  const create = (): Client => new RedisClient(clientOptions(settings, ports.readFile))

  const available = (): boolean => commands.client() !== undefined && messages.client() !== undefined

  const changed = (): void => {
    const now = available()
    if (now === wasAvailable) return
    wasAvailable = now
    if (now) reason = undefined
    for (const listener of listeners) {
      try {
        listener(now)
      } catch {
        // A listener's fault is not the connection's.
      }
    }
  }

  const failed = (error: unknown): void => {
    const why = reasonOf(error)
    if (why === reason) return
    reason = why
    ports.report(why)
  }

  const keep = (prove: (client: Client) => Promise<unknown>): Connection =>
    keepConnected({ create, prove, timeout, now: ports.now, random: ports.random, changed, failed })

  const deliver = (message: string, channel: string): void => channels.deliver(channel, message)

  // A write: a replica, a full server and one that is loading answer everything else.
  const commands = keep((client) => client.sendCommand(['SET', `${prefix}:ready`, '1', 'PX', '1000']))
  const messages = keep(async (client) => {
    await client.sendCommand(['PING'])
    const names = channels.names()
    if (names.length > 0) await client.subscribe(names, deliver)
  })

  const run = async <T>(
    connection: Connection,
    send: (client: Client) => Promise<unknown>,
    read: (reply: unknown) => T,
  ): Promise<T> => {
    operations++
    const client = connection.client()
    if (client === undefined) {
      failures++
      throw new StoreUnavailable(`the store cannot be reached: ${closed ? 'closed' : (reason ?? 'offline')}`)
    }
    try {
      return read(await within(timeout, send(client)))
    } catch (error) {
      failures++
      const why = reasonOf(error)
      if (MOVE_ON.has(why)) {
        failed(error)
        connection.drop(client)
      }
      throw new StoreUnavailable(`the store did not do it: ${why}`)
    }
  }

  const command = <T>(read: (reply: unknown) => T, ...args: string[]): Promise<T> =>
    run(commands, (client) => client.sendCommand(args), read)

  const evaluate = <T>(
    read: (reply: unknown) => T,
    script: Script,
    key: string,
    ...args: string[]
  ): Promise<T> =>
    run(
      commands,
      async (client) => {
        try {
          return await client.sendCommand(['EVALSHA', script.sha1, '1', key, ...args])
        } catch (error) {
          // The server was restarted, or its scripts were flushed.
          if (replyCode(error) !== 'NOSCRIPT') throw error
          return await client.sendCommand(['EVAL', script.text, '1', key, ...args])
        }
      },
      read,
    )

  // Each kind of entry has its own part of the key space, as a Redis key has one type.
  const valueKey = (key: string): string => `${prefix}:value:${key}`
  const budgetKey = (key: string): string => `${prefix}:budget:${key}`
  const placesKey = (key: string): string => `${prefix}:places:${key}`
  const indexKey = (key: string): string => `${prefix}:index:${key}`
  const channelName = (channel: string): string => `${prefix}:${channel}`

  const join = (key: string, member: string, ttl: number | undefined, limit: number): Promise<boolean> =>
    evaluate(flag, JOIN, key, member, String(limit), optionalMilliseconds(ttl))

  await Promise.all([commands.tried, messages.tried])

  return {
    kind: 'redis',
    get: (key) => command(text, 'GET', valueKey(key)),
    setIfAbsent: async (key, value, ttl) =>
      (await command(text, 'SET', valueKey(key), value, 'PX', String(milliseconds(ttl)), 'NX')) === 'OK',
    compareAndSwap: async (key, expected, next, ttl) =>
      evaluate(
        flag,
        COMPARE_AND_SWAP,
        valueKey(key),
        ...optionalText(expected),
        ...optionalText(next),
        optionalMilliseconds(ttl),
      ),
    take: (key) => command(text, 'GETDEL', valueKey(key)),
    async lease(key, budget, want) {
      const wanted = permits(want)
      const numbers = [...budgetArguments(budget), String(wanted)]
      const [granted, wait] = await evaluate(pair, LEASE, budgetKey(key), ...numbers)
      return { granted, retryAfter: wanted === 0 ? 0 : wait }
    },
    async giveBack(key, budget, count) {
      await evaluate(flag, GIVE_BACK, budgetKey(key), ...budgetArguments(budget), String(permits(count)))
    },
    acquire: async (key, holder, limit, ttl) => join(placesKey(key), holder, ttl, limit),
    async release(key, holder) {
      await evaluate(flag, LEAVE, placesKey(key), holder)
    },
    indexAdd: async (index, member, ttl, limit) => join(indexKey(index), member, ttl, limit),
    indexRemove: (index, member) => evaluate(flag, LEAVE, indexKey(index), member),
    indexMembers: async (index) => (await evaluate(list, MEMBERS, indexKey(index))).map(String),
    indexCount: (index) => evaluate(whole, COUNT, indexKey(index)),
    async publish(channel, message) {
      await command(ignore, 'PUBLISH', channelName(channel), message)
    },
    async subscribe(channel, onMessage) {
      const name = channelName(channel)
      // Before the server confirms: a connection that is lost meanwhile takes it up again.
      const remove = channels.add(name, onMessage)
      try {
        await run(messages, (client) => client.subscribe([name], deliver), ignore)
      } catch (error) {
        remove()
        throw error
      }
      return () => {
        remove()
        // Nothing waits for it, and a connection that is lost now is not asked for the channel again.
        if (!channels.has(name))
          messages
            .client()
            ?.unsubscribe(name)
            .catch(() => undefined)
      }
    },
    available,
    onChange: (listener) => void listeners.push(listener),
    stats: () => ({ operations, failures }),
    fault: () => reason,
    info: async () => (await command(text, 'INFO')) ?? '',
    async close() {
      closed = true
      commands.close()
      messages.close()
      changed()
    },
  }
}

/** Options of one connection; files are read now, so that a rotated secret serves from the next connection on. */
function clientOptions(settings: RedisSettings, readFile: (path: string) => string) {
  const { username, timeout } = settings
  const url = new URL(settings.url)
  const read = (reference: FileReference | undefined): string | undefined => {
    if (reference === undefined) return undefined
    const text = readSecret(readFile, reference.file)
    // An empty password would make the library connect as the default user, without a word.
    if (text === '' || text.length > MAX_SECRET) throw new FileFault('empty or too long')
    return text
  }
  const files = { ca: read(settings.ca), cert: read(settings.cert), key: read(settings.key) }
  const password = read(settings.password)
  const base = {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 6379 : Number(url.port),
    connectTimeout: timeout,
    // Together with the ping, an idle connection to a frozen server is lost within about one and a half of this.
    socketTimeout: timeout,
    // Connecting again is ours: with new files, and under a deadline.
    reconnectStrategy: false,
  } as const
  return {
    socket:
      url.protocol === 'rediss:'
        ? {
            ...base,
            ...defined(files),
            tls: true as const,
            rejectUnauthorized: true,
            minVersion: 'TLSv1.2' as const,
          }
        : base,
    ...defined({ username, password }),
    database: Number(url.pathname.slice(1)),
    RESP: 3,
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_QUEUE,
    pingInterval: Math.ceil(timeout * 0.4),
    // Our own deadline ends every operation, also one that was written already.
    commandOptions: { timeout: 0 },
    disableClientInfo: true,
    maintNotifications: 'disabled',
  } as const
}

function readSecret(readFile: (path: string) => string, path: string): string {
  try {
    return readFile(path).replace(/\r?\n$/, '')
  } catch {
    throw new FileFault('unreadable')
  }
}

/** Without the members that are undefined. */
function defined<T extends Readonly<Record<string, string | undefined>>>(
  given: T,
): { [K in keyof T]?: string } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: string
  }
}

// An answer of another kind is no answer: taken for "absent", it would be a revocation or an approval that is not there.

class OddReply extends Error {}

function text(reply: unknown): string | undefined {
  if (reply === null) return undefined
  if (typeof reply === 'string') return reply
  throw new OddReply()
}

function flag(reply: unknown): boolean {
  if (reply === 0 || reply === 1) return reply === 1
  throw new OddReply()
}

function whole(reply: unknown): number {
  if (typeof reply === 'number') return reply
  throw new OddReply()
}

function list(reply: unknown): readonly unknown[] {
  if (Array.isArray(reply)) return reply
  throw new OddReply()
}

function pair(reply: unknown): readonly [number, number] {
  const [first, second] = list(reply)
  if (typeof first === 'number' && typeof second === 'number') return [first, second]
  throw new OddReply()
}

const ignore = (): void => undefined

const optionalText = (text: string | undefined): [string, string] =>
  text === undefined ? ['0', ''] : ['1', text]

const optionalMilliseconds = (ttl: number | undefined): string =>
  ttl === undefined ? '' : String(milliseconds(ttl))

function budgetArguments(budget: Budget): [string, string, string] {
  checkBudget(budget)
  return [String(budget.capacity), String(budget.refill), String(budget.per)]
}

/** Error replies by their first word; a server could answer any text, and none of it goes further than this list. */
const REPLIES: ReadonlySet<string> = new Set([
  ...[
    'BUSY',
    'CLUSTERDOWN',
    'CROSSSLOT',
    'DENIED',
    'ERR',
    'EXECABORT',
    'LOADING',
    'MASTERDOWN',
    'MISCONF',
    'MOVED',
  ],
  ...['NOAUTH', 'NOPERM', 'NOREPLICAS', 'NOSCRIPT', 'OOM', 'READONLY', 'WRONGPASS', 'WRONGTYPE'],
])

function replyCode(error: unknown): string | undefined {
  const word = error instanceof Error ? /^-?([A-Z]+)\b/.exec(error.message)?.[1] : undefined
  return word !== undefined && REPLIES.has(word) ? word : undefined
}

/** A short word that is safe to log: never a text of the server, of a file or of a caller. */
function reasonOf(error: unknown): string {
  if (error instanceof FileFault) return 'file'
  if (error instanceof DeadlinePassed) return 'timeout'
  const reply = replyCode(error)
  if (reply !== undefined) return reply
  const { code } = error as { code?: unknown }
  // Node's codes: ECONNREFUSED, ENOTFOUND, CERT_HAS_EXPIRED, ERR_TLS_CERT_ALTNAME_INVALID.
  if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,60}$/.test(code)) return code
  const message = error instanceof Error ? error.message : ''
  return /timeout/i.test(message)
    ? 'timeout'
    : /closed|disconnect|offline/i.test(message)
      ? 'closed'
      : 'unknown'
}
