// What is too long for a vector: many records without a checkpoint, calls far apart, many names; and chains as the service writes them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verify } from '../../../src/audit/verify/index.ts'
import { createTally } from '../../../src/audit/verify/population.ts'
import { addRecord, newEdge, rootOf } from '../../../src/audit/verify/tree.ts'
import { createVerifier } from '../../../src/audit/verify/verifier.ts'
import { NO_WITNESS } from '../../../src/audit/verify/witness.ts'
import { ChainBuilder, jws, sha256, treeHead } from '../lib/builder.ts'
import { realChain } from '../lib/real.ts'
import { KEY, KEYS, linesFile, NEXT_KEY } from '../lib/vector.ts'
import { given, run, sourceOf, trustOf } from './judge.ts'

test('the tree is that of RFC 9162 for every size', () => {
  const edge = newEdge()
  const hashes: Buffer[] = []
  for (let size = 1; size <= 300; size++) {
    const hash = sha256(`record ${size}`)
    hashes.push(hash)
    addRecord(edge, hash.toString('base64url'))
    assert.equal(rootOf(edge), treeHead(hashes).toString('base64url'), String(size))
  }
})

test('512 records may wait for a checkpoint, one more may not', async () => {
  const chain = new ChainBuilder({ step: 1 })
  for (let i = 0; i < 512; i++) chain.refusal()
  const good = chain.lines.slice()
  chain.refusal()
  const judge = (lines: readonly string[]) =>
    run({ name: '', files: [linesFile(lines)], keys: KEYS, expect: { ok: true } })
  assert.equal((await judge(good)).finding, undefined)
  const { finding } = await judge(chain.lines)
  assert.deepEqual([finding?.code, finding?.line], ['checkpoint_missing', 515])
})

test('a decision that is repeated 65,536 decisions later is found', () => {
  const lines: string[] = []
  const chain = realChain({ key: KEY, onLine: (line) => lines.push(line) })
  const callId = '01a1fdfa-4600-7cd3-8d4e-b485fd695f47'
  const refuse = (id: string): void =>
    void chain.append('decision', {
      callId: id,
      head: '"decision":{"allowed":false,"code":"policy_denied"},',
      tail: ',"what":{"transport":"http"},"who":{"method":"none","peer":"unix"}',
    })
  refuse(callId)
  for (let i = 0; i < 65_535; i++) refuse(`01a1fdfa-4600-7cd3-8d4e-${i.toString(16).padStart(12, '0')}`)
  refuse(callId)
  const verifier = createVerifier({ trust: trustOf({ keys: KEYS }), witness: NO_WITNESS })
  const found = lines.flatMap((line, i) => verifier.take(Buffer.from(line), { file: '', line: i + 1 }) ?? [])
  assert.deepEqual(
    found.map(({ code, seq }) => [code, seq]),
    [['decision_repeated', lines.length - 1]],
  )
})

test('chains of the service itself verify, and its key can be replaced', async () => {
  const witness: string[] = []
  const lines: string[] = []
  const chains = [1, 2].map((number) =>
    realChain({
      key: KEY,
      number,
      onLine: (line) => lines.push(line),
      witness: (text) => witness.push(text),
    }),
  )
  for (let i = 0; i < 400; i++) {
    for (const chain of chains) chain.call(i)
    if (i === 150) {
      const { createSigningKey } = await import('../../../src/audit/keys.ts')
      chains[0]?.rotate(createSigningKey(NEXT_KEY.privateKey, 'file'))
    }
  }
  for (const chain of chains) await chain.close()
  const report = await verify([sourceOf(linesFile(lines))], {
    trust: trustOf({ keys: KEYS }),
    witness: given('witness', witness.map((text) => `${text}\n`).join('')),
  })
  assert.equal(report.finding, undefined)
  assert.deepEqual(
    report.chains.map(({ closed, records, uncovered }) => [closed, records > 800, uncovered]),
    [
      [true, true, 0],
      [true, true, 0],
    ],
  )
  assert.ok(lines.some((line) => line.includes('"type":"key"')))
  assert.ok(witness.length > 8)
})

test('the counts of callers are bounded', () => {
  const tally = createTally()
  const record = { time: '2026-11-21T12:00:00.000Z', type: 'decision', decision: { allowed: true }, what: {} }
  for (let i = 0; i < 20_000; i++) tally.add({ ...record, who: { principal: `caller ${i}` } })
  const { decisions, principals } = tally.result()
  assert.equal(Object.keys(principals).length, 10_001)
  assert.equal(principals['(others)'], 10_000)
  assert.deepEqual(decisions, { allowed: 20_000 })
})

test('a record that names itself __proto__ is refused as any unknown member', async () => {
  const chain = new ChainBuilder()
  const line = (chain.lines[1] as string).replace('"chain"', '"__proto__":{"a":1},"chain"')
  const { finding } = await run({
    name: '',
    files: [linesFile([chain.lines[0] as string, line])],
    keys: KEYS,
    expect: { ok: true },
  })
  assert.equal(finding?.code, 'hash_mismatch')
  assert.equal(({} as Record<string, unknown>)['a'], undefined)
})

test('a JWS over 4 KiB is not read', async () => {
  const chain = new ChainBuilder()
  chain.checkpoint(
    jws('ductape-checkpoint+jwt', { chain: chain.id, iat: 1, root: 'x'.repeat(4000), size: 2 }, KEY),
  )
  const { finding } = await run({
    name: '',
    files: [linesFile(chain.lines)],
    keys: KEYS,
    expect: { ok: true },
  })
  assert.equal(finding?.code, 'signature_bad')
})
