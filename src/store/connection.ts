// Keeps one connection to Redis: opens it, proves it, and opens it again after growing pauses for as long as the store lives.

/** What is used of a client of @redis/client. */
export interface Client {
  readonly isReady: boolean
  connect(): Promise<unknown>
  sendCommand(args: readonly string[]): Promise<unknown>
  subscribe(channels: string[], listener: (message: string, channel: string) => void): Promise<void>
  unsubscribe(channel: string): Promise<void>
  destroy(): void
  on(event: 'error' | 'terminated' | 'connect', listener: () => void): unknown
}

export interface ConnectionOptions {
  /** A client that is not connected yet and gives up when its connection is lost; new for each attempt, because files may have changed. */
  create(): Client
  /** What has to work before the connection counts. */
  prove(client: Client): Promise<unknown>
  /** Milliseconds for one attempt. */
  timeout: number
  now(): number
  random(): number
  /** After each change of `client()`. */
  changed(): void
  failed(error: unknown): void
}

export interface Connection {
  /** Undefined while there is none. */
  client(): Client | undefined
  /** Gives this client up and opens another. */
  drop(client: Client): void
  /** Resolves when the first attempt has ended, either way. */
  readonly tried: Promise<void>
  close(): void
}

const FIRST_PAUSE = 50
export const LONGEST_PAUSE = 2000

export class DeadlinePassed extends Error {
  override name = 'DeadlinePassed'
}

/** Rejects with DeadlinePassed where the promise takes longer: a frozen server never answers, and the library then waits for ever. */
export function within<T>(timeout: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    // One more turn of the event loop: where it was this process that stood still, the answer is there already and only unread.
    const timer = setTimeout(() => setImmediate(() => reject(new DeadlinePassed())), timeout)
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

export function keepConnected(options: ConnectionOptions): Connection {
  let current: Client | undefined
  let since = 0
  let failures = 0
  let closed = false
  let timer: NodeJS.Timeout | undefined

  const again = (): void => {
    if (closed) return
    // Half of the pause is left to chance: the replicas of a fleet lost the store at the same moment.
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** failures) * (0.5 + options.random() / 2)
    failures = Math.min(failures + 1, 10)
    timer = setTimeout(attempt, pause)
  }

  const drop = (client: Client): void => {
    if (client !== current) return
    current = undefined
    client.destroy()
    // A server that takes connections and closes them at once is not asked without a pause.
    if (options.now() - since > LONGEST_PAUSE) failures = 0
    options.changed()
    again()
  }

  const open = async (client: Client): Promise<void> => {
    await client.connect()
    await options.prove(client)
  }

  const attempt = async (): Promise<void> => {
    let client: Client | undefined
    let over = false
    try {
      const made = options.create()
      client = made
      const lost = (): void => drop(made)
      // Also after an answer that could not be read: the next one might be taken for the answer to another command.
      made.on('error', lost)
      made.on('terminated', lost)
      // The library goes on connecting after `destroy`.
      made.on('connect', () => {
        if (over) made.destroy()
      })
      await within(options.timeout, open(made))
      if (closed || !made.isReady) throw new Error('closed')
      current = made
      since = options.now()
      options.changed()
    } catch (error) {
      over = true
      client?.destroy()
      if (!closed) options.failed(error)
      again()
    }
  }

  return {
    client: () => current,
    drop,
    tried: attempt(),
    close() {
      closed = true
      clearTimeout(timer)
      current?.destroy()
      current = undefined
    },
  }
}
