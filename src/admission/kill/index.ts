// The emergency brake: what an operator has switched off is refused, by every replica, until it is switched on again.
import type { Call } from '../../core/call.ts'
import { type Denial, deny } from '../../core/denials.ts'
import type { Fleet } from '../../core/fleet.ts'
import type { Json } from '../../core/json.ts'
import type { Principal } from '../../core/principal.ts'
import { type Store, StoreUnavailable } from '../../core/store.ts'
import { createReplicated } from '../../store/index.ts'
import { type Order, readOrder } from './admin.ts'
import { idOf, isKnown, type Kill, type KillKind, MAX_KILLS, MAX_UNTIL, type Names } from './entry.ts'

export { isKnown, type Kill, type Names, readableKills } from './entry.ts'

export interface KillOptions {
  store: Store
  fleet: Fleet
  names: Names
  /** Milliseconds since the epoch. */
  now(): number
  /** Milliseconds between two looks at the store. */
  pollEvery: number
  onEvent(name: string, fields: Record<string, string | number>): void
}

/** A checked request to the endpoint. */
export interface KillRequest {
  /** Word of the record. */
  readonly action: 'kill' | 'restore'
  /** What it is about, for the record. */
  readonly target: string
  /** Carries it out; all replicas know it within 5 seconds. */
  run(by: Principal): Promise<Denial | { answer: Json }>
}

export interface KillSwitch {
  /** What of this call is switched off, in words of ours that fill the sentence of `killed`; undefined = nothing. */
  killed(call: Pick<Call, 'toolName' | 'module' | 'principal'>): string | undefined
  /** All entries of a valid file. */
  setLive(entries: readonly Kill[]): void
  /** The readable entries of a file that does not hold: they can only add. */
  addLive(entries: readonly Kill[]): void
  /** Judges `POST /v1/admin/kill`; the scope of the caller is for the route to check. */
  request(body: Json): KillRequest | Denial
  start(): Promise<void>
  /** Looks at the store now; never rejects. */
  refresh(): Promise<void>
  /** One line where something is off: names of tools and modules, and how many callers and tenants. */
  warnings(): readonly string[]
  /** `off`: things that are off now. `shared`: entries of the store, with those that say that something is on again. */
  stats(): { off: number; shared: number; forged: number; synced: boolean }
  close(): void
}

/** Name of the index in the store, and of the channel. */
export const INDEX = 'kill'

/**
 * An entry is a register, the newest of which holds; it is kept so long after its stamp, whatever it says. So an older one for the same
 * thing has always ended before it, and no replica, however long it was away, can bring back what was taken back.
 */
const LIFE = MAX_UNTIL + 24 * 3_600_000
/** Things of which the store knows whether they are off or on again. */
const MAX_ENTRIES = 10 * MAX_KILLS
/** Room for what must always find some: everything, and each tool and module. */
const RESERVE = 1000

const ENTRY = /^(tool|module|principal|tenant|everything) (\S{1,128}) ([1-9]\d{0,15}) (0|[1-9]\d{0,15})$/

/** Thing to the end of its being off, by kind. */
type Table = Readonly<Record<KillKind, Map<string, number>>>

const emptyTable = (): Table => ({
  tool: new Map(),
  module: new Map(),
  principal: new Map(),
  tenant: new Map(),
  everything: new Map(),
})

const sizeOf = ({ tool, module, principal, tenant, everything }: Table): number =>
  tool.size + module.size + principal.size + tenant.size + everything.size

/** Callers and tenants are as many as somebody likes to name; for the others there is always room. */
const isFew = (kind: KillKind): boolean => kind !== 'principal' && kind !== 'tenant'

/** Of two reasons to be off the longer one holds. */
function switchOff(table: Table, kind: KillKind, id: string, until: number): void {
  table[kind].set(id, Math.max(table[kind].get(id) ?? 0, until))
}

