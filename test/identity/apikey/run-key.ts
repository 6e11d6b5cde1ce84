// The command `key` in this process, with files of its own and a clock that stands.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after } from 'node:test'
import { UsageError } from '../../../src/cli/io.ts'
import { keyCommand } from '../../../src/cli/key.ts'
import { parseLive } from '../../../src/config/live.ts'
import type { Principal } from '../../../src/core/principal.ts'
import { compileKeys, createApiKeys } from '../../../src/identity/apikey/index.ts'
import { capture } from '../../client/lib.ts'
import { temporary } from '../../lib/process.ts'
import { NOTHING_REVOKED, NOW, present } from './lib.ts'

export const DAY = 24 * 3_600_000
export const folder = temporary()
after(() => folder.remove())

let count = 0
export const newPath = (): string => join(folder.path, `keys-${++count}.yaml`)

export interface Done {
  code: number
  out: string
  err: string
}

/** In this process, with the clock at NOW; a mistake in the arguments as main.ts shows it. */
export async function key(
  argv: readonly string[],
  now = NOW,
  files: Record<string, string> = {},
): Promise<Done> {
  const { io, out, err } = capture({}, files)
  let code: number
  try {
    code = await keyCommand([...argv], io, { now: () => now, random: randomBytes })
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    io.err(error.message)
    code = 2
  }
  return { code, out: out(), err: err() }
}

export const CREATE = ['--owner', 'team-data', '--purpose', 'nightly report', '--role', 'reader']
export const create = async (path: string, ...more: string[]): Promise<string> => {
  const done = await key(['create', '--file', path, ...CREATE, ...more])
  assert.equal(done.code, 0, done.err)
  return done.out.trim()
}

function keysOf(path: string) {
  const parsed = parseLive('keys.yaml', readFileSync(path, 'utf8'), path)
  assert.ok(parsed.ok, JSON.stringify(parsed))
  return parsed.value
}

export const recordsOf = (path: string) => keysOf(path).keys
export const callerOf = (path: string, token: string, now = NOW): Partial<Principal> =>
  createApiKeys({}, { revocations: NOTHING_REVOKED }).authenticate(
    present(token, compileKeys(keysOf(path)), { now }),
  ) as Principal
