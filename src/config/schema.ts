// The whole config file, composed of the features' own sections: a new section is its file and one line here.
import * as z from 'zod'
import { replaySection } from '../admission/replay/config.ts'
import { auditSection, receiptsSection } from '../audit/config.ts'
import { backendSection } from '../backend/config.ts'
import { catalogueKey } from '../catalogue/config.ts'
import { credentialsSection } from '../credentials/config.ts'
import { httpSection } from '../http/config.ts'
import { authSection } from '../identity/config.ts'
import { keysSection } from '../keys/config.ts'
import { responseSection } from '../response/config.ts'
import { storeSection } from '../store/config.ts'
import { telemetrySection } from '../telemetry/config.ts'
import { filePath, listenAddress, opsAddress, origin, version } from './fields.ts'
import { outboundSection } from './outbound.ts'

export const configSchema = z.strictObject({
  version: version().prefault(1).describe('Format of the file'),
  publicUrl: origin()
    .optional()
    .describe(
      'Origin under which agents reach the service: source of every absolute URL and of the Host and Origin check',
    ),
  peopleUrl: origin()
    .optional()
    .describe(
      'Origin under which people reach the page where they approve calls; another one than publicUrl',
    ),
  listen: listenAddress()
    .prefault('127.0.0.1:3001')
    .describe('Main listener; always loopback or a unix socket, nginx faces the network'),
  ops: opsAddress()
    .prefault('127.0.0.1:9464')
    .describe('Listener of the probes and metrics, read-only; may face the pod network'),
  http: httpSection.prefault({}).describe('Limits and deadlines of the main listener'),
  backend: backendSection.prefault({}).describe('The Ductape backend'),
  outbound: outboundSection.prefault({}).describe('The way out of the network'),
  catalogue: catalogueKey,
  response: responseSection.prefault({}).describe('Tool results'),
  auth: authSection
    .optional()
    .describe('Who is believed; without it the service listens on TCP loopback only'),
  credentials: credentialsSection
    .prefault({})
    .describe('Ductape keys: sent by the agent, or held here and never seen by it'),
  keys: keysSection.prefault({}).describe('Keys of this service itself'),
  store: storeSection.prefault('memory').describe('State that replicas share'),
  replay: replaySection.prefault({}).describe('Calls with an idempotency key, which have their effect once'),
  live: filePath()
    .optional()
    .describe(
      'Folder with policy.yaml, keys.yaml, limits.yaml, revocations.yaml, kill.yaml and scan.yaml, which are read again when they change',
    ),
  audit: auditSection.prefault({}).describe('Audit records'),
  receipts: receiptsSection.prefault({}).describe('Signed receipts'),
  telemetry: telemetrySection.prefault({}).describe('Log'),
})

type DeepReadonly<T> = T extends readonly (infer Item)[]
  ? readonly DeepReadonly<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
    : T

export type ConfigInput = z.input<typeof configSchema>
export type Config = DeepReadonly<z.output<typeof configSchema>>

// A running call and the next one see the same values: nobody may change them.
export function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const member of Object.values(value)) freeze(member)
  }
  return value
}
