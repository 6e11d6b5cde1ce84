// `ductape-mcp revoke`: writes a revocation to the store, where all replicas find it within seconds.
import { parseArgs } from 'node:util'
import { type Config, formatProblems, loadConfig } from '../config/index.ts'
import { parseInstant, parseSpan } from '../core/instant.ts'
import { type Store, StoreUnavailable } from '../core/store.ts'
import { checkWanted, createRevocations, FULL } from '../identity/revocations/index.ts'
import { createStore } from '../store/index.ts'
import { loadSharedFleet } from './fleet.ts'
import { EXIT, type ExitCode, type Io, UsageError } from './io.ts'

export const REVOKE_HELP = `ductape-mcp revoke jti|subject|key|fingerprint VALUE --until TIME [--config FILE]

Refuses a credential on all replicas within 5 seconds, until it has ended by itself.

  jti VALUE           one access token, by its jti
  subject VALUE       everything of one caller: the sub of its tokens, the owner of its API keys
  key VALUE           one API key, by the id of its record (never the key)
  fingerprint VALUE   one client certificate, by its SHA-256 in hex

  --until TIME    when the revocation ends: "2027-01-31T12:00:00Z", or a time from now such as
                  30m, 24h or 90d; at most 366 days. A token needs no more than its own life
  --config FILE   the configuration of the service, for its store and its fleet key

It goes to the Redis of the configuration and cannot be taken back before its end. What has to
hold longer, or without Redis, stands in live/revocations.yaml.

Exit codes: 0 revoked, 1 the store cannot be reached or is full, 2 wrong usage, or no Redis.
`

export interface RevokePorts {
  /** Milliseconds since the epoch. */
  now(): number
  store(config: Config['store'], report: (reason: string) => void): Promise<Store>
}

export async function revokeCommand(
  argv: string[],
  io: Io,
  ports: RevokePorts = {
    now: Date.now,
    store: (config, report) =>
      createStore(config, { now: Date.now, random: Math.random, readFile: io.readFile, report }),
  },
): Promise<ExitCode> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      until: { type: 'string' },
      config: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) {
    io.out(REVOKE_HELP)
    return EXIT.ok
  }
  const [kind, value, ...rest] = positionals
  if (kind === undefined || value === undefined || rest.length > 0)
    throw new UsageError('Say what to revoke, KIND and VALUE; ductape-mcp revoke --help shows how.\n')
  if (values.until === undefined)
    throw new UsageError('--until is missing: say when the revocation ends, for example 24h.\n')
  const now = ports.now()
  const span = parseSpan(values.until)
  const until = span === undefined ? parseInstant(values.until) : now + span
  const wanted = checkWanted(kind, value, until, now)
  if (typeof wanted === 'string') throw new UsageError(`Nothing was revoked: ${wanted}.\n`)

  const loaded = await loadConfig({ path: values.config, env: io.env, readFile: io.readFile })
  if (!loaded.ok) throw new UsageError(formatProblems(loaded.problems))
  const { config } = loaded
  if (config.store === 'memory') {
    throw new UsageError(
      'Nothing was revoked: the configuration has no store.redis, so the service keeps its state in its own memory.\nWrite the revocation in live/revocations.yaml; it is in force within 2 seconds.\n',
    )
  }
  const fleet = loadSharedFleet(config, io)
  let reason: string | undefined
  const store = await ports.store(config.store, (text) => {
    reason = text
  })
  try {
    const revocations = createRevocations({
      store,
      fleet,
      now: ports.now,
      onEvent: () => undefined,
      pollEvery: 0,
    })
    if ((await revocations.revoke(wanted, 'command line')) === 'full') {
      io.err(`Nothing was revoked: ${FULL}.\n`)
      return EXIT.finding
    }
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error
    io.err(
      `Nothing was revoked: the store cannot be reached${reason === undefined ? '' : ` (${reason})`}. Repeat it, or write it in live/revocations.yaml.\n`,
    )
    return EXIT.finding
  } finally {
    await store.close()
  }
  io.out(
    `Revoked: this ${wanted.kind} is refused on all replicas within 5 seconds, until ${new Date(wanted.until).toISOString()}.\n`,
  )
  return EXIT.ok
}
