// The frame of every run: cores chosen, fake backend and load generator up, a folder of its own, all of it gone at the end.
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { chooseCores } from './machine.ts'
import type { Bench } from './measure.ts'
import { startBackend, startGenerator } from './process.ts'

export async function session<T>(work: (bench: Bench) => Promise<T>): Promise<T> {
  const cores = chooseCores()
  const dir = mkdtempSync(path.join(os.tmpdir(), 'ductape-mcp-bench-'))
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
  const backend = await startBackend(cores.others)
  const generator = startGenerator(cores.others)
  try {
    return await work({ cores, backend, generator, dir })
  } finally {
    await generator.stop()
    await backend.stop()
  }
}

/** The load of the machine by others is part of the figures' worth. */
export function loadAverage(): string {
  return `Load average at the start ${os.loadavg()[0]?.toFixed(2)}, the runs' own processes not yet in it`
}

/** Progress goes to stderr; stdout holds the page. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
