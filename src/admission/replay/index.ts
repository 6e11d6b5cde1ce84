// Sees to it that a call with an idempotency key has its effect once: a repetition gets the stored answer, or a refusal.
import { hash } from 'node:crypto'
import { setBounded } from '../../core/bounded.ts'
import type { Call, Stage, Verdict } from '../../core/call.ts'
import { canonicalArguments } from '../../core/canonical.ts'
import { type Denial, denialRow, deny, type StageName } from '../../core/denials.ts'
import type { Fleet } from '../../core/fleet.ts'
import { type Store, StoreUnavailable } from '../../core/store.ts'
import type { Effect } from '../../core/tool.ts'
import { answerOf, type End, endText, markerText, readEntry, resultOf, sizeOf } from './entry.ts'
import { type NameParts, prepareNames } from './names.ts'
import { createRoom } from './room.ts'

export interface ReplayOptions {
  store: Store
  fleet: Fleet
  /** The config section. */
  settings: { readonly retention: number; readonly require: 'none' | 'destructive' | 'write' }
  /** Milliseconds since the epoch. */
  now(): number
  /** Longest time that the backend may take for this call, in milliseconds. */
  deadline(call: Call): number
  keyOf: NameParts['keyOf']
  onEvent(name: string, fields?: Record<string, string | number>): void
}

export interface ReplayStats {
  /** Calls that took their key. */
  claimed: number
  /** Answers and refusals that were kept. */
  kept: number
  /** Calls that were, or may have been, executed and of which nothing but that is known. */
  unkept: number
  /** Keys that were given back, because nothing had been sent. */
  released: number
  /** Repetitions that got the answer, or the refusal, of the first call. */
  repeated: number
  /** Repetitions of a call that was under way. */
  running: number
  /** Repetitions of a call whose answer is not kept. */
  executed: number
  /** Keys that came with another request. */
  reused: number
  /** Entries that this fleet has not written, or this build cannot read. */
  unreadable: number
  /** Calls whose end could not be stored. */
  unsettled: number
}

export interface Replay {
  /** Ends the call with the stored answer (`call.result`, `call.replayOf`), or with a refusal. */
  readonly stage: Stage
  /** Keeps the answer of a call that the stage let through, before it is given; never rejects. */
  settle(call: Call): Promise<void> | undefined
  /** Gives back what could not be given back while the store was lost; to be called every second or so. */
  maintain(): Promise<void>
  stats(): ReplayStats
}

/** An entry of ours as it stands in the store: who finds another one there leaves it alone. */
interface Held {
  readonly name: string
  readonly value: string
}

interface Claim {
  readonly request: string
  readonly held: readonly Held[]
}

const AREA = 'replay:'
const KEY = /^[\x21-\x7e]{1,128}$/
/** Added to the longest time of the backend: the stages between, a slow store, clocks that differ. */
const MARGIN = 60_000
/** When a call that is under way may be asked for again. */
const ASK_AGAIN = 1000
/** Keys that wait to be given back. */
const MAX_OWED = 10_000
const OWED_AT_ONCE = 100

const DEMANDED: Readonly<Record<ReplayOptions['settings']['require'], readonly Effect[]>> = {
  none: [],
  destructive: ['destructive', 'admin'],
  write: ['write', 'destructive', 'admin'],
}

