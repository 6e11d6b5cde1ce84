// A local Ductape backend for development and tests: the two endpoints of the contract on loopback, state in memory.

import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setBounded } from '../core/bounded.ts'
import { DEMO, demoWorkspaces } from './demo.ts'
import { log as logCall, type Mode, readRequest, runCall } from './execute.ts'
import { createFaults, FAULT_KINDS, type Fault, type FaultControl, type Route } from './faults.ts'
import { generate } from './generate.ts'
import { createListener, type ErrorForm, type Observed } from './http.ts'
import { MODULE_HANDLERS } from './modules/index.ts'
import { Refusal, unauthorized } from './refusal.ts'
import { CAPS, type Call, type Credentials, createWorkspace, type Workspace } from './state.ts'
import { isObject, type Json } from './values.ts'

export interface EmulatorOptions {
  host?: string
  port?: number
  mode?: Mode
  errorForm?: ErrorForm
  maxBodyBytes?: number
  now?: () => number
  random?: (bytes: number) => Buffer
  observe?: (request: Observed) => void
  log?: (line: string) => void
}

export interface Stats {
  requests: { execute: number; generate: number }
  answers: { ok: number; refused: number; fault: number; crashed: number }
  effects: { read: number; write: number; destructive: number; admin: number }
  methods: Map<string, number> // successful calls by "module.method"
  keys: Map<string, number> // successful calls by idempotency key, the newest ones
}

export interface Emulator {
  url: string
  faults: FaultControl
  stats: Stats
  workspaces: {
    list(): Credentials[]
    add(credentials: Credentials): void // an empty workspace of its own
    reset(): void // back to the demo state
  }
  close(): Promise<void>
}

export const EXECUTE_PATH = '/proxy/v1/sdk-proxy/execute'
export const GENERATE_PATH = '/integrations/v1/payloads/generate'
const LOOPBACK = /^(127(\.\d{1,3}){3}|::1|localhost)$/
const DEFAULT_BODY = 10 * 1024 * 1024
const MAX_KEYS = 200_000

function publishableKey(body: Json, request: IncomingMessage): string {
  const header = request.headers['x-publishable-key']
  const key = header ?? (isObject(body) ? body['publishable_key'] : undefined)
  if (key === undefined || key === null || key === '') throw unauthorized('Missing Auth Token')
  if (typeof key !== 'string') throw unauthorized('Invalid key access')
  return key
}

interface World {
  byPublishable: Map<string, Workspace>
  byPublic: Map<string, Workspace>
}

function addTo(world: World, workspace: Workspace): void {
  if (world.byPublishable.size >= CAPS.workspaces) throw new Error(`at most ${CAPS.workspaces} workspaces`)
  for (const key of [workspace.publishableKey, workspace.publicKey]) {
    if (key.length < 12) throw new Error('a key has at least 12 characters')
  }
  world.byPublishable.set(workspace.publishableKey, workspace)
  world.byPublic.set(workspace.publicKey, workspace)
}

function closeDatabases(world: World): void {
  for (const { databases } of world.byPublishable.values()) {
    for (const { sqlite } of databases.values()) sqlite.close()
    databases.clear()
  }
}

export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { host = '127.0.0.1', port = 0, mode = 'seed-permissive', errorForm = 'status-false' } = options
  const { now = Date.now, random = randomBytes, maxBodyBytes = DEFAULT_BODY, log = () => undefined } = options
  if (!LOOPBACK.test(host)) throw new Error('the emulator listens on loopback only')

  const signingKey = random(32)
  const { control, take } = createFaults()
  const world: World = { byPublishable: new Map(), byPublic: new Map() }
  const reset = (): void => {
    closeDatabases(world)
    world.byPublishable.clear()
    world.byPublic.clear()
    for (const workspace of demoWorkspaces()) addTo(world, workspace)
  }
  reset()

  const stats: Stats = {
    requests: { execute: 0, generate: 0 },
    answers: { ok: 0, refused: 0, fault: 0, crashed: 0 },
    effects: { read: 0, write: 0, destructive: 0, admin: 0 },
    methods: new Map(),
    keys: new Map(),
  }
  const newCall = (workspace: Workspace): Call => ({
    workspace,
    now,
    random,
    signingKey,
    requestId: `req_${random(8).toString('hex')}`,
  })

  function execute(body: Json, request: IncomingMessage): unknown {
    const workspace = world.byPublishable.get(publishableKey(body, request))
    if (workspace === undefined) throw unauthorized('Invalid key access')
    const started = now()
    const call = newCall(workspace)
    const wanted = readRequest(body)
    const name = `${wanted.module}.${wanted.method}`
    try {
      const { effect, result } = runCall(MODULE_HANDLERS, mode, call, wanted)
      stats.effects[effect] += 1
      stats.methods.set(name, (stats.methods.get(name) ?? 0) + 1)
      // The service sends it once; a repetition is counted here, not refused.
      const key = request.headers['idempotency-key']
      if (typeof key === 'string') setBounded(stats.keys, key, (stats.keys.get(key) ?? 0) + 1, MAX_KEYS)
      logCall(workspace, call, name, 'success', 'completed')
      return { data: result, execution_time_ms: Math.max(0, now() - started), request_id: call.requestId }
    } catch (error) {
      if (error instanceof Refusal && error.origin === 'sdk')
        logCall(workspace, call, name, 'fail', error.message)
      throw error
    }
  }

  const routes = new Map([
    [EXECUTE_PATH, { route: 'execute' as Route, run: execute }],
    [
      GENERATE_PATH,
      {
        route: 'generate' as Route,
        run: (body: Json, request: IncomingMessage) =>
          generate(world.byPublic, body, request.headers, newCall),
      },
    ],
  ])
  const listener = createListener({
    maxBodyBytes,
    errorForm,
    routes,
    take(route) {
      stats.requests[route] += 1
      return take(route)
    },
    observe: options.observe,
    onAnswer(route, outcome, detail) {
      stats.answers[outcome] += 1
      log(detail ? `${route} ${outcome} ${detail}` : `${route} ${outcome}`)
    },
  })
  await new Promise<void>((resolve, reject) => {
    listener.server.once('error', reject)
    listener.server.listen(port, host, () => {
      listener.server.off('error', reject)
      resolve()
    })
  })
  const address = listener.server.address() as AddressInfo
  const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return {
    url: `http://${shown}:${address.port}`,
    faults: control,
    stats,
    workspaces: {
      list: () =>
        [...world.byPublishable.values()].map(({ workspaceId, userId, publishableKey: key, publicKey }) => ({
          workspaceId,
          userId,
          publishableKey: key,
          publicKey,
        })),
      add: (credentials) =>
        addTo(
          world,
          createWorkspace(credentials, () => undefined),
        ),
      reset,
    },
    async close() {
      await listener.close()
      closeDatabases(world)
    },
  }
}

export type { Fault, Observed }
export { DEMO, FAULT_KINDS }
