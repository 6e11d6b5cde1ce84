// Whatever a payload holds, Python's own parser reads the snippet and its literals evaluate to the payload and to the flattened arguments.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import { SNIPPET_FAMILIES, snippetFamily } from '../../src/catalogue/index.ts'
import type { Json } from '../../src/core/json.ts'
import { flatten } from '../../src/tools/snippet/flatten.ts'
import { findOperation, type SnippetOperation, writeSnippet } from '../../src/tools/snippet/index.ts'
import { FIXED, payloads, RUNS, SEED } from '../snippet/lib/corpus.ts'
import { difference } from '../snippet/lib/same.ts'
import { unless } from './lib/tools.ts'

const READER = fileURLToPath(new URL('../snippet/lib/literals.py', import.meta.url))
const BATCH = 500

// As in the TypeScript test: nothing in the code that a display hides or reorders.
const HIDDEN = /[^\P{C}\n]|[^\P{Z} ]|\p{Default_Ignorable_Code_Point}/u

const { rawJSON } = JSON as unknown as { rawJSON(text: string): Json }

interface Reply {
  payload: unknown
  args: unknown
  call: string
  statements: string[]
}

// Numbers come back with Python's digits, so that integers beyond a double compare exactly.
function parseReply(line: string): Reply {
  const keepDigits = (_: string, value: unknown, context: { source?: string }) =>
    typeof value === 'number' && /^-?\d{16,}$/.test(context.source ?? '')
      ? rawJSON(context.source ?? '')
      : value
  const reply = (JSON.parse as (text: string, reviver: typeof keepDigits) => Reply)(line, keepDigits)
  return { ...reply, payload: decode(reply.payload), args: decode(reply.args) }
}

// The reader's form of a value, see there.
function decode(value: unknown): unknown {
  if (!Array.isArray(value)) return value
  const [kind, ...parts] = value as [string, ...unknown[]]
  if (kind === 'infinity') return parts[0] === true ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
  if (kind === 'items') return parts.map(decode)
  return Object.fromEntries((parts as [string, unknown][]).map(([name, item]) => [name, decode(item)]))
}

const OPERATIONS: readonly SnippetOperation[] = SNIPPET_FAMILIES.flatMap((family) =>
  (snippetFamily(family)?.methods ?? []).map((method) => {
    const found = findOperation(family, method)
    assert.ok(found.ok)
    return found.operation
  }),
)

// In batches, so that a long run keeps only what python3 has not answered yet.
function* cases(): Generator<[SnippetOperation, Json]> {
  for (const payload of FIXED) for (const operation of OPERATIONS) yield [operation, payload]
  for (let done = 0; done < RUNS; done += BATCH) {
    yield* fc.sample(fc.tuple(fc.constantFrom(...OPERATIONS), payloads), {
      seed: SEED + done,
      numRuns: Math.min(BATCH, RUNS - done),
    })
  }
}

test('python3 reads every snippet', { skip: unless('python3') }, async (t) => {
  t.diagnostic(`seed ${SEED}, ${RUNS} runs`)
  const python = spawn('python3', ['-I', READER], { stdio: ['pipe', 'pipe', 'pipe'] })
  t.after(() => python.kill('SIGKILL'))
  let stderr = ''
  python.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr = (stderr + chunk).slice(-4000)
  })

  const unanswered: { operation: SnippetOperation; payload: Json; code: string }[] = []
  let fed = false
  function* feed(): Generator<string> {
    for (const [operation, payload] of cases()) {
      const code = writeSnippet('python', operation, payload)
      unanswered.push({ operation, payload, code })
      yield `${JSON.stringify({ code })}\n`
    }
    fed = true
  }
  // A reader that died ends the loop below with snippets unanswered; its own words are shown there.
  pipeline(Readable.from(feed()), python.stdin).catch(() => {})

  let count = 0
  for await (const line of createInterface({ input: python.stdout })) {
    const asked = unanswered.shift()
    assert.ok(asked)
    const { operation, payload, code } = asked
    const where = `seed ${SEED}, case ${count}, ${operation.path.join('.')}`
    const reply = parseReply(line)
    assert.deepEqual([where, difference(payload, reply.payload)], [where, undefined])
    assert.deepEqual([where, difference(flatten(operation, payload), reply.args)], [where, undefined])
    assert.equal(reply.call, `ductape.${operation.path.join('.')}(args)`, where)
    assert.deepEqual(reply.statements, ['ImportFrom', 'Import', 'Import', 'Assign', 'FunctionDef'], where)
    assert.doesNotMatch(code, HIDDEN, where)
    count++
  }
  assert.deepEqual([fed, unanswered.length], [true, 0], `case ${count}: ${stderr}`)
  assert.equal(count, FIXED.length * OPERATIONS.length + RUNS)
})
