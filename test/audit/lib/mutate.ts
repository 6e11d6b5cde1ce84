// Random mutations of one segment of 64 records, each as a splice of its bytes, for every verifier to refuse.
import { ChainBuilder, jcs, jws, type Members, sha256, type TestKey } from './builder.ts'
import { respelt } from './respell.ts'
import { FOREIGN_KEY, KEY, NEXT_KEY, witnessText } from './vector.ts'

/** The bytes of the segment from `from` to `to` are replaced. */
export interface Splice {
  readonly from: number
  readonly to: number
  readonly bytes: Buffer
}

export interface Segment {
  readonly lines: readonly string[]
  readonly bytes: Buffer
  /** Where each line begins, and the end. */
  readonly starts: readonly number[]
  readonly witness: string
}

export type Random = (below: number) => number

const RECORDS = 64

/** A closed chain with every type of record, several checkpoints and a key that is replaced. */
export function makeSegment(): Segment {
  const chain = new ChainBuilder({ mode: 'best-effort' })
  const time = (): string => new Date(chain.time).toISOString()
  for (let i = 0; chain.lines.length < RECORDS - 2; i++) {
    if (i % 7 === 2) chain.refusal()
    else if (i % 7 === 4) chain.checkpoint()
    else if (i === 10) {
      chain.rotate(NEXT_KEY)
      chain.checkpoint()
    } else if (i === 12)
      chain.add('refusals', {
        refusals: {
          code: 'token_missing',
          count: 7,
          from: time(),
          peer: '192.0.2.9',
          stage: 'identity',
          to: time(),
        },
      })
    else if (i === 15) chain.add('lost', { lost: { from: time(), records: 3, to: time() } })
    else if (i === 19) chain.add('reload', { reload: { applied: false, file: 'policy.yaml' } })
    else if (chain.lines.length < RECORDS - 3) chain.call()
    else chain.refusal()
  }
  chain.close()
  const starts = [0]
  for (const line of chain.lines) starts.push((starts.at(-1) as number) + Buffer.byteLength(line) + 1)
  return { lines: chain.lines, bytes: Buffer.from(chain.text()), starts, witness: witnessText(chain) }
}

type Mutate = (segment: Segment, random: Random) => Splice

const NONE = Buffer.alloc(0)
const start = ({ starts }: Segment, line: number): number => starts[line] as number
const linesOf = ({ lines }: Segment, indexes: readonly number[]): Buffer =>
  Buffer.from(indexes.map((i) => `${lines[i]}\n`).join(''))
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

/** Kinds that cost little are cheap to repeat; those that link or sign anew get a smaller share. */
export const KINDS: Readonly<Record<string, Mutate>> = {
  'a bit flipped': (segment, random) => {
    const from = random(segment.bytes.length)
    const bytes = Buffer.from([(segment.bytes[from] as number) ^ (1 << random(8))])
    return { from, to: from + 1, bytes }
  },
  'a byte put in': (segment, random) => {
    const from = random(segment.bytes.length)
    return { from, to: from, bytes: Buffer.from([random(256)]) }
  },
  'a byte taken out': (segment, random) => {
    // Without its last line feed a segment has the same records.
    const from = random(segment.bytes.length - 1)
    return { from, to: from + 1, bytes: NONE }
  },
  'records dropped': (segment, random) => {
    const first = random(RECORDS)
    const last = Math.min(RECORDS, first + 1 + random(5))
    return { from: start(segment, first), to: start(segment, last), bytes: NONE }
  },
  'two records swapped': (segment, random) => {
    const a = random(RECORDS - 1)
    const b = a + 1 + random(RECORDS - a - 1)
    return {
      from: start(segment, a),
      to: start(segment, b + 1),
      bytes: linesOf(segment, [b, ...range(a + 1, b), a]),
    }
  },
  'a record twice': (segment, random) => {
    const at = start(segment, random(RECORDS + 1))
    return { from: at, to: at, bytes: linesOf(segment, [random(RECORDS)]) }
  },
  'the end cut off': (segment, random) => ({
    from: random(segment.bytes.length - 1),
    to: segment.bytes.length,
    bytes: NONE,
  }),
  'records in another order': (segment, random) => {
    const count = 3 + random(10)
    const first = random(RECORDS - count)
    const order = range(first, first + count)
    for (let i = count - 1; i > 0; i--) {
      const other = random(i + 1)
      const held = order[i] as number
      order[i] = order[other] as number
      order[other] = held
    }
    return { from: start(segment, first), to: start(segment, first + count), bytes: linesOf(segment, order) }
  },
  'another spelling': (segment, random) => {
    const line = random(RECORDS)
    const bytes = respelt(segment.lines[line] as string, random)
    return {
      from: start(segment, line),
      to: start(segment, line + 1),
      bytes: Buffer.concat([bytes, LINE_FEED]),
    }
  },
  'another key': (segment, random) =>
    relinked(segment, random, KEY_CHANGES[random(KEY_CHANGES.length)] as KeyChange),
  'a change, and all hashes after it made anew': (segment, random) => relinked(segment, random, {}),
}

