// What `key list` shows of the records of a file, and when each key was last used, from the audit records.
import type { ApiKeyFacts } from '../audit/bundle.ts'
import { createLineCutter } from '../audit/verify/index.ts'
import { formatInstant } from '../core/instant.ts'
import { recordFiles } from './audit-files.ts'
import type { Io } from './io.ts'
import type { KeyRecords } from './key-file.ts'
import { table } from './table.ts'

export interface ListedKey extends ApiKeyFacts {
  state: 'active' | 'expired'
  /** Time of the newest decision under this key; undefined = none in these records. */
  lastUsed?: string | undefined
}

/** What may be shown of a key. */
export const keyFacts = ({
  id,
  owner,
  purpose,
  tenant,
  roles,
  expiresAt,
}: KeyRecords[number]): ApiKeyFacts => ({
  id,
  owner,
  purpose,
  tenant,
  roles,
  expires: expiresAt === undefined ? undefined : formatInstant(expiresAt),
})

export function describeKeys(
  records: KeyRecords,
  now: number,
  used: ReadonlyMap<string, string> | undefined,
): ListedKey[] {
  return records.map((record) => ({
    ...keyFacts(record),
    state: record.expiresAt !== undefined && record.expiresAt <= now ? 'expired' : 'active',
    ...(used !== undefined && { lastUsed: used.get(record.id) }),
  }))
}

export function printKeys(keys: readonly ListedKey[], withUse: boolean, io: Io): void {
  const head = ['ID', 'OWNER', 'PURPOSE', 'TENANT', 'ROLES', 'EXPIRES', 'STATE']
  const rows = keys.map(({ id, owner, purpose, tenant, roles, expires, state, lastUsed }) => {
    const row = [id, owner, purpose, tenant ?? '-', roles.join(',') || '-', expires ?? 'never', state]
    return withUse ? [...row, lastUsed ?? '-'] : row
  })
  io.out(table([withUse ? [...head, 'LAST USED'] : head, ...rows]))
}

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/

/** Newest time of a record of each of these keys. Reads the files as streams, so their size does not matter. */
export async function lastUses(
  files: readonly string[],
  ids: ReadonlySet<string>,
): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const note = (line: string): void => {
    if (!line.includes('"keyId":"')) return
    const use = readUse(line)
    if (use === undefined || !ids.has(use.id)) return
    const known = found.get(use.id)
    // Times of one form compare as text.
    if (known === undefined || known < use.time) found.set(use.id, use.time)
  }
  const line = (bytes: Buffer): void => note(bytes.toString())
  for (const file of recordFiles(files)) {
    const cutter = createLineCutter({ line, rest: line })
    for await (const chunk of file.read()) cutter.feed(chunk)
    cutter.end()
  }
  return found
}

/** A record that is not ours, or was cut off, is not counted. */
function readUse(line: string): { id: string; time: string } | undefined {
  let record: { time?: unknown; who?: { keyId?: unknown } | null } | null
  try {
    record = JSON.parse(line)
  } catch {
    return undefined
  }
  const id = record?.who?.keyId
  const time = record?.time
  return typeof id === 'string' && typeof time === 'string' && TIME.test(time) ? { id, time } : undefined
}
