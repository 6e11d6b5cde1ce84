// Receipts: what a call was and what became of it, for its caller to keep and to prove (docs/reference/evidence.md, "Receipt").
import { hash } from 'node:crypto'
import type { Call } from '../core/call.ts'
import type { Principal } from '../core/principal.ts'
import type { SigningKey } from './keys.ts'
import { treePaths } from './merkle.ts'
import { outcomeStatus } from './record.ts'

export interface ReceiptParts {
  /** The key in use now. */
  signer(): SigningKey
  /** publicUrl, or the URN of this instance. */
  issuer: string
  /** Id of the chain that the records stand in. */
  chain: string
  /** Milliseconds since the epoch. */
  now(): number
  /** So many random bytes. */
  random(size: number): Buffer
  /** A signature failed: as many answers go without a receipt. */
  onFailure(receipts: number): void
}

export interface Receipts {
  /** Resolves when `call.receipt` is there, or could not be made: the effect has happened, so the answer goes without it. */
  issue(call: Call): Promise<void>
  /** Answers that went without one. */
  failures(): number
}

/** Receipts that share one signature; there are never more than calls in flight, so MAX_STEPS is out of reach. */
interface Group {
  readonly calls: Call[]
  /** Claims of each call, canonical JSON. */
  readonly claims: string[]
  readonly done: Promise<void>
  settle(): void
}

const LEAF = '\0ductape-receipt/1'

/**
 * One signature for all receipts that come up in one turn of the event loop: a lone one has an empty path, a busy service signs seldom, and
 * nobody waits for a timer. It is made on this thread, where it costs 50 us; handing it to another one and back costs twice that.
 */
export function createReceipts(parts: ReceiptParts): Receipts {
  const claimsOf = prepareClaims(parts)
  const draw = createDraw(parts.random)
  let group: Group | undefined
  let failures = 0

  const make = ({ calls, claims }: Group): void => {
    shuffle(calls, claims, draw)
    const { root, paths } = treePaths(claims.map((text) => hash('sha256', LEAF + text, 'base64url')))
    const payload = `{"iat":${seconds(parts.now())},"root":"${root}"}`
    const head = parts.signer().signNow('ductape-receipt+jwt', payload)
    for (const [i, call] of calls.entries()) {
      const text = `{"claims":${claims[i]},"head":"${head}","path":${paths[i]}}`
      call.receipt = { text, salts: saltsOf(call) }
    }
  }

  const sign = (): void => {
    const due = group
    group = undefined
    if (due === undefined) return
    try {
      make(due)
    } catch {
      failures += due.calls.length
      parts.onFailure(due.calls.length)
    }
    due.settle()
  }

  return {
    issue(call) {
      if (group === undefined) {
        group = newGroup()
        setImmediate(sign)
      }
      group.calls.push(call)
      group.claims.push(claimsOf(call))
      return group.done
    },
    failures: () => failures,
  }
}

function newGroup(): Group {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { calls: [], claims: [], done: promise, settle: resolve }
}

const seconds = (milliseconds: number): number => Math.floor(milliseconds / 1000)

/** Members whose values are words of ours, or have been checked for their form, as in the records. */
const word = (name: string, value: string | undefined): string =>
  value === undefined ? '' : `"${name}":"${value}",`

// Members stand in RFC 8785 order, like those of the records.
function prepareClaims(parts: ReceiptParts): (call: Call) => string {
  const issuer = `,"iss":${JSON.stringify(parts.issuer)},"jti":"`
  // A principal is the same object as long as its credential is kept, and its text with it.
  const callers = new WeakMap<Principal, { front: string; back: string }>()
  const callerOf = (principal: Principal): { front: string; back: string } => {
    let known = callers.get(principal)
    if (known === undefined) {
      const { client, subject, tenant } = principal
      const member = (name: string, value: string | undefined): string =>
        value === undefined ? '' : `,"${name}":${JSON.stringify(value.toWellFormed())}`
      known = {
        front: `"chain":"${parts.chain}"${member('client_id', client)},`,
        back: member('sub', subject) + member('tenant', tenant),
      }
      callers.set(principal, known)
    }
    return known
  }
  return (call) => {
    const { front, back } = callerOf(call.principal)
    const tool = call.tool?.declaration.name
    return (
      `{${word('args_digest', call.argsDigest)}${front}${word('code', call.denial?.code)}` +
      `"iat":${seconds(parts.now())}${issuer}${call.id}",` +
      word('method', call.method) +
      word('module', call.module) +
      word('policy_digest', call.runtime.policy?.digest) +
      word('record', call.recordHash) +
      word('replay_of', call.replayOf) +
      word('result_digest', call.resultDigest) +
      `"status":"${call.decided ? outcomeStatus(call) : 'refused'}"${back}${tool === undefined ? '' : `,"tool":"${tool}"`}}`
    )
  }
}

/** The salts of the digests in the claims, which stand beside the receipt; empty where there is none. */
function saltsOf({ argsDigest, argsSalt, resultDigest, resultSalt }: Call): string {
  const args = argsDigest === undefined ? '' : `"args":"${argsSalt}"`
  const result = resultDigest === undefined ? '' : `"result":"${resultSalt}"`
  const both = args !== '' && result !== '' ? ',' : ''
  return args === '' && result === '' ? '' : `{${args}${both}${result}}`
}

/** Order in the tree must not tell who came before whom (Fisher-Yates). */
function shuffle(calls: Call[], claims: string[], draw: (below: number) => number): void {
  for (let last = calls.length - 1; last > 0; last--) {
    const other = draw(last + 1)
    swap(calls, last, other)
    swap(claims, last, other)
  }
}

function swap<T>(list: T[], a: number, b: number): void {
  const held = list[a] as T
  list[a] = list[b] as T
  list[b] = held
}

/** Bytes of randomness taken at a time. */
const BLOCK = 4096

/** Whole numbers from 0 to below `below`. Of 32 bits no value is noticeably likelier than another. */
function createDraw(random: (size: number) => Buffer): (below: number) => number {
  let block: Buffer = Buffer.alloc(0)
  let used = 0
  return (below) => {
    if (used === block.length) {
      block = random(BLOCK)
      used = 0
    }
    const drawn = block.readUInt32LE(used) % below
    used += 4
    return drawn
  }
}
