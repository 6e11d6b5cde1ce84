// Whose Ductape key goes with a call: the caller's own, or the one that the service holds for the caller's verified tenant and nobody else.
import type { Fleet } from '../core/fleet.ts'
import type { Principal } from '../core/principal.ts'
import { type CredentialEvent, createHeldKeys, type HeldKeys, type TenantKeys } from './held.ts'

export type { CredentialEvent } from './held.ts'
export { CREDENTIAL_ARGUMENTS, isKey, type KeyKind, keyKindOf } from './key.ts'

export type CredentialMode = 'passthrough' | 'injected'

export interface TenantOptions extends TenantKeys {
  /** In place of the general mode. */
  readonly mode?: CredentialMode | undefined
  /** passthrough: only keys with these ids may be presented. */
  readonly credentialIds?: readonly string[] | undefined
}

/** The config section, whose contradictions have been refused. */
export interface CredentialOptions {
  readonly mode: CredentialMode
  /** By the tenant's name, compared character by character. */
  readonly tenants: Readonly<Record<string, TenantOptions>>
}

export interface CredentialPorts {
  fleet: Fleet
  /** Each key that was taken, replaced or refused; holds no key. */
  onEvent(event: CredentialEvent): void
}

export interface Credentials extends HeldKeys {
  /** A caller without a tenant has the general mode, and in `injected` no key. */
  modeOf(tenant: string | undefined): CredentialMode
  /** False where the tenant of the caller is bound to other keys than the presented one. */
  allowed(principal: Principal, credentialId: string | undefined): boolean
}

export function createCredentials(options: CredentialOptions, ports: CredentialPorts): Credentials {
  // Maps, because a plain object would find a tenant named `constructor` or `__proto__`.
  const modes = new Map<string, CredentialMode>()
  const bound = new Map<string, ReadonlySet<string>>()
  const injected = new Map<string, TenantKeys>()
  for (const [tenant, one] of Object.entries(options.tenants)) {
    const mode = one.mode ?? options.mode
    modes.set(tenant, mode)
    if (mode === 'injected') injected.set(tenant, one)
    else if (one.credentialIds !== undefined) bound.set(tenant, new Set(one.credentialIds))
  }
  return {
    ...createHeldKeys(injected, ports),
    modeOf: (tenant) => (tenant === undefined ? undefined : modes.get(tenant)) ?? options.mode,
    allowed({ tenant }, credentialId) {
      const ids = tenant === undefined ? undefined : bound.get(tenant)
      return ids === undefined || (credentialId !== undefined && ids.has(credentialId))
    },
  }
}
