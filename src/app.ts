// The composition root: the only place that puts the features together, for serve, stdio and the tests alike.
import type { Server } from 'node:http'
import { Server as NetServer } from 'node:net'
import type { Dispatcher } from 'undici'
import { estimateTokens, settleCall } from './admission/limits/index.ts'
import type { Chain } from './audit/chain.ts'
import { createEvidence, type Evidence } from './audit/evidence.ts'
import { createFloods } from './audit/floods.ts'
import { createHealth } from './audit/health.ts'
import type { OcsfFile } from './audit/ocsf-file.ts'
import { createReceipts } from './audit/receipt.ts'
import { createRecordWriter, type RecordWriter } from './audit/record.ts'
import type { Witness } from './audit/witness.ts'
import type { SinkWriter } from './audit/writer.ts'
import { createBackendClient } from './backend/client.ts'
import { prepareTimeouts } from './backend/timeouts.ts'
import { describeCatalogue, describeModule, MODULES } from './catalogue/index.ts'
import { LOOKUP } from './catalogue/lookup.ts'
import type { Config } from './config/index.ts'
import { type Call, openCall, type Verdict } from './core/call.ts'
import { createCohort } from './core/cohort.ts'
import { type Denial, deny } from './core/denials.ts'
import { faultPlace } from './core/fault.ts'
import type { Draft, HttpAnswer, HttpRequest } from './core/http.ts'
import type { Json } from './core/json.ts'
import { once } from './core/once.ts'
import type { Policy } from './core/policy.ts'
import { ANONYMOUS, type Principal } from './core/principal.ts'
import type { LimitRules } from './core/runtime.ts'
import type { ToolDefinition } from './core/tool.ts'
import type { CredentialMode } from './credentials/index.ts'
import { type AnswerParts, prepareAnswers, prepareRouted } from './http/answer.ts'
import { prepareCors } from './http/cors.ts'
import { createListener } from './http/listener.ts'
import { createOpsListener } from './http/ops.ts'
import { isForPeople, isOpen, publicPath } from './http/paths.ts'
import { createPeerBucket } from './http/peer-bucket.ts'
import { encodeRest } from './http/rest.ts'
import type { Router } from './http/router.ts'
import { securityHeaders } from './http/security-headers.ts'
import { peopleCallers, stdioPrincipal } from './identity/index.ts'
import { decodeMcp } from './mcp/decode.ts'
import { prepareEncoder, progressNotification } from './mcp/encode.ts'
import type { SdkHandler } from './mcp/sdk.ts'
import { stdioRequest } from './mcp/stdio-request.ts'
import { createParts, type PartPorts } from './parts.ts'
import { preparePipeline, type Recorder, STAGES, type StageRow } from './pipeline.ts'
import { createRoutes } from './routes.ts'
import { createMetrics } from './telemetry/metrics.ts'
import type { Tracing } from './telemetry/spans.ts'
import { createTools } from './tools/index.ts'

/** Everything that the service takes from outside: time, randomness, descriptors and the network. */
export interface Ports extends PartPorts {
  /** A UUIDv7. */
  newId(): string
  /** What the records are written to. */
  records: SinkWriter
  /** Begins the chain of this start; the policy that is in force stands in its first record. */
  openChain(policyDigest: string | undefined): Chain | Promise<Chain>
  /** Gets every checkpoint, where one is configured. */
  witness?: Pick<Witness, 'stats'> | undefined
  /** Makes events of the records, where it is configured. */
  ocsf?: Pick<OcsfFile, 'stats'> | undefined
  tracing: Tracing | undefined
  backend: Dispatcher
  /** What clients and the backend are told of this service. */
  server: { name: string; version: string }
}

/** What a test build may put in place of the product's own. */
export interface Overrides {
  tools?: readonly ToolDefinition[]
  stages?: readonly StageRow[]
  /** What holds without live/limits.yaml. */
  limits?: LimitRules | undefined
  records?: RecordWriter
  /** Makes the receipts. */
  issue?(call: Call): Promise<void>
}

