// The composition root: the only place that puts the features together, for serve, stdio and the tests alike.
import type { Server } from 'node:http'
import { Server as NetServer } from 'node:net'
import type { Dispatcher } from 'undici'
import { createRecordWriter } from './audit/record.ts'
import type { LineWriter } from './audit/writer.ts'
import { createBackendClient } from './backend/client.ts'
import { prepareTimeouts } from './backend/timeouts.ts'
import { hint } from './catalogue/hint.ts'
import { describeCatalogue, describeModule, findMethod, MODULES } from './catalogue/index.ts'
import type { Config } from './config/index.ts'
import { type Call, openCall, type Principal } from './core/call.ts'
import { type Denial, deny } from './core/denials.ts'
import { type HttpAnswer, type HttpRequest, header } from './core/http.ts'
import type { Json } from './core/json.ts'
import type { ToolDefinition } from './core/tool.ts'
import { preflight, prepareCors } from './http/cors.ts'
import { createListener } from './http/listener.ts'
import { openApi } from './http/openapi.ts'
import { createOpsListener } from './http/ops.ts'
import { encodeRest } from './http/rest.ts'
import type { Route, Router } from './http/router.ts'
import { securityHeaders } from './http/security-headers.ts'
import { decodeMcp } from './mcp/decode.ts'
import { prepareEncoder, progressNotification } from './mcp/encode.ts'
import type { SdkHandler } from './mcp/sdk.ts'
import { stdioRequest } from './mcp/stdio-request.ts'
import { preparePipeline, type Recorder, STAGES, type StageRow } from './pipeline.ts'
import type { Log } from './telemetry/log.ts'
import { createMetrics } from './telemetry/metrics.ts'
import type { Tracing } from './telemetry/spans.ts'
import { createTools, type MethodLookup } from './tools/index.ts'

/** Everything that the service takes from outside: time, randomness, descriptors and the network. */
export interface Ports {
  /** Milliseconds since the epoch. */
  now(): number
  /** Monotonic milliseconds. */
  tick(): number
  /** A UUIDv7. */
  newId(): string
  log: Log
  records: LineWriter
  tracing: Tracing | undefined
  backend: Dispatcher
  /** Pod or host, and boot id. */
  instance: string
  identity: { name: string; version: string }
}

/** What a test build may put in place of the product's own. */
export interface Overrides {
  tools?: readonly ToolDefinition[]
  stages?: readonly StageRow[]
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

  const timeouts = prepareTimeouts(config.backend.timeout, config.backend.methodTimeouts)
  const tools =
    overrides.tools ??
    createTools({
      catalogue: config.catalogue,
      lookup: LOOKUP,
      keyPlacement: config.backend.keyPlacement,
      timeout: timeouts,
      generateTimeout: config.backend.timeout,
      warn: () => log.warn('method_outside_catalogue'),
    })
  const backend = createBackendClient(ports.backend, {
    origin: config.backend.url,
    maxAnswer: config.backend.maxAnswer,
    userAgent: `${ports.identity.name}/${ports.identity.version}`,
  })
  const metrics = createMetrics({
    inFlight: () => inFlight,
    audit: () => ports.records.stats(),
    ready: () => !draining,
    build: { version: ports.identity.version, node: process.version },
  })
  const records = createRecordWriter(ports.records, {
    instance: ports.instance,
    now: ports.now,
    tick: ports.tick,
  })

  const recorder: Recorder = {
    decided(call) {
      ports.tracing?.start(call)
      call.decided = true
      records.decision(call)
      return undefined
    },
    fault(call, error) {
      // The stack is ours, but its message may hold what a caller sent.
      log.error('fault', { callId: call.id, stage: call.stage, at: faultPlace(error) })
    },
  }
  const run = preparePipeline(
    {
      transport: {
        publicUrl: config.publicUrl,
        allowedHosts: config.http.allowedHosts,
        allowedOrigins: config.http.allowedOrigins,
        maxBody: config.http.maxBody,
        draining: () => draining,
      },
      protocol: { maxBody: config.http.maxBody, decodeMcp },
      tools,
      backend,
      shape: { maxResult: config.response.maxResult },
    },
    recorder,
    overrides.stages ?? STAGES,
  )

  const open = (
    request: HttpRequest | undefined,
    peer: string,
    channel: 'http' | 'stdio',
    principal: Principal,
  ): Call => {
    inFlight++
    return openCall({
      id: ports.newId(),
      startedAt: ports.now(),
      startedTick: ports.tick(),
      channel,
      peer,
      principal,
      ...(request !== undefined && { request }),
    })
  }

  const closed = (call: Call, answer: { status: number; bytes: number }): void => {
    if (call.decided) records.outcome(call, answer)
    else if (call.denial !== undefined) records.decision(call)
    ports.tracing?.end(call, answer.status)
    metrics.observe(call, (ports.tick() - call.startedTick) / 1000)
  }

  const encodeMcp = prepareEncoder(ports.identity)
  const inItsForm = (call: Call): HttpAnswer =>
    call.surface === 'mcp' ||
    (call.surface === undefined && (call.request === undefined || call.request.path === '/mcp'))
      ? encodeMcp(call)
      : encodeRest(call)
  const encode = (call: Call): HttpAnswer => {
    try {
      return inItsForm(call)
    } catch (error) {
      // A result that cannot be written, nested deeper than the stack for one, still ends in an answer and its record.
      recorder.fault(call, error)
      call.result = undefined
      call.denial = deny('internal_error')
      return inItsForm(call)
    }
  }

  const declarations = tools.map((tool) => tool.declaration)
  const listing = JSON.stringify({ tools: declarations })
  const description = JSON.stringify(
    openApi({ tools: declarations, version: ports.identity.version, publicUrl: config.publicUrl }),
  )

