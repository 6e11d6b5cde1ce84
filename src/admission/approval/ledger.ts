// Keeps the approvals in the store: one place for each request of each caller, changed by compare-and-swap alone, written and read by the fleet alone.
import { setBounded } from '../../core/bounded.ts'
import type { Fleet } from '../../core/fleet.ts'
import { type Store, StoreUnavailable } from '../../core/store.ts'
import { openEntry, readEntry, sealEntry, signEntry } from '../../store/index.ts'
import type { Asked, Claim, Decided, Found } from './entry.ts'

export interface LedgerPorts {
  store: Store
  fleet: Fleet
  /** Milliseconds since the epoch. */
  now(): number
  /** So many random bytes. */
  random(size: number): Buffer
  /** An entry that this fleet has not written, or cannot read. */
  onForged(): void
}

/** What an approval is for, whole: another request, caller or rule is another place. */
export interface Binding {
  readonly tenant: string | undefined
  readonly principal: string
  readonly request: string
  readonly rule: string
}

export interface Ledger {
  /** Uses up the approval of this call, or says what it waits for; asks where nobody has yet. */
  claim(binding: Binding, ask: () => { asked: Omit<Asked, 'id'>; arguments: string }): Promise<Claim>
  /** Of this tenant alone; undefined where there is none, or no longer. */
  find(tenant: string | undefined, id: string): Promise<Found | undefined>
  /** Those that wait, the oldest first. */
  waiting(tenant: string | undefined): Promise<readonly Asked[]>
  /** How many wait, of all tenants and asked for by any replica on this store. */
  pending(): Promise<number>
  /** False where somebody else was quicker, or it has expired. */
  decide(found: Found, decided: Decided): Promise<boolean>
  close(): void
}

/** Bytes of arguments that an approver can be shown. */
export const MAX_ARGUMENTS = 64 * 1024
export const MAX_PER_PRINCIPAL = 20
export const MAX_PER_TENANT = 1000
/** As many as a hundred tenants may have; what is counted has to be bounded too. */
const MAX_IN_ALL = 100_000
/** Arguments of a tenant are counted in pieces of 16 KiB: 1,024 of them are 16 MiB. */
const PIECE = 16 * 1024
const MAX_PIECES = 1024
/** Somebody else may have been quicker each time; then the caller repeats the call. */
const ATTEMPTS = 5
const MAX_SPENT = 10_000
const ID = /^[\w-]{22}$/
/** Channel on which replicas tell each other what they have used. */
const SPENT = 'approval-spent'

interface Place {
  readonly index: string
  readonly member: string
  readonly limit: number
  readonly whose: 'this caller' | 'this tenant' | 'all tenants'
}

/** What the place of a request holds; the arguments go with the decision. */
type Slot =
  | { readonly id: string; readonly expiresAt: number; readonly state: 'pending'; readonly arguments: string }
  | ({ readonly id: string; readonly expiresAt: number } & Decided)

