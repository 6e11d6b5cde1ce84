// Puts together what lives beneath the calls: fleet key, store, revocations, identity, live files, limits and credentials.
import {
  type Approvals,
  createApprovals,
  createNotifier,
  type NotifierPorts,
} from './admission/approval/index.ts'
import { createKillSwitch, type KillSwitch } from './admission/kill/index.ts'
import { createLimiter, defaultLimits, type Limiter } from './admission/limits/index.ts'
import { createReplay, type Replay } from './admission/replay/index.ts'
import { createDigests, type Digests } from './audit/digests.ts'
import type { SigningKeys } from './audit/keys.ts'
import type { LiveChange } from './audit/record.ts'
import { prepareTimeouts } from './backend/timeouts.ts'
import { listOperations } from './catalogue/operations.ts'
import { type Config, createFileWatcher, type FileSource, formatProblems } from './config/index.ts'
import type { Denial } from './core/denials.ts'
import type { Fleet } from './core/fleet.ts'
import type { Json } from './core/json.ts'
import type { Policy } from './core/policy.ts'
import type { Principal } from './core/principal.ts'
import type { LimitRules } from './core/runtime.ts'
import type { Store } from './core/store.ts'
import { shownName } from './core/text.ts'
import { type Credentials, createCredentials, type KeyKind, keyKindOf } from './credentials/index.ts'
import { createIdentity, type Identity, type IdentityPorts } from './identity/index.ts'
import { adminRevocations, createRevocations } from './identity/revocations/index.ts'
import { createFleetHolder, prepareCredentialId } from './keys/index.ts'
import { RULE_IDS } from './response/scan/index.ts'
import { createLive, type Live, namesOf } from './runtime.ts'
import type { Log } from './telemetry/log.ts'
import type { MetricSources } from './telemetry/metrics.ts'

export interface PartPorts {
  /** Milliseconds since the epoch. */
  now(): number
  /** Monotonic milliseconds. */
  tick(): number
  /** So many random bytes. */
  random(size: number): Buffer
  log: Log
  store: Store
  /** Pod or host, and boot id. */
  instance: string
  files: FileSource
  /** GET of a document of an authorization server. */
  fetch: IdentityPorts['fetch']
  /** Sends and signs what people are told of calls that wait for them; undefined = nobody is told. */
  notify?: Pick<NotifierPorts, 'send' | 'sign'> | undefined
  /** What receipts and checkpoints are signed with. */
  signingKeys: SigningKeys
  /** The fleet key as it was read at the start, or one made for this start. */
  fleet: Parameters<typeof createFleetHolder>
}

/** What the records are kept with. */
export interface PartHooks {
  reloaded(change: LiveChange): void
  /** Another key signs from now on. */
  rotated(): void
  /** Every second. */
  sweep(): void
}

export interface Parts {
  fleet: Fleet
  identity: Identity
  live: Live
  limiter: Limiter
  credentials: Credentials
  digests: Digests
  replay: Replay
  approvals: Approvals
  killSwitch: KillSwitch
  /** A keyed hash that names a Ductape key. */
  credentialId(key: string): string
  /** The same of the key that the service holds for a tenant. */
  heldId(tenant: string | undefined, kind: KeyKind): string | undefined
  revoke(body: Json, principal: Principal): Promise<Denial | { answer: Json }>
  figures: PartFigures
  /** Why no call can be served yet. */
  notReady(): readonly string[]
  /** What an operator should mend although calls are served. */
  warnings(): readonly string[]
  /** Looks at all files once. */
  look(): Promise<void>
  /** Looks every second from now on. */
  watch(): void
  close(): Promise<void>
}

/** What the metrics show of the parts. */
export type PartFigures = Pick<
  MetricSources,
  | 'liveAges'
  | 'store'
  | 'limiter'
  | 'approvals'
  | 'replay'
  | 'killSwitch'
  | 'revocations'
  | 'credentials'
  | 'isOwnRule'
>

/** A changed file is in force within two seconds (design.md 5): one of looking, the rest for reading it. */
const LOOK_EVERY = 1000
/** Revocations and the kill switch reach every replica within five seconds, also where a message was lost. */
const POLL = 2000

