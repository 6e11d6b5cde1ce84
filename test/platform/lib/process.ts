// Starts a program, keeps the end of what it writes, and waits for a line, an exit or a deadline.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'

const KEPT = 256 * 1024

export interface Running {
  readonly child: ChildProcess
  readonly stdout: () => string
  readonly stderr: () => string
  /** Resolves with the first match on stderr; rejects with all it wrote when it ends or takes too long. */
  readonly line: (pattern: RegExp, timeoutMs?: number) => Promise<RegExpExecArray>
  readonly exit: Promise<Exit>
  readonly exitWithin: (timeoutMs: number) => Promise<Exit>
  /** SIGTERM, then SIGKILL after two seconds; never rejects. */
  readonly stop: () => Promise<void>
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export function start(
  file: string,
  args: readonly string[],
  options: SpawnOptions & { readonly input?: string } = {},
): Running {
  const { input, ...rest } = options
  const child = spawn(file, args, {
    ...rest,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  // A program that ends without reading its input is told by its exit code.
  child.stdin?.on('error', () => undefined).end(input)
  const label = `${file} ${args.join(' ')}`
  let stdout = ''
  let stderr = ''
  const listeners = new Set<() => void>()
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    stdout = (stdout + chunk).slice(-KEPT)
  })
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    stderr = (stderr + chunk).slice(-KEPT)
    for (const listener of listeners) listener()
  })
  const exit = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  exit.catch(() => undefined)

  const line = (pattern: RegExp, timeoutMs = 20_000): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        done()
        reject(new Error(`${label}: ${why}\nstderr: ${stderr}\nstdout: ${stdout.slice(-4000)}`))
      }
      const look = (): void => {
        const match = pattern.exec(stderr)
        if (match === null) return
        done()
        resolve(match)
      }
      const timer = setTimeout(() => fail(`wrote no line like ${pattern} in ${timeoutMs} ms`), timeoutMs)
      const done = (): void => {
        clearTimeout(timer)
        listeners.delete(look)
      }
      listeners.add(look)
      exit.then(
        ({ code, signal }) => fail(`ended with ${signal ?? code} first`),
        (error) => fail(String(error)),
      )
      look()
    })

  const exitWithin = async (timeoutMs: number): Promise<Exit> => {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`${label}: still running after ${timeoutMs} ms\nstderr: ${stderr}`)),
        timeoutMs,
      )
    })
    try {
      return await Promise.race([exit, late])
    } finally {
      clearTimeout(timer)
    }
  }

  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), 2000)
    await exit.catch(() => undefined)
    clearTimeout(timer)
  }

  return { child, stdout: () => stdout, stderr: () => stderr, line, exit, exitWithin, stop }
}

/** Runs a program to its end. */
export async function complete(
  file: string,
  args: readonly string[],
  options: SpawnOptions & { readonly timeoutMs?: number; readonly input?: string } = {},
): Promise<Exit & { readonly stdout: string; readonly stderr: string }> {
  const { timeoutMs = 60_000, ...rest } = options
  const running = start(file, args, rest)
  try {
    const exit = await running.exitWithin(timeoutMs)
    return { ...exit, stdout: running.stdout(), stderr: running.stderr() }
  } finally {
    await running.stop()
  }
}