export function createLedger({ store, fleet, now, random, onForged }: LedgerPorts): Ledger {
  /** Ids that were used, here or by a replica that said so: a store that came back with an older state must not bring them back. */
  const spent = new Map<string, true>()
  let listening: Promise<(() => void) | undefined> | undefined

  // Names in the store tell nothing of tenants and callers, and nobody outside can make the name of another one's entry.
  const keyFor = (area: string, ...parts: readonly (string | undefined)[]): string =>
    `approval-${area}:${fleet.mac('store-auth', JSON.stringify([area, ...parts.map((part) => part ?? null)]))}`
  const slotOf = ({ tenant, principal, request, rule }: Binding): string =>
    keyFor('slot', tenant, principal, request, rule)
  const cardOf = (tenant: string | undefined, id: string): string => keyFor('card', tenant, id)
  const everybody = keyFor('all')

  function read<Entry extends { expiresAt: number }>(
    key: string,
    raw: string | undefined,
  ): Entry | undefined {
    if (raw === undefined) return undefined
    const text = openEntry(fleet, key, raw)
    if (text === undefined) {
      onForged()
      return undefined
    }
    const entry = JSON.parse(text) as Entry
    return entry.expiresAt > now() ? entry : undefined
  }
  const write = (key: string, entry: object): string => sealEntry(fleet, key, JSON.stringify(entry))

  const remember = (id: string): void => setBounded(spent, id, true, MAX_SPENT)

  /** Tried again with the next call where the store cannot be had. */
  function listen(): void {
    listening ??= store
      .subscribe(SPENT, (message) => {
        const id = readEntry(fleet, SPENT, message)
        if (id !== undefined) remember(id)
      })
      .catch(() => {
        listening = undefined
        return undefined
      })
  }

  const placesOf = (tenant: string | undefined, principal: string, id: string, bytes: number): Place[] => [
    {
      index: keyFor('principal', tenant, principal),
      member: id,
      limit: MAX_PER_PRINCIPAL,
      whose: 'this caller',
    },
    { index: keyFor('tenant', tenant), member: id, limit: MAX_PER_TENANT, whose: 'this tenant' },
    { index: everybody, member: id, limit: MAX_IN_ALL, whose: 'all tenants' },
    ...Array.from({ length: Math.max(1, Math.ceil(bytes / PIECE)) }, (_, piece) => ({
      index: keyFor('pieces', tenant),
      member: `${id} ${piece}`,
      limit: MAX_PIECES,
      whose: 'this tenant' as const,
    })),
  ]

  const free = (places: readonly Place[]): Promise<unknown> =>
    Promise.allSettled(places.map(({ index, member }) => store.indexRemove(index, member)))

  /** All of the places or none; the one that is full where one is. */
  async function take(places: readonly Place[], ttl: number): Promise<Place | undefined> {
    const tries = await Promise.allSettled(
      places.map(({ index, member, limit }) => store.indexAdd(index, member, ttl, limit)),
    )
    const failed = tries.find((one) => one.status === 'rejected')
    const full = places.find((_, at) => tries[at]?.status === 'fulfilled' && !tries[at].value)
    if (failed !== undefined || full !== undefined) await free(places)
    if (failed !== undefined) throw failed.reason
    return full
  }

  /** Undefined where somebody else was quicker. */
  async function ask(
    slot: string,
    raw: string | undefined,
    { tenant, principal }: Binding,
    given: Omit<Asked, 'id'>,
    args: string,
  ): Promise<Claim | undefined> {
    const bytes = Buffer.byteLength(args)
    if (bytes > MAX_ARGUMENTS) return { state: 'too_large' }
    const id = random(16).toString('base64url')
    const asked: Asked = { ...given, id }
    const { expiresAt } = asked
    const ttl = expiresAt - now()
    const places = placesOf(tenant, principal, id, bytes)
    const full = await take(places, ttl)
    if (full !== undefined) return { state: 'backlog', whose: full.whose }
    const card = cardOf(tenant, id)
    // The place comes last: who finds it waiting can be sure that approvers find it too.
    await store.setIfAbsent(card, write(card, { ...asked, slot }), ttl)
    const pending: Slot = { id, expiresAt, state: 'pending', arguments: args }
    if (await store.compareAndSwap(slot, raw, write(slot, pending), ttl))
      return { state: 'pending', id, expiresAt, isNew: true }
    await free(places)
    await store.take(card)
    return undefined
  }

  return {
    async claim(binding, describe) {
      const slot = slotOf(binding)
      listen()
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const raw = await store.get(slot)
        const entry = read<Slot>(slot, raw)
        if (entry === undefined || spent.has(entry.id)) {
          const { asked, arguments: args } = describe()
          const claim = await ask(slot, raw, binding, asked, args)
          if (claim !== undefined) return claim
        } else if (entry.state === 'pending') {
          return { state: 'pending', id: entry.id, expiresAt: entry.expiresAt, isNew: false }
        } else if (entry.state === 'denied') {
          return entry
          // The one step that decides who runs: of several replicas one deletes it.
        } else if (await store.compareAndSwap(slot, raw, undefined, undefined)) {
          remember(entry.id)
          // Whom it does not reach still has the store, which as a rule forgets nothing.
          store.publish(SPENT, signEntry(fleet, SPENT, entry.id)).catch(() => undefined)
          // The store took its time: what has ended meanwhile is asked for anew.
          if (entry.expiresAt > now()) return entry
        }
      }
      throw new StoreUnavailable('others were quicker each time')
    },
    async find(tenant, id) {
      if (!ID.test(id)) return undefined
      const card = cardOf(tenant, id)
      const asked = read<Asked & { slot: string }>(card, await store.get(card))
      if (asked === undefined) return undefined
      const raw = await store.get(asked.slot)
      const entry = read<Slot>(asked.slot, raw)
      // After its use, the place may hold another one.
      if (raw === undefined || entry?.id !== id || spent.has(id)) return undefined
      const { slot, ...rest } = asked
      return {
        asked: rest,
        slot,
        raw,
        state: entry.state,
        arguments: entry.state === 'pending' ? entry.arguments : undefined,
      }
    },
    async waiting(tenant) {
      const ids = await store.indexMembers(keyFor('tenant', tenant))
      const cards = await Promise.all(
        ids
          .filter((id) => ID.test(id))
          .map(async (id) => {
            const card = cardOf(tenant, id)
            return read<Asked & { slot: string }>(card, await store.get(card))
          }),
      )
      return cards.filter((card) => card !== undefined).sort((one, other) => one.askedAt - other.askedAt)
    },
    pending: () => store.indexCount(everybody),
    async decide({ asked, slot, raw, arguments: args = '' }, decided) {
      const { id, expiresAt, requester, tenant } = asked
      const left = expiresAt - now()
      if (left <= 0) return false
      const next = write(slot, { id, expiresAt, ...decided } satisfies Slot)
      if (!(await store.compareAndSwap(slot, raw, next, left))) return false
      // Where this fails, the places end with the approval.
      await free(placesOf(tenant, requester.id, id, Buffer.byteLength(args)))
      return true
    },
    close() {
      void listening?.then((stop) => stop?.())
    },
  }
}