export async function createParts(
  config: Config,
  ports: PartPorts,
  limits: LimitRules | undefined,
  hooks: PartHooks,
): Promise<Parts> {
  const { now, tick, log, store } = ports
  const watcher = createFileWatcher(ports.files)
  const onEvent = (name: string, fields: Record<string, string | number> = {}): void =>
    LOUD.has(name)
      ? log.error(name, fields)
      : QUIET.has(name)
        ? log.info(name, fields)
        : log.warn(name, fields)

  const holder = createFleetHolder(...ports.fleet)
  const { fleet } = holder
  if (config.keys.fleet !== undefined) {
    watcher.watch(config.keys.fleet.file, ({ bytes }) => {
      const fault = holder.reload(bytes?.toString('utf8'))
      if (fault !== undefined) log.error('fleet_key_refused', { reason: fault })
    })
  }

  if (config.receipts.keys !== undefined && config.receipts.keys !== 'boot') {
    watcher.watch(config.receipts.keys.file, ({ bytes }) => {
      const fault = ports.signingKeys.reload(bytes?.toString('utf8'))
      if (fault === undefined) hooks.rotated()
      else log.error('receipt_keys_refused', { reason: fault })
    })
  }

  const revocations = createRevocations({ store, fleet, now, onEvent, pollEvery: POLL })
  const identity = await createIdentity(config.auth, config, config.listen.kind === 'unix', {
    fetch: ports.fetch,
    now,
    tick,
    revocations,
    store,
    fleet,
    onEvent,
  })
  for (const { path, apply } of identity.files) {
    watcher.watch(path, ({ bytes }) => {
      const fault = bytes === undefined ? 'is gone or cannot be read' : apply(bytes)
      if (fault !== undefined) log.error('certificate_authorities_refused', { reason: fault })
    })
  }
  const keyFiles = { loaded: 0, refused: 0 }
  const credentials = createCredentials(config.credentials, {
    fleet,
    onEvent: ({ event, ...fields }) => {
      keyFiles[event === 'credential_refused' ? 'refused' : 'loaded']++
      if (event === 'credential_refused') log.error(event, fields)
      else log.info(event, fields)
    },
  })
  for (const { path, apply } of credentials.files) watcher.watch(path, apply)

  const operations = listOperations(config.catalogue !== 'enforce')
  const killSwitch = createKillSwitch({
    store,
    fleet,
    names: namesOf(operations),
    now,
    pollEvery: POLL,
    onEvent,
  })
  const live = await createLive({
    directory: config.live,
    watcher,
    authenticated: identity.configured,
    stableCredentialIds: fleet.shared,
    operations,
    revocations,
    kill: killSwitch,
    onApplied: (file, digest) => {
      hooks.reloaded({ file, applied: true, digest, policyDigest: live.current().policy?.digest })
      // What was verified under the old files is looked at again.
      identity.drop()
      log.info('live_file_applied', { file, digest })
    },
    onRefused: (file, problems, digest) => {
      hooks.reloaded({ file, applied: false, digest, policyDigest: live.current().policy?.digest })
      log.error('live_file_refused', { file, problems: formatProblems(problems.slice(0, MAX_SHOWN)) })
    },
    now,
    limits: limits ?? defaultLimits(),
  })
  const limiter = createLimiter({
    store,
    instance: ports.instance,
    caps: ({ policy }) => policy?.executionCaps ?? NO_CAPS,
    maxReplicas: config.store === 'memory' ? 1 : config.store.maxReplicas,
    tick,
    now,
    onEvent,
  })

  const digests = createDigests({ fleet, random: ports.random })
  const shared = { store, fleet, onEvent, digest: digests.request }
  const timeouts = prepareTimeouts(config.backend.timeout, config.backend.methodTimeouts)
  const replay = createReplay({
    ...shared,
    settings: config.replay,
    now,
    // By the names that the tool itself looks up: those of the catalogue are not there for a method outside it.
    deadline: ({ arguments: { module, method } }) => timeouts(String(module), String(method)),
    keyOf: ({ credentials: [sent], principal, tool, credentialId }) => {
      const kind = tool && keyKindOf(tool)
      return sent ?? (kind && credentials.heldCredential(principal.tenant, kind, credentialId)?.[kind])
    },
  })
  const approvals = createApprovals({
    ...shared,
    now,
    random: ports.random,
    peopleUrl: config.peopleUrl,
    people: config.auth?.people && {
      clients: [config.auth.people.clientId, ...config.auth.people.clients],
    },
    notifier:
      ports.notify &&
      createNotifier({
        ...ports.notify,
        now,
        wait: (ms) => new Promise((resolve) => void setTimeout(resolve, ms).unref()),
        onEvent,
      }),
  })

  const injected = Object.values(config.credentials.tenants).filter(
    (tenant) => (tenant.mode ?? config.credentials.mode) === 'injected',
  ).length
  // One tenant's missing Secret must not take the service from all the others.
  const allLacking = (): boolean => injected > 0 && credentials.status().lacking.length === injected

  await watcher.look()
  await Promise.all([revocations.start(), killSwitch.start()])
  let timer: NodeJS.Timeout | undefined

  return {
    fleet,
    identity,
    live,
    limiter,
    credentials,
    digests,
    replay,
    approvals,
    killSwitch,
    credentialId: prepareCredentialId(fleet),
    heldId: credentials.heldId,
    revoke: (body, principal) => adminRevocations(body, principal, revocations, now),
    figures: {
      liveAges: live.ages,
      store,
      limiter: limiter.stats,
      approvals: approvals.stats,
      replay: replay.stats,
      killSwitch: killSwitch.stats,
      revocations: revocations.stats,
      credentials: () => {
        const { lacking, stale } = credentials.status()
        return { lacking: lacking.length, stale: stale.length, ...keyFiles }
      },
      isOwnRule: (rule) => RULE_IDS.has(rule),
    },
    notReady: () => [
      ...live.notReady(),
      ...identity.notReady(),
      ...(live.current().policy === undefined ? ['there is no policy: live/policy.yaml'] : []),
      // A replica that starts without its store knows nothing of what was revoked or switched off.
      ...(revocations.stats().synced && killSwitch.stats().synced
        ? []
        : ['the store has not been reached since the start']),
      ...(allLacking() ? ['no tenant has a Ductape key: look at the files of credentials.tenants'] : []),
    ],
    warnings: () => [
      ...live.stale(),
      ...killSwitch.warnings(),
      ...credentials.status().lacking.map((tenant) => `no Ductape key for the tenant ${shownName(tenant)}`),
      ...credentials
        .status()
        .stale.map(
          (tenant) => `a key file of the tenant ${shownName(tenant)} is not valid; the last good key holds`,
        ),
      ...(namesOldKeys(live.current().policy, fleet)
        ? ['the policy names credential ids of an older fleet key, which match no call any more']
        : []),
    ],
    look: () => watcher.look(),
    watch() {
      timer ??= setInterval(() => {
        void watcher.look()
        void limiter.maintain()
        void replay.maintain()
        hooks.sweep()
      }, LOOK_EVERY)
      timer.unref()
    },
    async close() {
      clearInterval(timer)
      revocations.close()
      killSwitch.close()
      approvals.close()
      await limiter.close()
      await store.close()
    },
  }
}

/** Events by how loud the log is about them; the others are warnings. */
const LOUD = new Set([
  ...['revocations_forged', 'revocations_full', 'kill_forged', 'kill_full', 'approval_forged'],
  ...['oauth_keys_failed', 'limits_full'],
])
const QUIET = new Set(['revocation_added', 'oauth_keys_loaded'])
const NO_CAPS: ReadonlyMap<string, number> = new Map()
/** Ids carry the id of the fleet key that made them; a pattern names none. */
const namesOldKeys = (policy: Policy | undefined, fleet: Fleet): boolean =>
  policy?.credentialIds.some((id) => /^[a-z0-9]+\./.test(id) && !id.startsWith(`${fleet.ids[0]}.`)) === true

/** Problems of a refused file that the log shows. */
const MAX_SHOWN = 5
