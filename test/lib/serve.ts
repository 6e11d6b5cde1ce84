// Runs `serve` as a process of its own, with free ports and a configuration of the test.
import assert from 'node:assert/strict'
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../..')

export interface Served {
  child: ChildProcess
  /** Origins of the two listeners. */
  url: string
  ops: string
  stderr(): string
  stdout(): string
  exit: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

export interface ServeOptions {
  /** Members of the configuration besides the listeners, as JSON (which is YAML). */
  config?: Record<string, unknown>
  env?: Record<string, string>
  /** Further arguments of `serve`. */
  args?: readonly string[]
  /** The folder that it runs in; one of its own by default. */
  cwd?: string
  /** Where the records go; a pipe that this process reads by default. */
  stdout?: number
}

/** live/limits.yaml without a limit. */
export const NO_LIMITS = {
  principal: {
    rate: 'off',
    concurrency: 'off',
    executions: 'off',
    inputTokens: 'off',
    outputTokens: 'off',
    deadline: 'off',
  },
} as const

/** Starts the service and waits until it listens; rejects with what it said where it ends first. */
export async function serve({
  config = {},
  env = {},
  args = [],
  cwd,
  stdout,
}: ServeOptions): Promise<Served> {
  const directory = mkdtempSync(join(tmpdir(), 'ductape-mcp-serve-'))
  const file = join(directory, 'config.yaml')
  const live = join(directory, 'live')
  mkdirSync(live)
  // A test is one caller, and as fast as it can be; one that is about limits brings its own folder.
  writeFileSync(join(live, 'limits.yaml'), JSON.stringify(NO_LIMITS))
  writeFileSync(
    file,
    JSON.stringify({
      listen: '127.0.0.1:0',
      ops: '127.0.0.1:0',
      live,
      receipts: { keys: 'boot' },
      ...config,
    }),
  )
  const stdio: StdioOptions = ['ignore', stdout ?? 'pipe', 'pipe']
  const child = spawn(process.execPath, [join(ROOT, 'src/main.ts'), 'serve', '--config', file, ...args], {
    cwd: cwd ?? directory,
    env: { ...env },
    stdio,
  })
  // A test that fails half-way must not leave it behind.
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  let out = ''
  let err = ''
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    out += chunk
  })
  const exit = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((done) => {
    child.once('close', (code, signal) => {
      process.off('exit', kill)
      rmSync(directory, { recursive: true, force: true })
      done({ code, signal })
    })
  })
  const listening = new Promise<void>((done, fail) => {
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      err += chunk
      if (/"event":"started"/.test(err)) done()
    })
    exit.then(() => fail(new Error(`serve ended before it listened: ${err}`)))
  })
  await listening
  const url = /listening on (http:\S+)/.exec(err)?.[1]
  const ops = /(http:\S+)\/readyz/.exec(err)?.[1]
  assert.ok(url !== undefined && ops !== undefined, err)
  return { child, url, ops, stderr: () => err, stdout: () => out, exit }
}
