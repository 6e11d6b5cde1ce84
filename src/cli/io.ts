// What a command gets from the process: streams, environment and files.
import { readFileSync } from 'node:fs'

export interface Io {
  out(text: string): void
  err(text: string): void
  env: Readonly<Record<string, string | undefined>>
  readFile(path: string): string
}

export interface ProcessIo extends Io {
  /** Resolves when the kernel has taken what `out` wrote: a pipe takes it piece by piece, and an exit would cut it. */
  taken(): Promise<void>
}

export function processIo(): ProcessIo {
  let taken: Promise<void> | undefined
  return {
    out: (text) => {
      // A reader that has seen enough (head, a pager) is no fault.
      if (taken === undefined) process.stdout.on('error', () => undefined)
      taken = new Promise((resolve) => {
        process.stdout.write(text, () => resolve())
      })
    },
    err: (text) => {
      process.stderr.write(text)
    },
    env: process.env,
    readFile: (path) => readFileSync(path, 'utf8'),
    taken: async () => taken,
  }
}

/**
 * Node opens these at their first use, which may be a dependency's `import 'node:process'` at any time; on a descriptor whose own
 * writer waits for a slow reader that fails with EEXIST, and the import with it.
 */
export const openStandardStreams = (): unknown => [process.stdout, process.stderr]

/** Exit codes of every command (design.md 5). */
export const EXIT = { ok: 0, finding: 1, usage: 2 } as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** A mistake in the arguments or the configuration; its message is shown as it is. */
export class UsageError extends Error {}
