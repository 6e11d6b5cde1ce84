// The config section `auth.apiKeys` and the file live/keys.yaml: records of API keys, never the keys.
import * as z from 'zod'
import { count, duration, instant, line, list, version, word } from '../../config/fields.ts'

export const apiKeysSection = z.strictObject({
  maxLifetime: duration({ min: '1h', max: '87600h' })
    .optional()
    .describe('Keys that live longer, or for ever, are refused'),
})

const spelled = (pattern: RegExp, expects: string, fix: string) =>
  word(pattern, { type: expects, expects, fix })

const MAX_KEYS = 100_000

/** One record of a key. */
const keyRecord = z.strictObject({
  id: spelled(
    /^[a-z0-9][a-z0-9_-]{0,63}$/,
    'an id of lower-case letters, digits, "-" and "_"',
    'Use the id that ductape-mcp key create writes.',
  ).describe('Name of the record, in audit records and for key rotate and key revoke'),
  sha256: spelled(
    /^[0-9a-f]{64}$/,
    'a SHA-256 in lower-case hex',
    'Use the record that ductape-mcp key create writes; the key itself never stands here.',
  ).describe('SHA-256 of the key'),
  owner: line('a person or team', 128).describe('Person or team that answers for the key'),
  purpose: line('a purpose', 256).describe('What the key is for'),
  tenant: line('a tenant', 128).optional().describe('Tenant that calls with this key act for'),
  roles: list(line('a role', 128), 'roles', 100)
    .prefault([])
    .describe('Roles of the policy that the caller has; without one every call is refused'),
  scopes: list(
    spelled(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'a scope', 'Write a scope such as "ductape:write".'),
    'scopes',
    100,
  )
    .prefault([])
    .describe('Scopes of the caller'),
  tools: list(line('a tool', 256), 'tools', 100)
    .optional()
    .describe('Only these tools, written as in a policy; without it, what the roles allow'),
  rate: z
    .strictObject({
      perMinute: count({ min: 1, max: 1_000_000 }).describe('Requests per minute'),
      burst: count({ min: 1, max: 100_000 }).describe('Requests that may come at once'),
    })
    .optional()
    .describe('A lower rate than the one of live/limits.yaml'),
  createdAt: instant().optional().describe('When the key was made'),
  expiresAt: instant().optional().describe('When the key ends; without it, never'),
})

/** Enough to mend the file; a table copied twice would give one for each row. */
const MAX_TWINS = 20

/** Reports each record whose id or hash an earlier one has. */
function refuseTwins(keys: readonly { id: string; sha256: string }[], report: (path: PropertyKey[]) => void) {
  const ids = new Set<string>()
  const hashes = new Set<string>()
  let twins = 0
  for (let i = 0; i < keys.length && twins < MAX_TWINS; i++) {
    const { id, sha256 } = keys[i] as (typeof keys)[number]
    const known = ids.has(id) ? 'id' : hashes.has(sha256) ? 'sha256' : undefined
    if (known !== undefined) {
      twins++
      report([i, known])
    }
    ids.add(id)
    hashes.add(sha256)
  }
}

/** `live/keys.yaml`. */
export const keysSchema = z.strictObject({
  version: version().prefault(1).describe('Format of the file'),
  keys: list(keyRecord, 'records of keys', MAX_KEYS)
    .check(({ value, issues }) =>
      refuseTwins(value, (path) =>
        issues.push({
          code: 'custom',
          input: value,
          path,
          message: 'stands in an earlier record too',
          params: { fix: 'Keep one of the two records.' },
        }),
      ),
    )
    .prefault([])
    .describe('Records of the API keys; ductape-mcp key create writes them'),
})

export type KeysFile = z.output<typeof keysSchema>