export interface App {
  main: Server
  ops: Server
  tools: readonly ToolDefinition[]
  /** One request without a port: the same stages, the same answers. */
  handle(request: HttpRequest, peer: string): Promise<HttpAnswer>
  /** One message of stdio; `onOpen` sees its call after it was decoded and before it runs. */
  message(
    body: Json | undefined,
    fault: Denial | undefined,
    onOpen: (call: Call) => void,
  ): Promise<HttpAnswer>
  inFlight(): number
  /** The policy in force; undefined = none, and every call is refused. */
  policy(): Policy | undefined
  /** Looks at the files of the configuration now and reads what has changed. */
  reload(): Promise<void>
  /** From now on looks every second. */
  watch(): void
  /** Loads what is not needed for the first call. */
  preload(): Promise<void>
  /** Stops taking requests and waits for those in flight, at most drainTimeout. Returns how many were left. */
  drain(): Promise<number>
  /** Closes what is still open after that; how long it takes is up to others, so the caller sets its own limit. */
  close(): Promise<void>
}

export async function createApp(config: Config, ports: Ports, overrides: Overrides = {}): Promise<App> {
  const { log } = ports
  let draining = false
  let inFlight = 0
  /** Calls that a drain has left behind. */
  let unfinished = 0

  // The first files are read before there is a chain; its own first record says what they are.
  let evidence: Evidence | undefined
  const parts = await createParts(config, ports, overrides.limits, {
    reloaded: (change) => evidence?.reloaded(change),
    rotated: () => evidence?.rotated(ports.signingKeys.current()),
    sweep: () => evidence?.sweep(),
  })
  const { identity, live, limiter, credentials, digests } = parts
  const timeouts = prepareTimeouts(config.backend.timeout, config.backend.methodTimeouts)
  const toolsFor = (mode: CredentialMode): readonly ToolDefinition[] =>
    overrides.tools ??
    createTools({
      mode,
      catalogue: config.catalogue,
      lookup: LOOKUP,
      keyPlacement: config.backend.keyPlacement,
      timeout: timeouts,
      generateTimeout: config.backend.timeout,
      warn: () => log.warn('method_outside_catalogue'),
    })
  const tools = { passthrough: toolsFor('passthrough'), injected: toolsFor('injected') }
  const backend = createBackendClient(ports.backend, {
    origin: config.backend.url,
    maxAnswer: config.backend.maxAnswer,
    userAgent: `${ports.server.name}/${ports.server.version}`,
  })
  const chain = await ports.openChain(live.current().policy?.digest)
  const health = createHealth({ ...ports, chain, witness: ports.witness, ocsf: ports.ocsf })
  const notReady = (): readonly string[] =>
    draining ? ['draining'] : [...parts.notReady(), ...health.notReady()]
  const metrics = createMetrics({
    ...parts.figures,
    inFlight: () => inFlight,
    audit: () => ({ ...health.stats(), limit: config.audit.maxQueue }),
    receiptFailures: () => receipts.failures(),
    ready: () => notReady().length === 0,
    backend: { limit: config.backend.connections, stats: backend.stats },
    spans: () => ports.tracing?.stats() ?? NO_SPANS,
    build: { version: ports.server.version, node: process.version },
  })
  const records = overrides.records ?? createRecordWriter(chain, { tick: ports.tick, digests })
  const receipts = createReceipts({
    signer: ports.signingKeys.current,
    issuer: config.publicUrl ?? `urn:ductape-mcp:${ports.instance}`,
    chain: chain.id,
    now: ports.now,
    random: ports.random,
    onFailure: (count) => log.error('receipts_failed', { count }),
  })
  const floods = createFloods({ tick: ports.tick, now: ports.now, report: records.refusals })
  evidence = createEvidence({ chain, records, floods })

  const decided = (call: Call): Verdict | Promise<Verdict> => {
    // Who was let in with the head could send the body long after, and live on past a revocation.
    if (ports.tick() - call.startedTick > LOOK_AGAIN) {
      if (identity.isRevoked(call.principal)) return identity.challenges.answer(deny('token_revoked'))
      // Administration goes on whatever is switched off.
      const off = call.tool && parts.killSwitch.killed(call)
      if (off !== undefined) return deny('killed', off)
    }
    ports.tracing?.start(call)
    return evidence.decided(call)
  }
  // Marks are for metrics and spans only.
  const isMeasured = config.ops !== undefined || ports.tracing !== undefined
  const cohort = createCohort(() => inFlight > 1)
  const recorder: Recorder = {
    cohort,
    digest: digests.request,
    decided,
    fault(call, error) {
      // The stack is ours, but its message may hold what a caller sent.
      log.error('fault', { callId: call.id, stage: call.stage, at: faultPlace(error) })
    },
    passed: isMeasured
      ? (call, stage) => {
          call.marks ??= []
          call.marks.push(stage, ports.tick())
        }
      : undefined,
  }
  const run = preparePipeline(
    {
      transport: {
        publicUrl: config.publicUrl,
        peopleUrl: config.peopleUrl,
        allowedHosts: config.http.allowedHosts,
        allowedOrigins: config.http.allowedOrigins,
        maxBody: config.http.maxBody,
        draining: () => draining,
        peerOf: identity.peerOf,
        admit: createPeerBucket({ ...config.http.peerRate, tick: ports.tick }).take,
      },
      identity: { ...identity.options, isOpen, people: peopleCallers(identity.people, isForPeople) },
      protocol: { maxBody: config.http.maxBody, decodeMcp },
      resolve: { tools, modeOf: credentials.modeOf },
      validate: { credentialId: parts.credentialId, heldId: parts.heldId },
      policy: {
        challenge: identity.challenges.forScopes,
        credentialAllowed: credentials.allowed,
        killed: parts.killSwitch.killed,
      },
      guards: {},
      replay: parts.replay,
      limits: limiter,
      approval: parts.approvals,
      credentials,
      backend,
      asking: ports.tracing?.asking,
      shape: { maxResult: config.response.maxResult, raw: digests.raw },
      scan: { raw: digests.raw, tokens: estimateTokens },
    },
    recorder,
    overrides.stages ?? STAGES,
  )

  const open = (
    request: HttpRequest | undefined,
    peer: string,
    channel: 'http' | 'stdio',
    principal: Principal = ANONYMOUS,
  ): Call => {
    inFlight++
    return openCall({
      id: ports.newId(),
      startedAt: ports.now(),
      startedTick: ports.tick(),
      channel,
      peer,
      principal,
      runtime: live.current(),
      ...(request !== undefined && { request }),
    })
  }

  const closed = (call: Call, answer: { status: number; bytes: number }): void => {
    const tokens = settleCall(limiter, call)
    if (call.decided) evidence.ended(call, { ...answer, tokens })
    const seconds = (ports.tick() - call.startedTick) / 1000
    const trace = ports.tracing?.end(call, answer.status, seconds)
    if (isMeasured) metrics.observe(call, seconds, trace)
  }

  const encodeMcp = prepareEncoder(ports.server)
  const inItsForm = (call: Call): Draft =>
    call.surface === 'mcp' ||
    (call.surface === undefined && (call.request === undefined || call.request.path === '/mcp'))
      ? encodeMcp(call)
      : encodeRest(call)
  const answers: AnswerParts = {
    draft: inItsForm,
    fault: recorder.fault,
    digest: digests.result,
    evidence,
    issue: overrides.issue ?? receipts.issue,
    withCors: prepareCors(config.http.allowedOrigins),
  }
  const answer = prepareAnswers(answers)

  // The SDK and express serve what is not a call; loading them after the first call keeps the start short.
  const sdk = once(async (): Promise<SdkHandler> => {
    const { createSdkHandler } = await import('./mcp/sdk.ts')
    return createSdkHandler({
      server: ports.server,
      resources: { modules: MODULES, catalogue: describeCatalogue, module: describeModule },
      onError: () => log.debug('mcp_message_refused'),
    })
  })
  const routes = createRoutes({
    tools,
    modeOf: credentials.modeOf,
    sharedListing: !identity.configured && config.live === undefined,
    identity,
    approvals: parts.approvals,
    sdk,
    revoke: parts.revoke,
    killSwitch: parts.killSwitch,
    decided,
    receiptKeys: ports.signingKeys.jwks,
    version: ports.server.version,
    origins: config,
    now: ports.now,
  })
  const router = once(
    async (): Promise<Router> => (await import('./http/router.ts')).createRouter(routes.list),
  )

  const routed = prepareRouted(answers, answer)

  const main = createListener(
    {
      open: (request, peer) => open(request, peer, 'http'),
      run,
      answer,
      route: (call, message, response) => routed(call, async () => (await router())(call, message, response)),
      notification: progressNotification,
      step: cohort.step,
      closed,
      written: () => {
        inFlight--
      },
      draining: () => draining,
    },
    { ...config.http, securityHeaders: securityHeaders() },
  )
  const ops = createOpsListener({
    notReady,
    warnings: () => [...parts.warnings(), ...health.warnings()],
    metrics: metrics.render,
  })

  const stdioUser = stdioPrincipal(String(process.getuid?.() ?? 'user'))
  const done = (call: Call, answer: HttpAnswer): HttpAnswer => {
    closed(call, { status: answer.status, bytes: Buffer.byteLength(answer.body ?? '') })
    inFlight--
    return answer
  }

  return {
    main,
    ops,
    tools: tools.passthrough,
    inFlight: () => inFlight,
    policy: () => live.current().policy,
    reload: parts.look,
    watch: parts.watch,
    preload: async () => {
      await Promise.all([sdk(), router(), metrics.load()])
    },
    async handle(request, peer) {
      const call = open(request, peer, 'http')
      await run(call)
      if (call.denial !== undefined || call.result !== undefined) return done(call, await answer(call))
      const route = routes.list.find(
        (row) => row.method === request.method.toLowerCase() && row.path === publicPath(request.path)?.path,
      )
      return done(call, await routed(call, async () => route?.answer(call)))
    },
    async message(body, fault, onOpen) {
      const call = open(undefined, 'stdio', 'stdio', stdioUser)
      call.surface = 'mcp'
      call.denial =
        fault ??
        (body === undefined ? deny('json_malformed', 'it is empty') : decodeMcp(call, body, undefined))
      onOpen(call)
      if (call.denial === undefined && call.other === undefined) await run(call)
      if (call.other === undefined || call.denial !== undefined) return done(call, await answer(call))
      return done(
        call,
        await routed(call, async () =>
          (await sdk()).answer(stdioRequest(body), body as Json, routes.listing(call)),
        ),
      )
    },
    async drain() {
      draining = true
      const deadline = ports.tick() + config.http.drainTimeout
      // Takes no new connection and leaves the others: http's own close would cut answers that are still being written.
      NetServer.prototype.close.call(main)
      while (inFlight > 0 && ports.tick() < deadline) await new Promise((resolve) => setTimeout(resolve, 20))
      unfinished = inFlight
      main.closeAllConnections()
      return unfinished
    },
    async close() {
      ops.close()
      ops.closeAllConnections()
      await Promise.all([
        // First, while nothing has been given up yet: what it appends is flushed with everything before it.
        evidence.close(unfinished),
        backend.close(),
        parts.close(),
        sdk.started() ? sdk().then((handler) => handler.close()) : undefined,
        ports.tracing?.close(),
      ])
    },
  }
}

const NO_SPANS = { sent: 0, failed: 0, dropped: 0 }
/** Milliseconds after which the caller is looked at once more before the effect; less than a revocation takes to arrive. */
const LOOK_AGAIN = 1000
