// Runs a program of this project as a child process for tests, with what it writes kept; ends it by its own id.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

export interface Child {
  process: ChildProcess
  stdout(): string
  stderr(): string
  /** Resolves with the first match in stderr; rejects when the child ends without one. */
  says(pattern: RegExp): Promise<RegExpExecArray>
  /** Sends the signal and resolves with the exit code when all output is there. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export interface ChildOptions {
  /** Takes the place of the whole environment. */
  env?: Record<string, string>
  nodeOptions?: readonly string[]
  ipc?: boolean
}

/** `args` begins with the script, relative to the root of the project. */
export function startChild(args: readonly string[], options: ChildOptions = {}): Child {
  const child = spawn(process.execPath, [...(options.nodeOptions ?? []), ...args], {
    cwd: root,
    env: options.env ?? {},
    stdio: ['ignore', 'pipe', 'pipe', ...(options.ipc ? (['ipc'] as const) : [])],
    serialization: 'json',
  })
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const closed = once(child, 'close')
  return {
    process: child,
    stdout: () => stdout,
    stderr: () => stderr,
    async says(pattern) {
      for (;;) {
        const match = pattern.exec(stderr)
        if (match !== null) return match
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`the child ended:\n${stderr}`)
        await Promise.race([once(child.stderr as NodeJS.ReadableStream, 'data'), closed])
      }
    },
    async stop(signal = 'SIGTERM') {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal)
      await closed
      return child.exitCode
    },
  }
}
