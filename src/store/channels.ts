// Who listens on which channel, in this process.

export interface Channels {
  names(): string[]
  has(channel: string): boolean
  /** Returns what takes the listener away again. */
  add(channel: string, listener: (message: string) => void): () => void
  deliver(channel: string, message: string): void
}

export function createChannels(): Channels {
  // Each subscription has an object of its own: the same function may listen twice.
  const channels = new Map<string, Set<{ readonly listener: (message: string) => void }>>()
  return {
    names: () => [...channels.keys()],
    has: (channel) => channels.has(channel),
    add(channel, listener) {
      const subscription = { listener }
      const present = channels.get(channel)
      if (present === undefined) channels.set(channel, new Set([subscription]))
      else present.add(subscription)
      return () => {
        const listeners = channels.get(channel)
        listeners?.delete(subscription)
        if (listeners?.size === 0) channels.delete(channel)
      }
    },
    deliver(channel, message) {
      for (const { listener } of channels.get(channel) ?? []) {
        try {
          listener(message)
        } catch {
          // A listener's fault is not the next one's, nor the connection's.
        }
      }
    },
  }
}
