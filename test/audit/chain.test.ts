// The chain: what a straightforward check of docs/reference/evidence.md accepts, under any interleaving, a full queue, a key that changes and a clock that is set back.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import canonicalize from 'canonicalize'
import fc from 'fast-check'
import {
  type Chain,
  type ChainOptions,
  createChain,
  MAX_UNCOVERED,
  type RecordType,
} from '../../src/audit/chain.ts'
import { publicKeyOf, readJws } from '../../src/audit/jws.ts'
import { bootSigningKey, type SigningKey } from '../../src/audit/keys.ts'
import type { SinkWriter } from '../../src/audit/writer.ts'

const ID = '018f0000-0000-7000-8000-00000000cafe'
const DIGEST = 'ab'.repeat(32)
const FIRST = bootSigningKey()
const SECOND = bootSigningKey()

interface Sink {
  writer: SinkWriter
  lines: string[]
  /** Whether lines that are not reserved, and those that are, find room. */
  room: { calls: boolean; reserved: boolean }
}

function memorySink(): Sink {
  const lines: string[] = []
  const room = { calls: true, reserved: true }
  return {
    lines,
    room,
    writer: {
      write: (line) => lines.push(line) > 0,
      insert(before, after, pieceOf, reserved) {
        if (!(reserved ? room.reserved : room.calls)) return false
        lines.push(before + pieceOf(Buffer.from(before + after)) + after)
        return true
      },
      flush: async () => undefined,
      taken: async () => true,
      hasRoom: () => room.calls && room.reserved,
      fault: () => undefined,
      stats: () => ({ written: lines.length, lost: 0, pendingBytes: 0 }),
    },
  }
}

interface Opened extends Sink {
  chain: Chain
  events: string[]
  clock: { now: number }
}

function open(options: Partial<ChainOptions> = {}): Opened {
  const sink = memorySink()
  const events: string[] = []
  const clock = { now: Date.UTC(2026, 10, 21, 12) }
  const chain = createChain({
    id: ID,
    instance: 'pod-"1"',
    mode: 'best-effort',
    writer: sink.writer,
    key: FIRST,
    now: () => clock.now,
    tick: () => performance.now(),
    onEvent: (name) => events.push(name),
    open: { configDigest: DIGEST, policyDigest: DIGEST, service: { name: 'ductape-mcp', version: '0.0.0' } },
    ...options,
  })
  return { ...sink, chain, events, clock }
}

interface Line {
  seq: number
  type: RecordType
  hash: string
  prev?: string
  checkpoint?: string
  key?: { jwk: SigningKey['jwk']; jws: string }
  lost?: { records: number }
  close?: { records: Record<string, number> }
  time: string
}

const sha256 = (...parts: (string | Buffer)[]): Buffer => {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return digest.digest()
}

/** RFC 9162 2.1.1, word for word. */
function head(leaves: readonly Buffer[]): Buffer {
  const [first] = leaves
  if (leaves.length === 1 && first !== undefined) return sha256(Buffer.from([0]), first)
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return sha256(Buffer.from([1]), head(leaves.slice(0, k)), head(leaves.slice(k)))
}

/** Everything the format says of a chain, the slow way; gives its records. */
function check(lines: readonly string[]): Line[] {
  const records: Line[] = []
  const hashes: Buffer[] = []
  const counts: Record<string, number> = {}
  let key = FIRST.jwk
  let uncovered = 0
  for (const [i, text] of lines.entries()) {
    const record = JSON.parse(text) as Line
    assert.equal(canonicalize(record), text, 'RFC 8785')
    const { hash, ...rest } = record
    assert.equal(hash, sha256(canonicalize(rest) as string).toString('base64url'))
    assert.equal(record.seq, i)
    assert.equal(record.prev, records.at(-1)?.hash)
    assert.equal(record.type === 'open', i === 0)
    counts[record.type] = (counts[record.type] ?? 0) + 1
    if (record.checkpoint !== undefined) {
      const jws = readJws(record.checkpoint, 'ductape-checkpoint+jwt')
      assert.ok(jws.ok && jws.verify(publicKeyOf(key)), 'signed by the key in use')
      const { root, size, chain } = jws.payload as { root: string; size: number; chain: string }
      assert.deepEqual([chain, size], [ID, i])
      assert.equal(root, head(hashes).toString('base64url'))
      uncovered = 0
    } else assert.ok(++uncovered <= MAX_UNCOVERED, 'covered in time')
    if (record.key !== undefined && record.type === 'key') {
      const jws = readJws(record.key.jws, 'ductape-key+jwt')
      assert.ok(jws.ok && jws.verify(publicKeyOf(key)), 'signed by the key before')
      assert.deepEqual(jws.payload['jwk'], record.key.jwk)
      key = record.key.jwk
    }
    if (record.close !== undefined) assert.deepEqual(record.close.records, counts)
    hashes.push(Buffer.from(hash, 'base64url'))
    records.push(record)
  }
  return records
}

const decision = (chain: Chain, n = 0): string | undefined =>
  chain.append('decision', {
    callId: `018f0000-0000-7000-8000-${String(n).padStart(12, '0')}`,
    head: '"decision":{"allowed":true},',
    tail: ',"what":{"é":"\\u0007"},"who":{}',
  })
const outcome = (chain: Chain): string | undefined =>
  chain.append('outcome', { callId: ID, body: '"outcome":{"status":"executed"},' })
const types = (records: readonly Line[]): RecordType[] => records.map(({ type }) => type)

