// Reads the fleet key for commands that need what it derives: only one that replicas share means anything outside of them.
import type { Config } from '../config/index.ts'
import type { Fleet } from '../core/fleet.ts'
import { createFleet, loadFleet } from '../keys/index.ts'
import { type Io, UsageError } from './io.ts'

export function loadSharedFleet(config: Config, io: Io): Fleet {
  const file = config.keys.fleet?.file
  if (file === undefined) {
    throw new UsageError(
      'keys.fleet is not set: the service makes a key at each start, and nobody else can know what it derives. Set keys.fleet: { file: ... }.\n',
    )
  }
  let text: string
  try {
    text = io.readFile(file)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
    throw new UsageError(`keys.fleet: the file ${file} cannot be read (${code}).\n`)
  }
  const loaded = loadFleet(text)
  if (!loaded.ok) throw new UsageError(`keys.fleet: the file ${file} ${loaded.message}.\n`)
  return createFleet(loaded.keys, true)
}
