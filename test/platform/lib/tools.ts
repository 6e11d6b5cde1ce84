// Finds the programs that the platform tests drive, and says which one is missing; on CI a missing one is an error.
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join, resolve } from 'node:path'

export const ROOT = resolve(import.meta.dirname, '../../..')
export const PYTHON = join(ROOT, '.cache/python/bin/python')
export const PEERS = join(ROOT, 'test/platform/peers/node_modules')

const CI = !['', 'false', '0'].includes(process.env['CI'] ?? '')

// Debian keeps daemons in sbin, which is not on every user's PATH; Valkey comes with the Python packages, helm is built from source.
const FOLDERS = [
  ...(process.env['PATH'] ?? '').split(delimiter),
  '/usr/sbin',
  '/sbin',
  join(ROOT, '.cache/python/bin'),
  join(ROOT, '.cache/tools/bin'),
]

const PLACES: Readonly<Record<string, string>> = {
  'python packages': PYTHON,
  'npm peers': join(PEERS, '.lock.sha256'),
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function find(program: string): string | undefined {
  return FOLDERS.map((folder) => join(folder, program)).find(isExecutable)
}

export function path(program: string): string {
  const found = find(program)
  if (found === undefined) throw new Error(`${program} is not installed: run scripts/tools`)
  return found
}

/** The value for a test's `skip`: false when all is there. */
export function unless(...needs: readonly string[]): string | false {
  const reasons = needs.flatMap((need) => {
    if (need === 'root') return process.getuid?.() === 0 ? [] : ['runc needs root']
    const place = PLACES[need]
    const there = place === undefined ? find(need) !== undefined : existsSync(place)
    return there ? [] : [`${need} not installed (scripts/tools installs it)`]
  })
  if (reasons.length === 0) return false
  if (CI) throw new Error(`on CI every tool must be there: ${reasons.join('; ')}`)
  return reasons.join('; ')
}