describe('a chain', () => {
  test('opens, registers, links, and closes with a count and a last checkpoint', async () => {
    const told: string[] = []
    const { chain, lines } = open({
      witness: (jws) => told.push(jws),
      open: {
        configDigest: DIGEST,
        policyDigest: undefined,
        previous: { chain: ID, checkpoint: 'a.b.c' },
        registered: [ID],
        service: { name: 'ductape-mcp', version: '0.0.0' },
      },
    })
    const hash = decision(chain)
    outcome(chain)
    await chain.close()
    const records = check(lines)
    assert.deepEqual(types(records), ['open', 'checkpoint', 'decision', 'outcome', 'close', 'checkpoint'])
    assert.equal(records[2]?.hash, hash)
    assert.deepEqual(told, [records[1]?.checkpoint, records[5]?.checkpoint], 'the witness has both, in order')
    assert.equal(chain.append('outcome', {}), undefined, 'nothing follows')
    await chain.close()
    assert.equal(lines.length, 6)
    assert.deepEqual(
      { ...chain.stats(), uncoveredFor: 0 },
      { records: 6, lost: 0, checkpoints: 2, uncoveredFor: 0 },
    )
  })

  test('calls that were left behind leave it open, and covered', async () => {
    const { chain, lines } = open()
    decision(chain)
    await chain.close(1)
    assert.deepEqual(types(check(lines)), ['open', 'checkpoint', 'decision', 'checkpoint'])
  })

  test('any interleaving of records, turns of the loop, rotations and a full queue', async () => {
    const step = fc.oneof(
      { weight: 20, arbitrary: fc.constant('call' as const) },
      { weight: 3, arbitrary: fc.constant('burst' as const) },
      fc.constantFrom('turn' as const, 'rotate' as const, 'full' as const, 'room' as const, 'back' as const),
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.constantFrom('strict' as const, 'best-effort' as const),
        async (steps, mode) => {
          const { chain, lines, room, clock } = open({ mode })
          let appended = 0
          let refused = 0
          const call = (): void => {
            if (decision(chain) === undefined) refused++
            else {
              appended += 2
              assert.ok(outcome(chain) !== undefined, 'an effect has its outcome')
            }
          }
          for (const what of steps) {
            if (what === 'call') call()
            else if (what === 'burst') for (let i = 0; i < 300; i++) call()
            else if (what === 'turn') await new Promise((resolve) => setImmediate(resolve))
            else if (what === 'rotate') chain.rotate(chain.stats().records % 2 === 0 ? FIRST : SECOND)
            else if (what === 'back') clock.now -= 3_600_000
            else room.calls = what === 'room'
          }
          room.calls = true
          await chain.close()
          const records = check(lines)
          assert.equal(
            records.filter(({ type }) => type === 'decision' || type === 'outcome').length,
            appended,
          )
          const lost = records.reduce((sum, record) => sum + (record.lost?.records ?? 0), 0)
          assert.equal(
            lost,
            mode === 'strict' ? 0 : refused,
            'lost records are counted in the chain, in best-effort only',
          )
          assert.equal(chain.stats().lost, lost)
        },
      ),
      { numRuns: 40 },
    )
  })

  test('lost records are told once there is room, without another call', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { chain, lines, room, events } = open()
    room.calls = false
    assert.equal(decision(chain), undefined)
    assert.equal(decision(chain), undefined)
    t.mock.timers.tick(5000)
    assert.ok(!lines.some((line) => line.includes('"lost"')))
    room.calls = true
    t.mock.timers.tick(2000)
    const records = check(lines)
    assert.deepEqual(
      records.flatMap(({ lost }) => lost?.records ?? []),
      [2],
    )
    assert.deepEqual(events, ['audit_records_lost', 'audit_records_again'])
  })

  test('a record is covered within a second, and an idle chain stays silent', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { chain, lines } = open()
    decision(chain)
    assert.equal(lines.length, 3)
    t.mock.timers.tick(1000)
    assert.deepEqual(types(check(lines)), ['open', 'checkpoint', 'decision', 'checkpoint'])
    t.mock.timers.tick(60_000)
    assert.equal(lines.length, 4)
  })

  test('a new key is signed by the old one, and waits for room', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { chain, lines, room } = open()
    decision(chain)
    room.reserved = false
    chain.rotate(SECOND)
    chain.rotate(SECOND)
    assert.equal(lines.length, 3)
    room.reserved = true
    t.mock.timers.tick(2000)
    assert.deepEqual(types(check(lines)), [
      'open',
      'checkpoint',
      'decision',
      'checkpoint',
      'key',
      'checkpoint',
    ])
    chain.rotate(SECOND)
    assert.equal(lines.length, 6, 'the same key is nothing to tell')
  })

  test('the witness is told what the kernel has taken, and no more', async () => {
    const told: string[] = []
    const sink = memorySink()
    let release: (taken: boolean) => void = () => undefined
    const { chain } = open({
      writer: {
        ...sink.writer,
        taken: () =>
          new Promise((resolve) => {
            release = resolve
          }),
      },
      witness: (jws) => told.push(jws),
    })
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(told.length, 0)
    release(true)
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(told.length, 1)
    assert.ok(chain.stats().checkpoints === 1)
  })

  test('the check itself finds what is wrong', async () => {
    const { chain, lines } = open()
    for (let i = 0; i < 5; i++) decision(chain, i)
    await chain.close()
    check(lines)
    assert.throws(() => check(lines.filter((_, i) => i !== 3)))
    assert.throws(() => check(lines.map((line, i) => (i === 3 ? line.replace('true', 'false') : line))))
    assert.throws(() =>
      check([...lines.slice(0, 3), lines[4] as string, lines[3] as string, ...lines.slice(5)]),
    )
  })
})