const LINE_FEED = Buffer.from('\n')

interface KeyChange {
  /** Signs every checkpoint from the change on. */
  readonly key?: TestKey
  /** The key id that the signatures say. */
  readonly kid?: string
  /** The `open` record names the key too. */
  readonly inOpen?: boolean
  readonly origin?: string
}

const KEY_CHANGES: readonly KeyChange[] = [
  { key: FOREIGN_KEY },
  { key: FOREIGN_KEY, kid: KEY.kid },
  { key: FOREIGN_KEY, kid: NEXT_KEY.kid },
  { key: FOREIGN_KEY, inOpen: true },
  { key: FOREIGN_KEY, inOpen: true, kid: KEY.kid },
  { key: FOREIGN_KEY, inOpen: true, origin: 'boot' },
]

/** What somebody without the key can do: change a record, and make every hash, and signatures of another key, fit from there on. */
function relinked(segment: Segment, random: Random, { inOpen, key, kid, origin }: KeyChange): Splice {
  // The last record is covered by nothing but its own JWS, and with its hashes made anew another one may stand there.
  const first = inOpen ? 0 : random(RECORDS - 1)
  const hashes = segment.lines.slice(0, first).map((line) => (JSON.parse(line) as Members)['hash'] as string)
  let text = ''
  for (const [i, line] of segment.lines.entries()) {
    if (i < first) continue
    const { hash: _, ...record } = JSON.parse(line) as Members
    if (i > 0) record['prev'] = hashes.at(-1)
    if (i === first) {
      if (inOpen) Object.assign(record, { key: key?.jwk }, origin !== undefined && { keyOrigin: origin })
      else change(record, random)
    }
    if (record['type'] === 'checkpoint' && key !== undefined)
      record['checkpoint'] = signedAnew(record, key, kid)
    record['hash'] = sha256(jcs(record)).toString('base64url')
    hashes.push(record['hash'] as string)
    text += `${jcs(record)}\n`
    // Some forgers link to the end and some no further than the next checkpoint; both are to be found.
    if (record['type'] === 'checkpoint' && i > first && random(4) === 0)
      return spliceTo(segment, first, i + 1, text)
  }
  return spliceTo(segment, first, RECORDS, text)
}

const spliceTo = (segment: Segment, first: number, end: number, text: string): Splice => ({
  from: start(segment, first),
  to: start(segment, end),
  bytes: Buffer.from(text),
})

/** Another value in a record that still has its form. */
function change(record: Members, random: Random): void {
  const { checkpoint, decision, outcome, what, who } = record as Record<string, Members>
  if (decision !== undefined && random(2) === 0) decision['rule'] = `rule ${random(1e9)}`
  else if (outcome !== undefined) outcome['durationMs'] = random(1e9) + 1
  else if (what !== undefined && random(2) === 0) what['requestId'] = `request-${random(1e9)}`
  else if (who !== undefined) who['subject'] = `agent-${random(1e9)}`
  else if (checkpoint === undefined) record['time'] = new Date(random(2 ** 31) * 1000).toISOString()
  else record['time'] = `${(record['time'] as string).slice(0, 20)}${String(random(1000)).padStart(3, '0')}Z`
}

function signedAnew(record: Members, key: TestKey, kid: string | undefined): string {
  const body = (record['checkpoint'] as string).split('.')[1] as string
  const payload = JSON.parse(Buffer.from(body, 'base64url').toString()) as Members
  // A root of its own would cost a tree for each; the signature is looked at first.
  return jws('ductape-checkpoint+jwt', payload, key, kid === undefined ? {} : { kid })
}

export interface Mutation extends Splice {
  readonly kind: string
}

/** A mutation that leaves every byte as it was is none, and is drawn again. */
export function mutate(segment: Segment, kind: string, random: Random): Mutation {
  for (;;) {
    const splice = (KINDS[kind] as Mutate)(segment, random)
    if (!segment.bytes.subarray(splice.from, splice.to).equals(splice.bytes)) return { kind, ...splice }
  }
}

export const apply = ({ bytes }: Segment, splice: Splice): Buffer =>
  Buffer.concat([bytes.subarray(0, splice.from), splice.bytes, bytes.subarray(splice.to)])

export const KIND_NAMES = Object.keys(KINDS)
