// npm run check: types, lint and format, layers, generated files; each step with its time, exit 1 where one fails.
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { checkLayers } from './lib/layers.ts'
import { readSources } from './lib/sources.ts'

const ROOT = resolve(import.meta.dirname, '..')
const BIN = resolve(ROOT, 'node_modules/.bin')

interface Outcome {
  ok: boolean
  output: string
}

const run = (file: string, ...args: string[]): Promise<Outcome> =>
  new Promise((done) => {
    let output = ''
    const child = spawn(file, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk
      })
    child.once('error', (error) => done({ ok: false, output: error.message }))
    child.once('close', (code) => done({ ok: code === 0, output }))
  })

function layers(): Outcome {
  const found = checkLayers(readSources())
  return { ok: found.length === 0, output: found.join('\n') }
}

const STEPS: readonly [name: string, step: () => Outcome | Promise<Outcome>][] = [
  ['types', () => run(resolve(BIN, 'tsc'), '--noEmit')],
  ['lint', () => run(resolve(BIN, 'biome'), 'check', '.')],
  ['layers', layers],
  ['generated', () => run(process.execPath, resolve(ROOT, 'scripts/generate.ts'), '--check')],
]

// The steps read only, so they run at once; they are told in their order.
const outcomes = STEPS.map(async ([name, step]) => {
  const started = performance.now()
  return { name, ...(await step()), ms: performance.now() - started }
})
let failed = 0
for (const outcome of outcomes) {
  const { name, ok, output, ms } = await outcome
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${name.padEnd(10)} ${(ms / 1000).toFixed(1)} s`)
  if (ok) continue
  failed++
  console.log(output.trimEnd())
}
process.exitCode = failed === 0 ? 0 : 1
