// The keys that the service holds for its tenants: taken from mounted files, replaced when their bytes change, the last good one kept.
import type { Fleet } from '../core/fleet.ts'
import { createHeldRedactor, type Redactor } from '../core/redact.ts'
import type { Credential } from '../core/tool.ts'
import { isKey, type KeyKind, MAX_KEY } from './key.ts'

export interface CredentialEvent {
  readonly event: 'credential_loaded' | 'credential_replaced' | 'credential_refused'
  readonly tenant: string
  readonly key: KeyKind
  /** Of `credential_refused`: what is wrong with the file. */
  readonly reason?: FileFault
}

export type FileFault = 'gone' | 'empty' | 'too_large' | 'malformed'

export interface KeyFile {
  readonly path: string
  /** Takes the bytes; undefined = the file is gone. */
  apply(change: { readonly bytes: Buffer | undefined }): void
}

/** Where the keys of one tenant stand. */
export interface TenantKeys {
  readonly publishableKey?: { readonly file: string } | undefined
  readonly publicKey?: { readonly file: string } | undefined
  /** Of the public key. */
  readonly workspaceId?: string | undefined
  readonly userId?: string | undefined
}

export interface CredentialStatus {
  /** Tenants with a key whose file has never been good: calls that need it are refused `credential_unavailable`. */
  readonly lacking: readonly string[]
  /** Tenants whose newest file was refused, so that the last good key is in use. */
  readonly stale: readonly string[]
}

export interface HeldKeys {
  /** The files to watch. */
  readonly files: readonly KeyFile[]
  /** Fleet HMAC of the newest key; undefined where there is none. */
  heldId(tenant: string | undefined, kind: KeyKind): string | undefined
  /** The credential with the key of this id and no other: the newest one, or the one before for a call that was judged by its id. */
  heldCredential(tenant: string | undefined, kind: KeyKind, id: string | undefined): Credential | undefined
  /** Replaces every key that is still known, of all tenants, the ones before the last rotation too: none may stand in an answer to anybody. Undefined where there is none. */
  redactor(): Redactor | undefined
  status(): CredentialStatus
}

interface Held {
  readonly id: string
  readonly key: string
  readonly credential: Credential
}

/** One key of one tenant. */
interface Slot {
  readonly kind: KeyKind
  current: Held | undefined
  previous: Held | undefined
  stale: boolean
}

interface Tenant {
  readonly slots: ReadonlyMap<KeyKind, Slot>
  /** Fleet key that the ids were last brought up to. */
  kid: string | undefined
}

const KINDS: readonly KeyKind[] = ['publishableKey', 'publicKey']
/** Room for white space around a key. */
const MAX_FILE = MAX_KEY + 512

export function createHeldKeys(
  options: ReadonlyMap<string, TenantKeys>,
  { fleet, onEvent }: { fleet: Fleet; onEvent(event: CredentialEvent): void },
): HeldKeys {
  const files: KeyFile[] = []
  const tenants = new Map<string, Tenant>()

  /** 'stale' = a key has come since it was made. */
  let redactor: Redactor | undefined | 'stale'

  const hold = (slot: Slot, credential: Credential, key: string): void => {
    slot.previous = slot.current
    slot.current = { id: fleet.mac('credential-id', key), key, credential }
  }
  const knownKeys = (): string[] => {
    const slots = [...tenants.values()].flatMap((tenant) => [...tenant.slots.values()])
    const keys = slots.flatMap(({ current, previous }) => [current?.key, previous?.key])
    return [...new Set(keys.filter((key) => key !== undefined))]
  }

  for (const [name, keys] of options) {
    const kinds = KINDS.filter((kind) => keys[kind] !== undefined)
    const tenant: Tenant = {
      slots: new Map(
        kinds.map((kind) => [kind, { kind, current: undefined, previous: undefined, stale: false }]),
      ),
      kid: fleet.ids[0],
    }
    tenants.set(name, tenant)
    for (const slot of tenant.slots.values()) {
      const { kind } = slot
      const apply: KeyFile['apply'] = ({ bytes }) => {
        const read = readKey(bytes)
        slot.stale = !read.ok
        if (!read.ok)
          return onEvent({ event: 'credential_refused', tenant: name, key: kind, reason: read.reason })
        if (slot.current?.key === read.key) return
        const event = slot.current === undefined ? 'credential_loaded' : 'credential_replaced'
        hold(slot, credentialOf(kind, read.key, keys), read.key)
        redactor = 'stale'
        onEvent({ event, tenant: name, key: kind })
      }
      files.push({ path: (keys[kind] as { file: string }).file, apply })
    }
  }

  const find = (name: string | undefined): Tenant | undefined => {
    const tenant = name === undefined ? undefined : tenants.get(name)
    const kid = fleet.ids[0]
    if (tenant === undefined || tenant.kid === kid) return tenant
    tenant.kid = kid
    for (const slot of tenant.slots.values()) {
      const { current } = slot
      // A key that came after the new fleet key has its new id already.
      if (current !== undefined && !current.id.startsWith(`${kid}.`))
        hold(slot, current.credential, current.key)
    }
    return tenant
  }
  const namesOf = (which: (slot: Slot) => boolean): string[] =>
    [...tenants].filter(([, { slots }]) => [...slots.values()].some(which)).map(([name]) => name)

  return {
    files,
    heldId: (tenant, kind) => find(tenant)?.slots.get(kind)?.current?.id,
    heldCredential(tenant, kind, id) {
      const slot = find(tenant)?.slots.get(kind)
      if (slot === undefined || id === undefined) return undefined
      if (slot.current?.id === id) return slot.current.credential
      return slot.previous?.id === id ? slot.previous.credential : undefined
    },
    redactor() {
      // Made when it is first needed: at the start a thousand files come one after another.
      if (redactor === 'stale') redactor = createHeldRedactor(knownKeys())
      return redactor
    },
    status: () => ({
      lacking: namesOf(({ current }) => current === undefined),
      stale: namesOf(({ current, stale }) => stale && current !== undefined),
    }),
  }
}

/** One key and what belongs to it: a call never carries a key that its tool does not send. */
function credentialOf(kind: KeyKind, key: string, { workspaceId, userId }: TenantKeys): Credential {
  return Object.freeze({ publishableKey: undefined, publicKey: undefined, workspaceId, userId, [kind]: key })
}

type ReadKey =
  | { readonly ok: true; readonly key: string }
  | { readonly ok: false; readonly reason: FileFault }

function readKey(bytes: Buffer | undefined): ReadKey {
  if (bytes === undefined) return { ok: false, reason: 'gone' }
  if (bytes.length > MAX_FILE) return { ok: false, reason: 'too_large' }
  const key = bytes.toString('utf8').trim()
  if (key === '') return { ok: false, reason: 'empty' }
  return isKey(key) ? { ok: true, key } : { ok: false, reason: 'malformed' }
}
