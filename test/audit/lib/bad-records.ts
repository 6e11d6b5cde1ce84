// Records that do not verify, at least one for each code that lines, links, counts and names can give; signatures are in bad-signatures.ts.
import { ChainBuilder, type Members, START, uuid7 } from './builder.ts'
import { closedChain, framed, goodChain, lossyChain } from './good.ts'
import { bad, type Vector } from './vector.ts'

type Change = (line: string) => string

/** A closed chain of which one line (from 1) was changed. */
function changed(line: number, change: Change): string[] {
  const { lines } = closedChain()
  lines[line - 1] = change(lines[line - 1] as string)
  return lines
}

/** A chain in which the third record is not as it should be; the hashes are right. */
function odd(build: (chain: ChainBuilder) => void): string[] {
  const chain = new ChainBuilder()
  build(chain)
  chain.checkpoint()
  return chain.lines
}

const what: Members = { transport: 'http' }
const who: Members = { method: 'none', peer: 'unix' }
const allowed: Members = { allowed: true }
const id = uuid7(START, 5)

function malformed(): Vector[] {
  const vectors: [name: string, change: Change][] = [
    ['a line that is no JSON', (line) => line.slice(0, -1)],
    ['a line that is a list', (line) => `[${line}]`],
    ['an empty line', () => ''],
    ['two records in one line', (line) => line + line],
    ['a line that ends in a carriage return and more', (line) => `${line}\r.`],
    ['a control character in a string', (line) => line.replace('"reader/allow/1"', '"reader\tallow/1"')],
    ['a number with a leading zero', (line) => line.replace('"v":1', '"v":01')],
  ]
  const { lines } = closedChain()
  const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
  // 0xff is in no UTF-8.
  bytes[bytes.indexOf('reader/allow')] = 0xff
  return [
    ...vectors.map(([name, change]) => bad(name, 'line_malformed', changed(3, change), 3)),
    {
      ...bad('a byte that is no UTF-8', 'line_malformed', [], 3),
      files: [{ name: 'audit.jsonl', base64: bytes.toString('base64') }],
    },
    {
      ...bad('a part of a framed line left out', 'line_malformed', [], undefined),
      ...withoutPart(lines),
    },
  ]
}

function withoutPart(lines: readonly string[]): Partial<Vector> {
  const all = framed(lines, 300).split('\n')
  const gone = all.findIndex((line) => line.includes(' P '))
  const text = all.filter((_, i) => i !== gone).join('\n')
  const line = text.split('\n').findIndex((candidate) => candidate.includes(' stdout F ')) + 1
  return {
    files: [{ name: '0.log', text }],
    expect: { code: 'line_malformed', file: '0.log', line },
  } as Partial<Vector>
}

function notCanonical(): Vector[] {
  const vectors: [name: string, change: Change][] = [
    ['a space', (line) => line.replace('":', '": ')],
    ['a carriage return at the end', (line) => `${line}\r`],
    [
      'members in another order',
      (line) => line.replace(/("surface":"mcp"),("tool":"ductape_execute")/, '$2,$1'),
    ],
    ['a letter as an escape', (line) => line.replace('reader', '\\u0072eader')],
    ['a solidus as an escape', (line) => line.replace('reader/', 'reader\\/')],
    ['a number with a fraction of zero', (line) => line.replace('"v":1', '"v":1.0')],
    ['a number with an exponent', (line) => line.replace('"v":1', '"v":1e0')],
    [
      'a number of more digits than a double holds',
      (line) => line.replace('"v":1', '"v":1.00000000000000001'),
    ],
    ['a negative zero', (line) => line.replace('"rpcId":1', '"rpcId":-0')],
    ['a member named twice', (line) => line.replace('"v":1', '"v":1,"v":1')],
    ['half of a surrogate pair', (line) => line.replace('reader', '\\ud800')],
    ['a byte order mark', (line) => `\ufeff${line}`],
  ]
  return vectors.map(([name, change]) =>
    // A byte order mark is no JSON (RFC 8259 8.1).
    bad(name, name.startsWith('a byte') ? 'line_malformed' : 'line_not_canonical', changed(3, change), 3),
  )
}

function schema(): Vector[] {
  const decision = (over: Members): Members => ({ callId: id, decision: allowed, what, who, ...over })
  const vectors: [name: string, type: string, members: Members, over?: Members][] = [
    ['a type that there is not', 'note', { text: 'x' }],
    ['a member that there is not', 'decision', decision({ extra: 1 })],
    ['a member inside that there is not', 'decision', decision({ who: { ...who, password: 'x' } })],
    ['a decision without who', 'decision', decision({ who: undefined })],
    ['a refusal without a code', 'decision', decision({ decision: { allowed: false } })],
    ['an id that is no UUIDv7', 'decision', decision({ callId: '3b241101-e2bb-4255-8caf-4136c566a962' })],
    ['an id in capitals', 'decision', decision({ callId: id.toUpperCase() })],
    ['a digest with spare bits', 'decision', decision({ what: { ...what, argsDigest: spare(43) } })],
    ['a digest that is too short', 'decision', decision({ what: { ...what, toolDigest: 'x'.repeat(42) } })],
    ['a status that there is not', 'outcome', { callId: id, outcome: { status: 'done' } }],
    ['a count below zero', 'outcome', { callId: id, outcome: { bytesIn: -1, status: 'executed' } }],
    ['a time of another form', 'decision', decision({}), { time: '2026-11-21T12:00:00Z' }],
    ['another version', 'decision', decision({}), { v: 2 }],
    ['another instance', 'decision', decision({}), { instance: 'pod-2' }],
    ['a seq that is text', 'decision', decision({}), { seq: '2' }],
    ['a record without prev', 'decision', decision({}), { prev: undefined }],
    ['a checkpoint that is an object', 'checkpoint', { checkpoint: {} }],
  ]
  const closing = goodChain()
  closing.close({ decision: 3 })
  return [
    ...vectors.map(([name, type, members, over]) =>
      bad(
        name,
        'record_schema',
        odd((chain) => void chain.add(type, members, over)),
        3,
      ),
    ),
    bad(
      'a record without its hash',
      'record_schema',
      changed(3, (line) => line.replace(/"hash":"[^"]*",/, '')),
      3,
    ),
    bad(
      'a hash with spare bits',
      'record_schema',
      changed(3, (line) => line.replace(/("hash":"[^"]{42})./, '$1B')),
      3,
    ),
    bad('a close that counts wrongly', 'record_schema', closing.lines, closing.lines.length - 1),
    bad(
      'an open record that names no key',
      'record_schema',
      new ChainBuilder({ open: { key: undefined } }).lines,
      1,
    ),
    bad(
      'an open record with prev',
      'record_schema',
      new ChainBuilder({ open: { prev: 'A'.repeat(43) } }).lines,
      1,
    ),
  ]
}

