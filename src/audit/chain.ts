// The chain of one boot: numbers records, links each to the one before by its hash, and signs the Merkle tree over them (docs/reference/evidence.md).
import { hash } from 'node:crypto'
import { canonical } from '../core/canonical.ts'
import type { SigningKey } from './keys.ts'
import { createRecordTree } from './tree.ts'
import type { SinkWriter } from './writer.ts'

export type RecordType =
  | 'open'
  | 'decision'
  | 'outcome'
  | 'refusals'
  | 'reload'
  | 'key'
  | 'lost'
  | 'checkpoint'
  | 'close'

/** Members as JSON text in canonical order, by where they stand in the line: joining pieces costs a fraction of writing an object. */
export interface RecordParts {
  /** The bare id. */
  callId?: string
  /** Between `chain` and `hash`, a comma behind each member: `decision`, `checkpoint`, `close`, `configDigest`. */
  head?: string
  /** Between `instance` and `prev`, likewise: `key`, `keyOrigin`, `lost`, `mode`, `outcome`, `policyDigest`. */
  body?: string
  /** Between `prev` and `seq`, likewise: `previous`, `refusals`, `registered`, `reload`. */
  more?: string
  /** Between `seq` and `time`, likewise. */
  service?: string
  /** After `v`, a comma before each member: `what`, `who`. */
  tail?: string
}

export interface Chain {
  readonly id: string
  readonly mode: ChainOptions['mode']
  /**
   * Appends a record; its hash, base64url. Undefined where the queue has no room: in best-effort the record is counted as lost, in strict
   * whoever appends it refuses the call and counts it in a `refusals` record later.
   */
  append(type: RecordType, parts: RecordParts): string | undefined
  /** Resolves when everything appended so far has been taken by the kernel (true), or could not be within the timeout (false); at once while the sink is known to fail. */
  taken(): Promise<boolean>
  /** From now on checkpoints are signed by this key; the chain says so in a record that the old key signs. */
  rotate(key: SigningKey): void
  /** Appends `close` and the last checkpoint and flushes. Calls that are `unfinished` leave the chain open, because their outcomes are not in it. */
  close(unfinished?: number): Promise<void>
  stats(): ChainStats
}

export interface ChainStats {
  /** Records in the chain, of all types. */
  records: number
  lost: number
  checkpoints: number
  /** Milliseconds since the oldest record that no checkpoint covers; 0 where all are covered. */
  uncoveredFor: number
}

export interface ChainOptions {
  /** UUIDv7. */
  id: string
  /** Pod or host. */
  instance: string
  mode: 'strict' | 'best-effort'
  writer: SinkWriter
  key: SigningKey
  /** Milliseconds since the epoch. */
  now(): number
  /** Monotonic milliseconds. */
  tick(): number
  /** Gets every checkpoint, the first one registers the chain. */
  witness?: ((jws: string) => void) | undefined
  onEvent(name: string, fields: Record<string, string | number>): void
  open: Opening
}

/** What the first record says. */
export interface Opening {
  configDigest: string
  /** Undefined where there is no policy. */
  policyDigest: string | undefined
  previous?: { chain: string; checkpoint: string } | undefined
  registered?: readonly string[]
  service: { name: string; version: string }
}

/** A checkpoint covers at most so many records, and the oldest is then at most a second old: a timer may be late. */
export const MAX_UNCOVERED = 256
const MAX_AGE = 900
/** From here on a checkpoint is made between two calls; at the limit it is made at once. */
const SOON = 128
/** Older ones are covered by newer ones. */
const MAX_UNTOLD = 64
/** Milliseconds between two attempts to write what found no room. */
const RETRY = 1000

/** Records of these types still find room where new calls do not: an effect has to have its outcome. */
const RESERVED: ReadonlySet<RecordType> = new Set([
  'outcome',
  'refusals',
  'key',
  'reload',
  'lost',
  'checkpoint',
  'close',
])

