// What a command gets from the process: streams, environment and files.
import { readFileSync } from 'node:fs'

export interface Io {
  out(text: string): void
  err(text: string): void
  env: Readonly<Record<string, string | undefined>>
  readFile(path: string): string
}

export const processIo = (): Io => ({
  out: (text) => {
    process.stdout.write(text)
  },
  err: (text) => {
    process.stderr.write(text)
  },
  env: process.env,
  readFile: (path) => readFileSync(path, 'utf8'),
})

/** Exit codes of every command (design.md 5). */
export const EXIT = { ok: 0, finding: 1, usage: 2 } as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** A mistake in the arguments or the configuration; its message is shown as it is. */
export class UsageError extends Error {}
