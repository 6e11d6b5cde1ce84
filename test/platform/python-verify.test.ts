// The verifier in Python says of every vector what the service's own says: they share the page of the format, and no code.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { approvalChain, randomApprovals } from '../audit/lib/approvals.ts'
import type { ChainBuilder } from '../audit/lib/builder.ts'
import { bootChain, closedChain } from '../audit/lib/good.ts'
import { apply, KIND_NAMES, makeSegment, mutate } from '../audit/lib/mutate.ts'
import { prepareRefusal } from '../audit/lib/refuse.ts'
import { KEYS, type ReceiptVector, type Vector } from '../audit/lib/vector.ts'
import { runPopulation } from '../audit/population/run.ts'
import { judgeRecords } from '../audit/verify/judge.ts'
import { temporary } from '../lib/process.ts'
import { seeded } from '../store/lib/random.ts'
import { PYTHON, unless } from './lib/tools.ts'

const SEED = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
const MUTATIONS = 10_000
const APPROVALS = 1000
const READER = fileURLToPath(new URL('./python-verify.py', import.meta.url))
const COMMAND = fileURLToPath(new URL('../../docs/verify/verify_evidence.py', import.meta.url))
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
  notShown?: number
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
      const { unknown = 0, lost = 0, uncovered, torn = 0, notShown = 0 } = expect
      const { ok, ...numbers } = verdict
      assert.deepEqual(
        { name, ok, ...numbers },
        { name, ok: true, unknown, lost, uncovered: uncovered ?? numbers.uncovered, torn, notShown },
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

test(`${APPROVALS} times approvals in any order, seed ${SEED}: the same code at the same line`, {
  skip: SKIP,
}, async (t) => {
  const random = seeded(SEED)
  const vectors = Array.from({ length: APPROVALS }, () => randomApprovals(random))
  const said = await ask(vectors)
  const codes = new Map<string, number>()
  for (const [i, vector] of vectors.entries()) {
    const own = await judgeRecords(vector)
    const { code, file, line, notShown = 0 } = said[i] as Said
    const theirs = code === undefined ? { notShown } : { code, file, line }
    const ours = 'code' in own ? own : { notShown: own.notShown ?? 0 }
    assert.deepEqual(theirs, ours, `number ${i}`)
    const name = 'code' in own ? own.code : own.notShown === undefined ? 'ok' : 'not shown'
    codes.set(name, (codes.get(name) ?? 0) + 1)
  }
  t.diagnostic(JSON.stringify(Object.fromEntries(codes)))
  assert.equal(codes.size, 6, [...codes.keys()].join())
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
  const vector = { files, keys: at('keys.json'), witness: at('witness.txt'), allReplicas: true }
  const [whole, cut] = await ask([vector, { ...vector, files: files.slice(1) }])
  assert.deepEqual([whole?.ok, whole?.lost, whole?.notShown], [true, 0, 0])
  assert.equal(cut?.code, 'chain_missing')
})

test('the command says what a key is worth that the service made at its start', { skip: SKIP }, (t) => {
  const folder = temporary()
  t.after(() => folder.remove())
  const command = (name: string, chain: ChainBuilder, ...more: string[]): string[] => {
    const records = folder.file(`${name}.jsonl`, chain.text())
    const keys = folder.file(`${name}.json`, KEYS)
    const { stdout, status } = spawnSync(PYTHON, [COMMAND, 'records', records, '--keys', keys, ...more], {
      encoding: 'utf8',
    })
    return [String(status), ...stdout.split('\n').filter((line) => /^(code|verdict):/.test(line))]
  }
  assert.deepEqual(command('file', closedChain()), ['0', 'verdict: "complete within the chains given"'])
  assert.deepEqual(command('boot', bootChain(), '--self-asserted'), [
    '0',
    'verdict: "self-asserted, complete within the chains given"',
  ])
  assert.deepEqual(command('boot', bootChain()), ['1', 'code: "self_asserted"'])
  const packed = join(folder.path, 'file.jsonl.gz')
  writeFileSync(packed, gzipSync(closedChain().text()))
  const keys = ['--keys', folder.file('keys.json', KEYS)]
  assert.equal(spawnSync(PYTHON, [COMMAND, 'records', packed, ...keys]).status, 0)
  writeFileSync(packed, gzipSync(closedChain().text()).subarray(0, -20))
  assert.equal(spawnSync(PYTHON, [COMMAND, 'records', packed, ...keys]).status, 2)
  const approved = command('approved', approvalChain(), '--all-replicas')
  assert.deepEqual(approved, ['0', 'verdict: "complete within the chains given"'])
})

test('its packages are those that the platform tests install', () => {
  const pinned = (path: string): string[] =>
    [...read(path).matchAll(/^(cffi|cryptography|pycparser)==[^#]*?(?=^\s*#)/gm)].map(([text]) => text)
  const own = pinned('../../docs/verify/requirements.txt')
  assert.equal(own.length, 3)
  assert.deepEqual(own, pinned('clients/requirements.txt'))
})
