// Makes the ports of a running service from the process: configuration, log, records, tracing, backend connection.

import { randomBytes, randomUUIDv7 } from 'node:crypto'
import { statSync } from 'node:fs'
import { hostname } from 'node:os'
import { performance } from 'node:perf_hooks'
import type { Ports } from '../app.ts'
import { createLineWriter, type LineWriter } from '../audit/writer.ts'
import { type Config, formatProblems, loadConfig } from '../config/index.ts'
import { bootKeys, loadFleet, modeWarning } from '../keys/index.ts'
import { dial, fetchBytes } from '../outbound.ts'
import { createStore } from '../store/index.ts'
import { createLog, type Log } from '../telemetry/log.ts'
import { createTracing } from '../telemetry/spans.ts'
import { diskFiles } from './disk.ts'
import { IDENTITY } from './identity.ts'
import { type Io, openStandardStreams, UsageError } from './io.ts'
import { noticesOf } from './notify.ts'
import { openRecords } from './records.ts'

export interface Prepared {
  config: Config
  ports: Ports
  log: Log
  /** Resolves when log and records have reached the kernel and `also` has ended, or after two seconds; true where nothing is left. */
  flush(also?: Promise<unknown>): Promise<boolean>
}

export interface PrepareOptions {
  configPath: string | undefined
  io: Io
  /** Descriptor of the records where the sink is stdout. */
  recordsTo: 1 | 2
  /** Replaces backend.url, for the emulator. */
  backendUrl?: string
}

const STDERR = 2
const LOG_QUEUE = 1 << 20
const CONNECT_TIMEOUT = 10_000
const FLUSH_LIMIT = 2000

export async function prepare({ configPath, io, recordsTo, backendUrl }: PrepareOptions): Promise<Prepared> {
  let configText = ''
  const readFile = (path: string): string => {
    configText = io.readFile(path)
    return configText
  }
  const loaded = await loadConfig({ path: configPath, env: io.env, readFile })
  if (!loaded.ok) throw new UsageError(formatProblems(loaded.problems))
  const config: Config =
    backendUrl === undefined
      ? loaded.config
      : { ...loaded.config, backend: { ...loaded.config.backend, url: backendUrl } }

  openStandardStreams()
  // Two writers of one pipe would cut each other's lines, and only one of them would be woken when the reader goes on.
  const shared = config.audit.sink === 'stdout' && recordsTo === STDERR
  const logWriter = createLineWriter(STDERR, {
    maxQueue: shared ? LOG_QUEUE + config.audit.maxQueue : LOG_QUEUE,
    timeout: config.audit.timeout,
  })
  const log = createLog(config.telemetry.log.level, Date.now, (line) => logWriter.write(line))
  for (const warning of loaded.warnings) log.warn('config_warning', { text: warning })

  const traced = await createTracing({ env: io.env, service: IDENTITY, backend: config.backend.url })
  if (!traced.ok) throw new UsageError(traced.problem)

  const store = await createStore(config.store === 'memory' ? 'memory' : config.store, {
    now: Date.now,
    random: Math.random,
    readFile: io.readFile,
    report: (reason) => log.error('store_unreachable', { reason }),
  })
  const fleet = readFleet(config, io, log)
  const chain = randomUUIDv7()
  const { close, ...evidence } = openRecords({
    config,
    configText,
    io,
    log,
    chain,
    store,
    fleet,
    standard: shared ? logWriter : recordsTo,
  })

  const send = noticesOf(config, io)
  const ports: Ports = {
    now: Date.now,
    tick: () => performance.now(),
    newId: randomUUIDv7,
    random: randomBytes,
    log,
    ...evidence,
    tracing: traced.tracing,
    backend: await dial('backend', {
      origin: config.backend.url,
      connections: config.backend.connections,
      ca: readCa(config, io),
      proxy: config.outbound.proxy,
      connectTimeout: CONNECT_TIMEOUT,
    }),
    store,
    files: diskFiles,
    fetch: issuerFetch(config, io),
    fleet,
    notify: send && { send, sign: (text) => evidence.signingKeys.current().signText(text) },
    instance: `${hostname()}/${chain}`,
    server: IDENTITY,
  }
  return { config, ports, log, flush: (also) => flushAll([evidence.records, logWriter], also, close) }
}

/** Documents of an issuer are small; whatever is larger is not one. */
const ISSUER_LIMIT = 256 * 1024
const ISSUER_TIMEOUT = 5000

function issuerFetch(config: Config, io: Io): Ports['fetch'] {
  const { oauth, people } = config.auth ?? {}
  const known = [...(oauth?.issuers ?? []), ...(people === undefined ? [] : [people])]
  const issuers = new Map(known.map((issuer) => [issuer.issuer, issuer]))
  return async (url, name) => {
    const issuer = issuers.get(name)
    return fetchBytes('issuer', {
      url,
      limit: ISSUER_LIMIT,
      timeout: ISSUER_TIMEOUT,
      connectTimeout: ISSUER_TIMEOUT,
      ca: issuer?.ca === undefined ? undefined : io.readFile(issuer.ca.file),
      proxy: config.outbound.proxy,
      privateNetwork: issuer?.privateNetwork === true,
      configured: url === issuer?.jwksUri ? url : name,
    })
  }
}

/** The keys of the file, or one made for this start. */
function readFleet(config: Config, io: Io, log: Log): Ports['fleet'] {
  const file = config.keys.fleet?.file
  if (file === undefined) return [bootKeys(randomBytes), false]
  let text: string
  try {
    text = io.readFile(file)
    const warning = modeWarning(statSync(file).mode)
    if (warning !== undefined) log.warn('fleet_key_exposed', { reason: warning })
  } catch (error) {
    throw new UsageError(`keys.fleet: the file ${file} cannot be read (${codeOf(error)}).\n`)
  }
  const loaded = loadFleet(text)
  if (!loaded.ok) throw new UsageError(`keys.fleet: the file ${file} ${loaded.message}.\n`)
  return [loaded.keys, true]
}

function readCa(config: Config, io: Io): string | undefined {
  if (config.backend.ca === undefined) return undefined
  try {
    return io.readFile(config.backend.ca.file)
  } catch (error) {
    throw new UsageError(
      `backend.ca: the file ${config.backend.ca.file} cannot be read (${codeOf(error)}).\n`,
    )
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'

/** A stalled reader must not hold the exit. */
async function flushAll(
  writers: readonly LineWriter[],
  also: Promise<unknown> | undefined,
  close: () => Promise<void>,
): Promise<boolean> {
  const late = new Promise<boolean>((resolve) => {
    setTimeout(() => resolve(false), FLUSH_LIMIT).unref()
  })
  const done = Promise.all([also, ...writers.map((writer) => writer.flush())])
    .then(close)
    .then(
      () => true,
      () => false,
    )
  return Promise.race([done, late])
}