export function createKillSwitch(options: KillOptions): KillSwitch {
  const { now, onEvent, names } = options
  let live = emptyTable()
  /** Of file and store together; what has ended stays until the next change. */
  let off = emptyTable()
  let anything = false

  const shared = createReplicated({
    ...options,
    name: INDEX,
    limit: MAX_ENTRIES + RESERVE,
    parse(text) {
      const [, group, id, stamp, until] = ENTRY.exec(text) ?? []
      return group === undefined || id === undefined
        ? undefined
        : { group, id, end: Number(stamp) + LIFE, stamp: Number(stamp), until: Number(until) }
    },
    // Of two with the same stamp the one that is off for longer.
    supersedes: (entry, other) =>
      entry.stamp === other.stamp ? entry.until > other.until : entry.stamp > other.stamp,
    onChange: combine,
  })

  function combine(): void {
    const next = emptyTable()
    const time = now()
    for (const [kind, rows] of Object.entries(live) as [KillKind, Map<string, number>][])
      for (const [id, until] of rows) if (until > time) switchOff(next, kind, id, until)
    for (const { group, id, until } of shared.entries())
      if (until > time) switchOff(next, group as KillKind, id, until)
    off = next
    anything = sizeOf(next) > 0
  }

  const isOff = (kind: KillKind, value: string | undefined): boolean =>
    off[kind].size > 0 && (off[kind].get(idOf(kind, value)) ?? 0) > now()

  function take(entries: readonly Kill[], table: Table): void {
    for (const { kind, value, until = Number.POSITIVE_INFINITY } of entries) {
      const id = idOf(kind, value)
      // Files that can only add must not do so without end.
      if (isFew(kind) || sizeOf(table) < MAX_KILLS || table[kind].has(id)) switchOff(table, kind, id, until)
      else onEvent('kill_full', { limit: MAX_KILLS })
    }
    live = table
    combine()
  }

  function hasRoom({ kind, action }: Order): boolean {
    if (isFew(kind)) return true
    if (shared.stats().shared >= MAX_ENTRIES) return false
    const time = now()
    let count = 0
    for (const { until } of shared.entries()) if (until > time) count++
    return action === 'on' || count < MAX_KILLS
  }

  async function carryOut(order: Order, by: Principal): Promise<Denial | { answer: Json }> {
    const { kind, value, until, action, reason } = order
    const id = idOf(kind, value)
    // What others have written is seen first, so that this is newer.
    await shared.sync()
    const present = shared.find(kind, id)
    const grows = present === undefined || (action === 'off' && present.until <= now())
    if (grows && !hasRoom(order)) return deny('admin_invalid', FULL)
    // Also where it is on as far as this replica knows: another may hold what the store has lost.
    const stamp = Math.max(now(), (present?.stamp ?? 0) + 1)
    if (!(await shared.add(`${kind} ${id} ${stamp} ${until}`))) return deny('admin_invalid', FULL)
    onEvent(action === 'off' ? 'kill_added' : 'kill_removed', {
      kind,
      // A caller or tenant may be a person: it stands in the audit record alone.
      ...((kind === 'tool' || kind === 'module') && { value: value as string }),
      ...(action === 'off' && { until: new Date(until).toISOString() }),
      reason,
      by: by.id,
    })
    return {
      answer: {
        action,
        kind,
        ...(action === 'off' && { until: new Date(until).toISOString() }),
        // It can be off by the file as well, which the endpoint does not change.
        off: isOff(kind, value),
      },
    }
  }

  return {
    killed({ toolName, module, principal }) {
      if (!anything) return undefined
      if (isOff('everything', undefined)) return 'all calls'
      if (principal.tenant !== undefined && isOff('tenant', principal.tenant)) return 'this tenant'
      if (isOff('principal', principal.id)) return 'this caller'
      if (isOff('tool', toolName)) return `the tool ${toolName}`
      if (module !== undefined && isOff('module', module)) return `the module ${module}`
      return undefined
    },
    setLive: (entries) => take(entries, emptyTable()),
    addLive: (entries) =>
      take(
        entries.filter((entry) => isKnown(entry, names)),
        live,
      ),
    request(body) {
      const order = readOrder(body, names, now())
      if (typeof order === 'string') return deny('admin_invalid', order)
      return {
        action: order.action === 'off' ? 'kill' : 'restore',
        target: order.value === undefined ? order.kind : `${order.kind} ${order.value}`,
        run: (by) =>
          carryOut(order, by).catch((error: unknown) => {
            if (error instanceof StoreUnavailable) return deny('store_unavailable')
            throw error
          }),
      }
    },
    start: shared.start,
    refresh: shared.refresh,
    warnings() {
      const time = now()
      const ids = (kind: KillKind): string[] =>
        [...off[kind]].filter(([, until]) => until > time).map(([id]) => id)
      const counted = (kind: 'principal' | 'tenant'): string[] => {
        const { length } = ids(kind)
        return length === 0 ? [] : [`${length} ${kind}${length === 1 ? '' : 's'}`]
      }
      const parts = [
        ...ids('everything').map(() => 'all calls'),
        ...ids('tool').map((name) => `the tool ${name}`),
        ...ids('module').map((name) => `the module ${name}`),
        ...counted('principal'),
        ...counted('tenant'),
      ]
      return parts.length === 0 ? [] : [`switched off: ${parts.join(', ')}`]
    },
    stats() {
      const time = now()
      let count = 0
      for (const rows of Object.values(off)) for (const until of rows.values()) if (until > time) count++
      return { off: count, ...shared.stats() }
    },
    close: shared.close,
  }
}

const FULL =
  'the store takes no more callers and tenants; write it in live/kill.yaml, or switch off a tool, a module or everything'