export function createReplay(options: ReplayOptions): Replay {
  const { store, fleet, now, onEvent } = options
  const { retention, require } = options.settings
  const demanded = new Set(DEMANDED[require])
  const namesOf = prepareNames(options)
  const hasRoom = createRoom(now, retention)
  /** Names and values that were to be deleted when the store could not be reached. */
  const owed = new Map<string, string>()
  const stats: ReplayStats = {
    claimed: 0,
    kept: 0,
    unkept: 0,
    released: 0,
    repeated: 0,
    running: 0,
    executed: 0,
    reused: 0,
    unreadable: 0,
    unsettled: 0,
  }

  const release = async (held: readonly Held[]): Promise<void> => {
    for (const { name, value } of held) {
      try {
        await store.compareAndSwap(name, value, undefined, undefined)
      } catch {
        setBounded(owed, name, value, MAX_OWED)
      }
    }
  }

  const claim = async (call: Call, key: string): Promise<Verdict> => {
    const { prepared } = call
    if (prepared === undefined) throw new Error('replay runs after validate')
    const names = namesOf(call, key)
    // Not requestDigest, which changes with the fleet key; what it covers beyond the arguments is in the name.
    const request = hash('sha256', canonicalArguments(prepared), 'base64url')
    const longest = options.deadline(call) + MARGIN
    const text = markerText({ request, callId: call.id, until: now() + longest })
    // A process that dies after it has sent leaves this behind: nobody may send again while an answer could be asked for.
    const ttl = Math.max(retention, longest)
    const held: Held[] = []
    try {
      for (const id of names) {
        const name = AREA + id
        const value = fleet.seal(text, name)
        // Before the store has answered: what timed out may have been done.
        held.push({ name, value })
        if (await store.setIfAbsent(name, value, ttl)) continue
        held.pop()
        const verdict = repeat(call, request, name, await store.get(name))
        await release(held)
        return verdict
      }
    } catch (error) {
      await release(held)
      // A key is the demand to be executed once, which nobody can promise without the store.
      if (error instanceof StoreUnavailable) return deny('store_unavailable')
      throw error
    }
    stats.claimed++
    call.replay = { request, held } satisfies Claim
    call.backendKey = names[0]
    return undefined
  }

  const repeat = (call: Call, request: string, name: string, found: string | undefined): Verdict => {
    // The first call has just given its key back, or its hour has just passed.
    if (found === undefined) return running()
    const text = fleet.open(found, name)
    const entry = text === undefined ? undefined : readEntry(text)
    if (entry === undefined) {
      stats.unreadable++
      onEvent('replay_unreadable')
      return deny('already_executed')
    }
    if (entry.request !== request) {
      stats.reused++
      return deny('idempotency_key_reused')
    }
    const { end } = entry
    if (end === undefined && now() < (entry.until ?? 0)) return running()
    if (end === undefined || end.kind === 'unkept') {
      stats.executed++
      return deny('already_executed')
    }
    stats.repeated++
    call.replayOf = entry.callId
    if (end.kind === 'refused') return end.denial
    call.result = resultOf(end.answer)
    return undefined
  }

  const running = (): Denial => {
    stats.running++
    return { ...deny('in_progress'), retryAfterMs: ASK_AGAIN }
  }

  const endOf = (call: Call): End => {
    const { denial, result } = call
    // What a key made at the start has sealed, nobody opens after the next one.
    if (!fleet.shared) return UNKEPT
    if (denial !== undefined) return isRepeatable(denial) ? { kind: 'refused', denial } : UNKEPT
    const answer = result === undefined ? undefined : answerOf(result)
    if (answer === undefined) return UNKEPT
    return hasRoom(call.principal.tenant, sizeOf(answer)) ? { kind: 'answered', answer } : UNKEPT
  }

  const keep = async (call: Call, { request, held }: Claim): Promise<void> => {
    try {
      const end = endOf(call)
      if (end.kind === 'unkept') stats.unkept++
      else stats.kept++
      const text = endText(request, call.id, end)
      for (const { name, value } of held)
        if (!(await store.compareAndSwap(name, value, fleet.seal(text, name), retention)))
          unsettled(call, 'the entry is gone')
    } catch (error) {
      // The marker stays: a repetition is refused, and nothing is executed a second time.
      unsettled(call, error instanceof StoreUnavailable ? 'the store cannot be reached' : 'a fault')
    }
  }

  const unsettled = (call: Call, reason: string): void => {
    stats.unsettled++
    onEvent('replay_unsettled', { callId: call.id, reason })
  }

  return {
    stage(call) {
      const key = call.idempotencyKey
      if (key === undefined)
        return demanded.size > 0 && demanded.has(effectOf(call))
          ? deny('idempotency_key_required')
          : undefined
      if (!KEY.test(key))
        return deny('idempotency_key_invalid', 'it has to be 1 to 128 visible ASCII characters')
      return claim(call, key)
    },
    settle(call) {
      const own = call.replay as Claim | undefined
      if (own === undefined) return undefined
      call.replay = undefined
      if (wasSent(call)) return keep(call, own)
      stats.released++
      return release(own.held)
    },
    async maintain() {
      let left = OWED_AT_ONCE
      for (const [name, value] of owed) {
        if (left-- === 0 || !store.available()) return
        try {
          await store.compareAndSwap(name, value, undefined, undefined)
          // It may have been owed anew meanwhile, with another value.
          if (owed.get(name) === value) owed.delete(name)
        } catch {
          return
        }
      }
    },
    stats: () => ({ ...stats }),
  }
}

const UNKEPT: End = { kind: 'unkept' }

function effectOf({ prepared }: Call): Effect {
  if (prepared === undefined) throw new Error('replay runs after validate')
  return prepared.operation.effect
}

/** Stages that a call with a key can end in before anything is sent. */
const BEFORE: ReadonlySet<StageName> = new Set(['replay', 'limits', 'approval', 'credentials'])

/** False only where it is sure that the backend did nothing: then the same key may be used again. */
function wasSent({ denial, stage }: Call): boolean {
  if (BEFORE.has(stage)) return false
  switch (denial?.code) {
    case 'backend_unreachable':
    case 'cancelled':
      return false
    case 'backend_busy':
      // 429 is said before anything is done (RFC 6585 4). A 503 may come from a proxy whose connection broke after the request was through.
      return denial.backendStatus !== 429
    default:
      return true
  }
}

/** What says the same when it is said again. One that asks for a repetition would ask for ever. */
function isRepeatable(denial: Denial): boolean {
  const { stage, form, retryable } = denialRow(denial)
  return !BEFORE.has(stage) && form === 'result' && !retryable
}
