// What `key list` shows of the records of a file, and when each key was last used, from the audit records.
import { createReadStream } from 'node:fs'
import { formatInstant } from '../core/instant.ts'
import { type Io, UsageError } from './io.ts'
import type { KeyRecords } from './key-file.ts'

export interface ListedKey {
  id: string
  owner: string
  purpose: string
  tenant: string | undefined
  roles: readonly string[]
  expires: string | undefined
  state: 'active' | 'expired'
  /** Time of the newest decision under this key; undefined = none in these records. */
  lastUsed?: string | undefined
}

export function describeKeys(
  records: KeyRecords,
  now: number,
  used: ReadonlyMap<string, string> | undefined,
): ListedKey[] {
  return records.map(({ id, owner, purpose, tenant, roles, expiresAt }) => ({
    id,
    owner,
    purpose,
    tenant,
    roles,
    expires: expiresAt === undefined ? undefined : formatInstant(expiresAt),
    state: expiresAt !== undefined && expiresAt <= now ? 'expired' : 'active',
    ...(used !== undefined && { lastUsed: used.get(id) }),
  }))
}

export function printKeys(keys: readonly ListedKey[], withUse: boolean, io: Io): void {
  const head = ['ID', 'OWNER', 'PURPOSE', 'TENANT', 'ROLES', 'EXPIRES', 'STATE']
  const rows = keys.map(({ id, owner, purpose, tenant, roles, expires, state, lastUsed }) => {
    const row = [id, owner, purpose, tenant ?? '-', roles.join(',') || '-', expires ?? 'never', state]
    return withUse ? [...row, lastUsed ?? '-'] : row
  })
  const table = [withUse ? [...head, 'LAST USED'] : head, ...rows]
  const widths = table.reduce<number[]>(
    (widest, row) => row.map((cell, i) => Math.max(widest[i] ?? 0, cell.length)),
    [],
  )
  for (const row of table)
    io.out(
      `${row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    )
}

/** Characters of a line; records are far shorter, and what is longer is skipped. */
const MAX_LINE = 1 << 20
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
  for (const file of files) {
    try {
      await eachLine(file, note)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
      throw new UsageError(`--audit: ${file} cannot be read (${code}).\n`)
    }
  }
  return found
}

async function eachLine(file: string, take: (line: string) => void): Promise<void> {
  let rest = ''
  let skipping = false
  for await (const chunk of createReadStream(file, { encoding: 'utf8' }) as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (!skipping) take(line)
      skipping = false
    }
    if (rest.length > MAX_LINE) {
      rest = ''
      skipping = true
    }
  }
  if (!skipping) take(rest)
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