/** The last character of 43 has two spare bits. */
const spare = (length: number): string => `${'A'.repeat(length - 1)}B`

function links(): Vector[] {
  const { lines } = closedChain()
  const without = (...gone: number[]): string[] => lines.filter((_, i) => !gone.includes(i + 1))
  const swapped = lines.slice()
  swapped.splice(3, 2, lines[4] as string, lines[3] as string)
  const twice = lines.slice()
  twice.splice(4, 0, lines[3] as string)
  const after = closedChain()
  after.add('decision', { callId: id, decision: allowed, what, who })
  const between = goodChain()
  const counts: Record<string, number> = {}
  for (const { type } of between.records) counts[type as string] = (counts[type as string] ?? 0) + 1
  between.add('close', { close: { records: { ...counts, close: 1 } } })
  between.refusal()
  return [
    bad(
      'an allowed call made a refused one',
      'hash_mismatch',
      changed(3, (line) => line.replace('"allowed":true', '"allowed":false')),
      3,
    ),
    bad(
      'another time',
      'hash_mismatch',
      changed(5, (line) => line.replace(/("time":"....-..-..T)12/, '$113')),
      5,
    ),
    bad(
      'another hash',
      'hash_mismatch',
      changed(3, (line) => line.replace(/("hash":")./, (_, before) => `${before}_`)),
      3,
    ),
    bad(
      'a record that names another before it',
      'prev_mismatch',
      odd(
        (chain) =>
          void chain.add(
            'outcome',
            { callId: id, outcome: { status: 'executed' } },
            { prev: 'A'.repeat(43) },
          ),
      ),
      3,
    ),
    bad('a record left out', 'seq_gap', without(5), 5),
    bad('two records left out', 'seq_gap', without(5, 6), 5),
    bad('two records swapped', 'seq_gap', swapped, 4),
    bad('a record twice', 'seq_gap', twice, 5),
    bad('the whole chain twice', 'chain_after_close', [...lines, ...lines], lines.length + 1),
    bad('a chain without its first record', 'chain_unopened', without(1), 1),
    bad('a record after the end', 'chain_after_close', after.lines, after.lines.length),
    bad(
      'a record between close and its checkpoint',
      'chain_after_close',
      between.lines,
      between.lines.length,
    ),
    bad('records for two minutes without a checkpoint', 'checkpoint_missing', slow(), 6),
    bad(
      'records lost in a strict chain',
      'lost_records',
      odd((chain) => {
        const time = new Date(chain.time).toISOString()
        chain.add('lost', { lost: { from: time, records: 1, to: time } })
      }),
      3,
    ),
  ]
}

/** 25 s from each record to the next. */
function slow(): string[] {
  const chain = new ChainBuilder({ step: 25_000 })
  for (let i = 0; i < 4; i++) chain.refusal()
  chain.checkpoint()
  return chain.lines
}

function calls(): Vector[] {
  const build = (make: (chain: ChainBuilder) => void): string[] => {
    const chain = new ChainBuilder()
    make(chain)
    chain.close()
    return chain.lines
  }
  const tooLossy = lossyChain(1)
  tooLossy.close()
  const unmatched = new ChainBuilder({ mode: 'best-effort' })
  unmatched.outcome(unmatched.callId())
  unmatched.checkpoint()
  return [
    bad(
      'an outcome without a decision',
      'outcome_unmatched',
      build((chain) => void chain.outcome(chain.callId())),
      3,
    ),
    bad(
      'a second outcome',
      'outcome_unmatched',
      build((chain) => void chain.outcome(chain.call().callId)),
      5,
    ),
    bad(
      'an outcome of a refused call',
      'outcome_unmatched',
      build((chain) => void chain.outcome(chain.refusal().callId)),
      4,
    ),
    bad('an outcome without a decision in best-effort mode', 'outcome_unmatched', unmatched.lines, 3),
    bad(
      'a second decision',
      'decision_repeated',
      build((chain) => void chain.decision(chain.call().callId)),
      5,
    ),
    bad(
      'a refusal of a call that was allowed',
      'decision_repeated',
      build((chain) => {
        chain.decision(chain.call().callId, { allowed: false, code: 'policy_denied', stage: 'policy' })
      }),
      5,
    ),
    bad(
      'a closed chain with a call that has no outcome',
      'outcome_missing',
      build((chain) => void chain.decision(chain.callId())),
      4,
    ),
    bad('more outcomes missing than records lost', 'outcome_missing', tooLossy.lines, 8),
  ]
}

export const badRecordVectors = (): Vector[] => [
  ...malformed(),
  ...notCanonical(),
  ...schema(),
  ...links(),
  ...calls(),
]
