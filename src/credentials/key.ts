// What a Ductape key looks like, and the names under which callers send one with its ids (seeds 000 and 001).
import { MIN_CREDENTIAL } from '../core/redact.ts'
import type { Credential } from '../core/tool.ts'

export type KeyKind = 'publishableKey' | 'publicKey'

/** The keys by the argument that brings them in mode `passthrough`. */
const KEY_ARGUMENTS: ReadonlyMap<string, KeyKind> = new Map([
  ['publishable_key', 'publishableKey'],
  ['public_key', 'publicKey'],
])

/** All arguments that belong to a credential; in mode `injected` no tool takes any of them. */
export const CREDENTIAL_ARGUMENTS: readonly string[] = [...KEY_ARGUMENTS.keys(), 'workspace_id', 'user_id']

export const MAX_KEY = 512
const KEY = new RegExp(`^[\\x21-\\x7e]{${MIN_CREDENTIAL},${MAX_KEY}}$`)

/** 12 to 512 visible ASCII characters: the prefixes of Ductape are not fixed (ductape-backend.md 4). */
export const isKey = (text: string): boolean => KEY.test(text)

/** The key that a tool sends; undefined where it sends none. */
export function keyKindOf(tool: { readonly credentialArguments: readonly string[] }): KeyKind | undefined {
  const [name] = tool.credentialArguments
  return name === undefined ? undefined : KEY_ARGUMENTS.get(name)
}

/** The credential among arguments that the tool has checked. */
export function presentedCredential(args: Readonly<Record<string, unknown>>): Credential {
  return {
    publishableKey: args['publishable_key'] as string | undefined,
    publicKey: args['public_key'] as string | undefined,
    workspaceId: args['workspace_id'] as string | undefined,
    userId: args['user_id'] as string | undefined,
  }
}