export function createChain(options: ChainOptions): Chain {
  const { id, mode, writer, now, tick, witness } = options
  const chainMember = `"chain":"${id}",`
  const instanceMember = `"instance":${JSON.stringify(options.instance)},`
  const time = prepareTime(now)
  const tree = createRecordTree()
  const counts = new Map<RecordType, number>()
  let key = options.key
  let seq = 0
  let prevMember = ''
  let uncovered = 0
  let uncoveredSince = 0
  let checkpoints = 0
  let timer: NodeJS.Timeout | undefined
  let soon: NodeJS.Immediate | undefined
  let lost: { from: string; records: number } | undefined
  let nextKey: SigningKey | undefined
  let later: NodeJS.Timeout | undefined
  let allLost = 0
  let closed = false
  /** Checkpoints that the witness has not been told. */
  const untold: string[] = []
  let telling: Promise<void> | undefined

  /** Of the last line. */
  let digest = ''
  const sealed = (line: Buffer): string => {
    digest = hash('sha256', line, 'base64url')
    return `"hash":"${digest}",`
  }

  const write = (
    type: RecordType,
    { callId, head, body, more, service, tail }: RecordParts,
  ): string | undefined => {
    const before = (callId === undefined ? '{' : `{"callId":"${callId}",`) + chainMember + (head ?? '')
    const after = `${instanceMember}${body ?? ''}${prevMember}${more ?? ''}"seq":${seq},${service ?? ''}"time":"${time()}","type":"${type}","v":1${tail ?? ''}}`
    if (!writer.insert(before, after, sealed, RESERVED.has(type))) return undefined
    prevMember = `"prev":"${digest}",`
    seq++
    counts.set(type, (counts.get(type) ?? 0) + 1)
    tree.add(digest)
    return digest
  }

  const checkpoint = (): void => {
    clearTimeout(timer)
    clearImmediate(soon)
    timer = undefined
    soon = undefined
    if (uncovered === 0) return
    const payload = `{"chain":"${id}","iat":${Math.floor(now() / 1000)},"root":"${tree.root()}","size":${seq}}`
    const jws = key.signNow('ductape-checkpoint+jwt', payload)
    if (write('checkpoint', { head: `"checkpoint":"${jws}",` }) === undefined) {
      // No room even for this: the records stay uncovered, and the next one tries again.
      timer = setTimeout(checkpoint, MAX_AGE).unref()
      return
    }
    uncovered = 0
    checkpoints++
    if (witness === undefined) return
    if (untold.push(jws) > MAX_UNTOLD) untold.shift()
    telling ??= tell(witness)
  }

  /** A witness that had seen more than there is would call the chain cut, so it is told what the kernel has taken. */
  const tell = async (witness: (jws: string) => void): Promise<void> => {
    while (untold.length > 0) {
      const due = untold.length
      if (await writer.taken()) for (const jws of untold.splice(0, due)) witness(jws)
      else if (closed) break
      else await new Promise((resolve) => setTimeout(resolve, RETRY).unref())
    }
    telling = undefined
  }

  /** Between two calls: a signature takes some 40 us, and no record waits for it. */
  const cover = (): void => {
    if (++uncovered === 1) {
      uncoveredSince = tick()
      timer ??= setTimeout(checkpoint, MAX_AGE).unref()
    }
    if (uncovered >= MAX_UNCOVERED) checkpoint()
    else if (uncovered >= SOON) soon ??= setImmediate(checkpoint)
  }

  const add = (type: RecordType, parts: RecordParts): string | undefined => {
    const digest = write(type, parts)
    if (digest !== undefined) cover()
    return digest
  }

  const lose = (): void => {
    allLost++
    if (lost === undefined) options.onEvent('audit_records_lost', { mode })
    lost = { from: lost?.from ?? time(), records: (lost?.records ?? 0) + 1 }
    later ??= setTimeout(catchUp, RETRY).unref()
  }

  /** Writes what found no room when it was due: how many records are missing, and the new key. */
  const catchUp = (): void => {
    clearTimeout(later)
    later = undefined
    if (writer.hasRoom()) {
      if (lost !== undefined) tellLost(lost)
      if (nextKey !== undefined) changeKey(nextKey)
    }
    if (lost !== undefined || nextKey !== undefined) later = setTimeout(catchUp, RETRY).unref()
  }

  const tellLost = ({ from, records }: { from: string; records: number }): void => {
    const body = `"lost":{"from":"${from}","records":${records},"to":"${time()}"},`
    if (add('lost', { body }) === undefined) return
    lost = undefined
    options.onEvent('audit_records_again', { lost: records })
  }

  const changeKey = (next: SigningKey): void => {
    // What was appended under the old key is signed by it.
    checkpoint()
    const jwk = canonical({ ...next.jwk })
    const payload = `{"chain":"${id}","iat":${Math.floor(now() / 1000)},"jwk":${jwk}}`
    const jws = key.signNow('ductape-key+jwt', payload)
    if (add('key', { body: `"key":{"jwk":${jwk},"jws":"${jws}"},` }) === undefined) return
    key = next
    nextKey = undefined
    checkpoint()
    options.onEvent('audit_key_changed', { kid: next.kid })
  }

  const { open } = options
  add('open', {
    head: `"configDigest":"${open.configDigest}",`,
    body:
      `"key":${canonical({ ...key.jwk })},"keyOrigin":"${key.origin}","mode":"${mode}",` +
      (open.policyDigest === undefined ? '' : `"policyDigest":"${open.policyDigest}",`),
    more:
      (open.previous === undefined ? '' : `"previous":${canonical({ ...open.previous })},`) +
      (open.registered === undefined ? '' : `"registered":${JSON.stringify(open.registered)},`),
    service: `"service":${canonical({ ...open.service })},`,
  })
  // It registers the chain with the witness.
  checkpoint()

  return {
    id,
    mode,
    append(type, parts) {
      if (closed) return undefined
      const reserved = RESERVED.has(type)
      if (lost !== undefined && !reserved) catchUp()
      // Once records are missing, the one that says so comes before the next call.
      const digest = lost === undefined || reserved ? add(type, parts) : undefined
      if (digest === undefined && (reserved || mode === 'best-effort')) lose()
      return digest
    },
    taken: () => writer.taken(),
    rotate(next) {
      if (closed) return
      nextKey = next.kid === key.kid ? undefined : next
      catchUp()
    },
    async close(unfinished = 0) {
      if (closed) return
      closed = true
      if (lost !== undefined) tellLost(lost)
      if (unfinished === 0) {
        const records: Record<string, number> = { close: 1 }
        for (const [type, count] of counts) records[type] = count
        add('close', { head: `"close":${canonical({ records })},` })
      }
      checkpoint()
      clearTimeout(timer)
      clearTimeout(later)
      await writer.taken()
      await telling
    },
    stats: () => ({
      records: seq,
      lost: allLost,
      checkpoints,
      uncoveredFor: uncovered === 0 ? 0 : tick() - uncoveredSince,
    }),
  }
}

/** Many records share a millisecond; its text is made once. */
function prepareTime(now: () => number): () => string {
  let last = Number.NaN
  let text = ''
  return () => {
    const at = now()
    if (at !== last) {
      last = at
      text = new Date(at).toISOString()
    }
    return text
  }
}
