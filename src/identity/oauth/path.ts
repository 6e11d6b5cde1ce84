// Where a claim stands in the payload: `realm_access.roles`, or a JSON pointer (RFC 6901) where a name holds a dot or a slash.
import { type Json, member } from '../../core/json.ts'

export type ClaimPath = readonly string[]

/** `/https:~1~1example.com~1roles` is a pointer because it begins with a slash; anything else is names with dots between them. */
export function compilePath(text: string): ClaimPath {
  if (!text.startsWith('/')) return text.split('.')
  return text
    .slice(1)
    .split('/')
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** True for text that compilePath can read: no empty name, at most eight of them, no stray "~". */
export function isPath(text: string): boolean {
  if (/~(?![01])/.test(text) && text.startsWith('/')) return false
  const names = compilePath(text)
  return names.length <= 8 && names.every((name) => name !== '')
}

/** The claim at the path; undefined where something else than an object stands in between. */
export function claimAt(claims: Json, path: ClaimPath): Json | undefined {
  let value: Json | undefined = claims
  for (const name of path) {
    // Own members only: a path like "constructor" must not meet the prototype.
    value = member(value, name)
  }
  return value
}