  // The SDK and express serve what is not a call; loading them after the first call keeps the start short.
  const sdk = once(async (): Promise<SdkHandler> => {
    const { createSdkHandler } = await import('./mcp/sdk.ts')
    return createSdkHandler({
      server: ports.identity,
      tools: declarations,
      resources: { modules: MODULES, catalogue: describeCatalogue, module: describeModule },
      onError: () => log.debug('mcp_message_refused'),
    })
  })
  const routes: readonly Route[] = [
    {
      method: 'post',
      path: '/mcp',
      answer: async (call) => (await sdk()).answer(call.request as HttpRequest, call.other as Json),
    },
    { method: 'get', path: '/v1/tools', answer: () => ({ status: 200, headers: {}, body: listing }) },
    { method: 'get', path: '/openapi.json', answer: () => ({ status: 200, headers: {}, body: description }) },
  ]
  const router = once(async (): Promise<Router> => (await import('./http/router.ts')).createRouter(routes))
  const cors = prepareCors(config.http.allowedOrigins)

  /** The answer of a request that is no call, from a router of whatever kind. */
  const routed = async (call: Call, find: () => Promise<HttpAnswer | undefined>): Promise<HttpAnswer> => {
    try {
      if (call.request?.method === 'OPTIONS') return preflight()
      const answer = await find()
      if (answer !== undefined) return noteRefusal(call, answer)
      call.denial = deny('path_unknown')
    } catch (error) {
      recorder.fault(call, error)
      call.denial = deny('internal_error')
    }
    return encode(call)
  }
  const withCors = (call: Call, answer: HttpAnswer): HttpAnswer => {
    if (config.http.allowedOrigins.length === 0 || call.request === undefined) return answer
    return { ...answer, headers: { ...answer.headers, ...cors(header(call.request, 'origin')) } }
  }

  const httpPrincipal: Principal = { method: 'none', subject: 'local' }
  const main = createListener(
    {
      open: (request, peer) => open(request, peer, 'http', httpPrincipal),
      run,
      encode: (call) => withCors(call, encode(call)),
      route: async (call, message, response) =>
        withCors(call, await routed(call, async () => (await router())(call, message, response))),
      notification: progressNotification,
      closed,
      written: () => {
        inFlight--
      },
      draining: () => draining,
    },
    { ...config.http, maxHeader: MAX_HEADER, securityHeaders: securityHeaders() },
  )
  const ops = createOpsListener({
    notReady: () => (draining ? ['draining'] : []),
    metrics: () => metrics.render(),
  })

  const finish = (call: Call, answer: HttpAnswer): HttpAnswer => {
    closed(call, { status: answer.status, bytes: Buffer.byteLength(answer.body ?? '') })
    inFlight--
    return answer
  }

  return {
    main,
    ops,
    tools,
    inFlight: () => inFlight,
    preload: async () => {
      await Promise.all([sdk(), router(), metrics.load()])
    },
    async handle(request, peer) {
      const call = open(request, peer, 'http', httpPrincipal)
      await run(call)
      if (call.denial !== undefined || call.result !== undefined) return finish(call, encode(call))
      const route = routes.find(
        (row) => row.method === request.method.toLowerCase() && row.path === request.path,
      )
      return finish(call, await routed(call, async () => route?.answer(call)))
    },
    async message(body, fault, onOpen) {
      const call = open(undefined, 'stdio', 'stdio', {
        method: 'stdio',
        subject: `local:${process.getuid?.() ?? 'user'}`,
      })
      call.surface = 'mcp'
      call.denial =
        fault ??
        (body === undefined ? deny('json_malformed', 'it is empty') : decodeMcp(call, body, undefined))
      onOpen(call)
      if (call.denial === undefined && call.other === undefined) await run(call)
      if (call.other === undefined || call.denial !== undefined) return finish(call, encode(call))
      return finish(
        call,
        await routed(call, async () => (await sdk()).answer(stdioRequest(body), body as Json)),
      )
    },
    async drain() {
      draining = true
      const deadline = ports.tick() + config.http.drainTimeout
      // Takes no new connection and leaves the others: http's own close would cut answers that are still being written.
      NetServer.prototype.close.call(main)
      while (inFlight > 0 && ports.tick() < deadline) await new Promise((resolve) => setTimeout(resolve, 20))
      const left = inFlight
      main.closeAllConnections()
      return left
    },
    async close() {
      ops.close()
      ops.closeAllConnections()
      await Promise.all([
        backend.close(),
        sdk.started() ? sdk().then((handler) => handler.close()) : undefined,
        ports.tracing?.close(),
      ])
    },
  }
}

/** All headers of a request together, in bytes (docs of headers_too_large). */
const MAX_HEADER = 16_384

const LOOKUP: MethodLookup = { modules: MODULES, find: findMethod, hint }

/** A refusal by the SDK is recorded like one of ours. */
function noteRefusal(call: Call, answer: HttpAnswer): HttpAnswer {
  if (answer.refused) call.denial = deny('mcp_refused')
  return answer
}

function faultPlace(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  return /\(?([^\s()/]+\.m?[jt]s:\d+:\d+)\)?/.exec(stack.slice(stack.indexOf('\n')))?.[1] ?? 'unknown'
}

function once<T>(make: () => Promise<T>): (() => Promise<T>) & { started(): boolean } {
  let made: Promise<T> | undefined
  const get = (): Promise<T> => {
    // A failure is not kept: the next call tries again.
    made ??= make().catch((error: unknown) => {
      made = undefined
      throw error
    })
    return made
  }
  return Object.assign(get, { started: () => made !== undefined })
}
