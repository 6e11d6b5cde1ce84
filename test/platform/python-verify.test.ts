// The verifier in Python says of every vector what the service's own says: they share the page of the format, and no code.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { apply, KIND_NAMES, makeSegment, mutate } from '../audit/lib/mutate.ts'
import { prepareRefusal } from '../audit/lib/refuse.ts'
import { KEYS, type ReceiptVector, type Vector } from '../audit/lib/vector.ts'
import { runPopulation } from '../audit/population/run.ts'
import { temporary } from '../lib/process.ts'
import { seeded } from '../store/lib/random.ts'
import { PYTHON, unless } from './lib/tools.ts'

const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
const MUTATIONS = 10_000
const READER = fileURLToPath(new URL('./python-verify.py', import.meta.url))
const SKIP = unless('python packages')

interface Said {
  ok?: true
  code?: string
  file?: string | null
  line?: number | null
  unknown?: number
  lost?: number
  uncovered?: number
  torn?: number
}

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
const vectorsIn = <T>(name: string): T[] =>
  read(`../audit/vectors/${name}`)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)

/** What Python says of each, in one process; they are made as it reads them. */
async function ask(vectors: Iterable<object>): Promise<Said[]> {
  const python = spawn(PYTHON, ['-I', '-W', 'ignore', READER], { stdio: ['pipe', 'pipe', 'inherit'] })
  try {
    const ended = once(python, 'close')
    const fed = pipeline(Readable.from(linesOf(vectors)), python.stdin)
    const said: Said[] = []
    for await (const line of createInterface({ input: python.stdout })) said.push(JSON.parse(line) as Said)
    await fed
    assert.deepEqual(await ended, [0, null])
    return said
  } finally {
    python.kill('SIGKILL')
  }
}

function* linesOf(vectors: Iterable<object>): Generator<string> {
  for (const vector of vectors) yield `${JSON.stringify(vector)}\n`
}

test('records: every vector', { skip: SKIP }, async (t) => {
  const vectors = vectorsIn<Vector>('records.jsonl')
  const said = await ask(vectors)
  assert.equal(said.length, vectors.length)
  const counts = { good: 0, bad: 0 }
  for (const [i, { name, expect }] of vectors.entries()) {
    const verdict = said[i] as Said
    if ('ok' in expect) {
      counts.good++
      const { unknown = 0, lost = 0, uncovered, torn = 0 } = expect
      const { ok, ...numbers } = verdict
      assert.deepEqual(
        { name, ok, ...numbers },
        { name, ok: true, unknown, lost, uncovered: uncovered ?? numbers.uncovered, torn },
      )
    } else {
      counts.bad++
      const { code, file, line } = expect
      const found = {
        name,
        code: verdict.code,
        file: verdict.file ?? undefined,
        line: verdict.line ?? undefined,
      }
      assert.deepEqual(
        {
          ...found,
          file: file === undefined ? undefined : found.file,
          line: line === undefined ? undefined : found.line,
        },
        { name, code, file, line },
      )
    }
  }
  t.diagnostic(JSON.stringify(counts))
  assert.ok(counts.good > 5 && counts.bad > 25)
})

test('receipts: every vector', { skip: SKIP }, async (t) => {
  const vectors = vectorsIn<ReceiptVector>('receipts.jsonl')
  const said = await ask(vectors)
  assert.equal(said.length, vectors.length)
  for (const [i, { name, expect }] of vectors.entries())
    assert.deepEqual(
      { name, code: said[i]?.code, ok: said[i]?.ok },
      { name, code: 'code' in expect ? expect.code : undefined, ok: 'ok' in expect ? true : undefined },
    )
  t.diagnostic(`${vectors.length} vectors`)
  assert.ok(vectors.length > 5)
})

test(`${MUTATIONS} mutations, seed ${SEED}: the same code at the same line`, { skip: SKIP }, async () => {
  const segment = makeSegment()
  const refuse = prepareRefusal(segment)
  const random = seeded(SEED)
  const mutations = Array.from({ length: MUTATIONS }, (_, i) =>
    mutate(segment, KIND_NAMES[i % KIND_NAMES.length] as string, random),
  )
  const vectorOf = (bytes: Buffer): object => ({
    name: 'segment',
    keys: KEYS,
    witness: segment.witness,
    files: [{ name: 'audit.jsonl', base64: bytes.toString('base64') }],
  })
  function* vectors(): Generator<object> {
    yield vectorOf(segment.bytes)
    for (const mutation of mutations) yield vectorOf(apply(segment, mutation))
  }
  const [unaltered, ...said] = await ask(vectors())
  assert.equal(said.length, mutations.length)
  assert.equal(unaltered?.ok, true)
  for (const [i, mutation] of mutations.entries()) {
    const { code, line } = refuse(mutation)
    assert.deepEqual(
      { code: said[i]?.code, line: said[i]?.line ?? undefined },
      { code, line },
      `number ${i}, ${mutation.kind} at byte ${mutation.from}`,
    )
  }
})

test('what a service wrote that was killed, started again and drained', { skip: SKIP }, async (t) => {
  const folder = temporary()
  t.after(() => folder.remove())
  await runPopulation({ calls: 300, seed: SEED, folder: folder.path })
  const at = (name: string): string => readFileSync(join(folder.path, name), 'utf8')
  const files = readdirSync(join(folder.path, 'records')).map((name) => ({
    name,
    text: at(`records/${name}`),
  }))
  const vector = { files, keys: at('keys.json'), witness: at('witness.txt') }
  const [whole, cut] = await ask([vector, { ...vector, files: files.slice(1) }])
  assert.deepEqual([whole?.ok, whole?.lost], [true, 0])
  assert.equal(cut?.code, 'chain_missing')
})

test('its packages are those that the platform tests install', () => {
  const pinned = (path: string): string[] =>
    [...read(path).matchAll(/^(cffi|cryptography|pycparser)==[^#]*?(?=^\s*#)/gm)].map(([text]) => text)
  const own = pinned('../../docs/verify/requirements.txt')
  assert.equal(own.length, 3)
  assert.deepEqual(own, pinned('clients/requirements.txt'))
})
