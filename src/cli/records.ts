// Opens what evidence needs at a start: the sink of the records, the keys that sign, the witness, and the chain.
import { hash } from 'node:crypto'
import { statSync } from 'node:fs'
import { hostname } from 'node:os'
import type { Ports } from '../app.ts'
import { createChain } from '../audit/chain.ts'
import {
  bootRing,
  createSigningKeys,
  type KeyRing,
  loadSigningKeys,
  type SigningKeys,
} from '../audit/keys.ts'
import { type OcsfFile, openOcsfFile } from '../audit/ocsf-file.ts'
import { MAX_REGISTERED, registerChain } from '../audit/registry.ts'
import { type Folder, openFolder, readEarlier } from '../audit/sink.ts'
import { appendTo, createWitness, type Witness, type WitnessOptions } from '../audit/witness.ts'
import { createLineWriter, type SinkWriter } from '../audit/writer.ts'
import type { Config } from '../config/index.ts'
import { createFleet, modeWarning } from '../keys/index.ts'
import { postText } from '../outbound.ts'
import type { Log } from '../telemetry/log.ts'
import { IDENTITY } from './identity.ts'
import { type Io, UsageError } from './io.ts'

export interface RecordOptions {
  config: Config
  /** Text of the config file; empty where there is none. */
  configText: string
  io: Io
  log: Log
  /** Id of the chain, a UUIDv7. */
  chain: string
  store: Ports['store']
  fleet: Ports['fleet']
  /** Where the sink is stdout: a descriptor, or a writer that is shared with the log. */
  standard: number | SinkWriter
}

export interface Records {
  records: SinkWriter
  openChain: Ports['openChain']
  signingKeys: SigningKeys
  witness: Witness | undefined
  ocsf: OcsfFile | undefined
  /** After the records were flushed: what is on its way to disk and witness gets there. */
  close(): Promise<void>
}

export function openRecords(options: RecordOptions): Records {
  const { config, log, chain, standard } = options
  const { audit } = config
  const directory = audit.sink === 'stdout' ? undefined : audit.sink.directory
  // Before this start's own file is there.
  const earlier = directory === undefined ? undefined : readEarlier(directory)
  const folder =
    directory === undefined
      ? undefined
      : openFolder({
          directory,
          chain,
          maxFileSize: audit.maxFileSize,
          fsync: audit.fsync,
          onEvent: (name, fields) => log.error(name, fields),
        })
  if (folder !== undefined) begin(folder, options)
  const ocsf = openOcsf(options)

  const records =
    folder === undefined && typeof standard !== 'number'
      ? standard
      : createLineWriter(ocsf?.tap(folder ?? (standard as number)) ?? folder ?? (standard as number), {
          maxQueue: audit.maxQueue,
          timeout: audit.timeout,
          onFault: (code) =>
            code === undefined
              ? log.warn('audit_sink_again')
              : log.error('audit_sink_failed', { reason: code }),
        })
  const signingKeys = createSigningKeys(readRing(options), Date.now)
  const send = witnessOf(options)
  const witness =
    send === undefined
      ? undefined
      : createWitness({ send, now: Date.now, onEvent: (name, fields) => log.warn(name, fields) })

  return {
    records,
    signingKeys,
    witness,
    ocsf,
    async openChain(policyDigest) {
      const fleet = createFleet(...options.fleet)
      const entered = await registerChain({ store: options.store, fleet }, chain)
      const registered = [...new Set([...(earlier?.chains ?? []), ...entered])].sort().slice(-MAX_REGISTERED)
      return createChain({
        id: chain,
        instance: hostname(),
        mode: audit.mode,
        writer: records,
        key: signingKeys.current(),
        now: Date.now,
        tick: () => performance.now(),
        ...(witness !== undefined && { witness: witness.tell }),
        onEvent: (name, fields) => (name === 'audit_records_lost' ? log.error : log.info)(name, fields),
        open: {
          configDigest: hash('sha256', options.configText, 'hex'),
          policyDigest,
          previous: earlier?.previous,
          ...(registered.length > 0 && { registered }),
          service: IDENTITY,
        },
      })
    },
    async close() {
      await witness?.settled()
      witness?.close()
      await folder?.close()
      await ocsf?.close()
    },
  }
}

/** A disk that is full, read-only or faulty; what else is in the way of a file is a mistake in the configuration. */
const MAY_HEAL = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'ESTALE'])

/** In strict mode a service that cannot record is of no use, so it does not start. */
function begin(folder: Folder, { config, log }: RecordOptions): void {
  const code = folder.open()
  if (code === undefined) return
  const { mode, sink } = config.audit
  if (mode === 'strict' || !MAY_HEAL.has(code))
    throw new UsageError(
      `audit.sink: no file can be made in the folder ${sink === 'stdout' ? '' : sink.directory} (${code})${MAY_HEAL.has(code) ? ', and audit.mode is strict' : ''}.\n`,
    )
  log.error('audit_sink_failed', { reason: code })
}

function openOcsf({ config, chain, log, standard }: RecordOptions): OcsfFile | undefined {
  const { maxFileSize, ocsf, sink } = config.audit
  if (ocsf === undefined) return undefined
  if (sink === 'stdout' && typeof standard !== 'number')
    throw new UsageError(
      'audit.ocsf: over stdio records stand between the lines of the log; set audit.sink to a folder.\n',
    )
  return openOcsfFile({
    directory: ocsf.directory,
    chain,
    maxFileSize,
    tick: () => performance.now(),
    onEvent: (name, fields) => (name === 'audit_ocsf_again' ? log.warn : log.error)(name, fields),
  })
}

/** The keys of the file, or one made for this start. */
function readRing({ config, io, log }: RecordOptions): KeyRing {
  const { keys } = config.receipts
  if (keys === undefined || keys === 'boot') {
    if (config.auth !== undefined)
      log.warn('receipts_self_asserted', {
        text: "receipts and checkpoints are signed with a key of this start, which nobody can tell from a forger's",
      })
    return bootRing()
  }
  let text: string
  try {
    text = io.readFile(keys.file)
    const warning = modeWarning(statSync(keys.file).mode)
    if (warning !== undefined) log.warn('receipt_key_exposed', { reason: warning })
  } catch (error) {
    throw new UsageError(`receipts.keys: the file ${keys.file} cannot be read (${codeOf(error)}).\n`)
  }
  const loaded = loadSigningKeys(text, Date.now())
  if (!loaded.ok) throw new UsageError(`receipts.keys: the file ${keys.file} ${loaded.message}.\n`)
  return loaded.ring
}

const WITNESS_TIMEOUT = 5000
/** Of the answer, which is not looked at. */
const WITNESS_LIMIT = 64 * 1024

function witnessOf({ config, io }: RecordOptions): WitnessOptions['send'] | undefined {
  const { witness } = config.audit
  if (witness === undefined) return undefined
  const { file, url, ca, token, privateNetwork } = witness
  if (url === undefined) return file === undefined ? undefined : appendTo(file)
  return async (jws) => {
    const headers = ['content-type', 'application/jose']
    if (token !== undefined) headers.push('authorization', `Bearer ${io.readFile(token.file).trim()}`)
    const { status } = await postText(
      'witness',
      {
        url,
        limit: WITNESS_LIMIT,
        timeout: WITNESS_TIMEOUT,
        connectTimeout: WITNESS_TIMEOUT,
        ca: ca === undefined ? undefined : io.readFile(ca.file),
        proxy: config.outbound.proxy,
        privateNetwork,
      },
      headers,
      jws,
    )
    if (status < 200 || status > 299) throw Object.assign(new Error('refused'), { code: `HTTP ${status}` })
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
