// Types blocks of commands into one shell, each when the one before has ended well, and keeps what was written and how long it took.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Block } from './page.ts'

export interface Typed extends Block {
  readonly output: string
  readonly seconds: number
}

export interface Session {
  readonly typed: readonly Typed[]
  /** What the shell wrote of the block in which it ended; undefined where all blocks ended well. */
  readonly failed: string | undefined
}

/** A shell within the shell of a block reads on where it stands: what is typed next goes there. */
export async function typeInto(
  list: readonly Block[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv; readonly signal: AbortSignal },
): Promise<Session> {
  // A group of its own, so that all of it can be ended at once.
  const shell = spawn('bash', ['--noprofile', '--norc'], {
    cwd: options.cwd,
    env: options.env,
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  })
  const end = (): void => {
    try {
      if (shell.pid !== undefined) process.kill(-shell.pid, 'SIGTERM')
    } catch {
      // Nothing of it runs any more.
    }
  }
  options.signal.addEventListener('abort', end)
  // What it has put in the background would keep its output open.
  shell.once('exit', end)
  // It may end before it has read everything.
  shell.stdin.on('error', () => undefined)
  const typed: Typed[] = []
  let output = ''
  let started = performance.now()
  const mark = (): string => `@@ block ${typed.length} @@`
  const next = (): void => {
    const block = list[typed.length]
    started = performance.now()
    if (block === undefined) shell.stdin.end()
    // In each block, because an inner shell does not know it.
    else shell.stdin.write(`exec 2>&1; set -e\n${block.text}printf '\\n%s\\n' '${mark()}'\n`)
  }
  shell.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    process.stdout.write(chunk)
    output += chunk
    const block = list[typed.length]
    const [before = '', after] = output.split(`\n${mark()}\n`)
    if (after === undefined || block === undefined) return
    typed.push({ ...block, output: before, seconds: (performance.now() - started) / 1_000 })
    output = after
    next()
  })
  next()
  await once(shell, 'close')
  options.signal.removeEventListener('abort', end)
  return { typed, failed: typed.length === list.length ? undefined : output }
}
