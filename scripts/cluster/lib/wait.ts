// Waits for a condition with a deadline, and runs a program to its end.
import { type ExecFileException, execFile } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'

export interface Done {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Never throws for a bad exit: the caller judges the code. */
export function run(
  command: string,
  args: readonly string[],
  options: {
    readonly input?: string
    readonly env?: NodeJS.ProcessEnv
    readonly timeoutMs?: number
    readonly cwd?: string
  } = {},
): Promise<Done> {
  return new Promise((resolve) => {
    const child = execFile(
      command,
      [...args],
      {
        env: options.env ?? process.env,
        timeout: options.timeoutMs ?? 120_000,
        cwd: options.cwd,
        maxBuffer: 64 * 2 ** 20,
        killSignal: 'SIGKILL',
      },
      (error: ExecFileException | null, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
        resolve({ code, stdout, stderr: error !== null && stderr === '' ? error.message : stderr })
      },
    )
    // A program that ends before it has read its input is judged by its exit code.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(options.input ?? '')
  })
}

export async function must(
  command: string,
  args: readonly string[],
  options: Parameters<typeof run>[2] = {},
): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, options)
  if (code !== 0)
    throw new Error(
      `${command.split('/').at(-1)} ${args.join(' ').slice(0, 200)}: exit ${code}: ${stderr.trim().slice(-2_000)}`,
    )
  return stdout
}

/** The first value that is not undefined; the deadline's error names what was waited for and the last failure. */
export async function until<T>(
  what: string,
  seconds: number,
  probe: () => Promise<T | undefined>,
): Promise<T> {
  const end = performance.now() + seconds * 1_000
  let last = ''
  for (;;) {
    try {
      const value = await probe()
      if (value !== undefined) return value
    } catch (error) {
      last = error instanceof Error ? `: ${error.message}` : ''
    }
    if (performance.now() > end) throw new Error(`waited ${seconds} s for ${what}${last}`)
    await pause(100)
  }
}
