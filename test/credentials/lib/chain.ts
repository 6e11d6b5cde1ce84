// The stages that a key passes, from resolve to shape, over a backend that keeps what it is asked.
import { prepareResolve } from '../../../src/admission/resolve.ts'
import { prepareValidate } from '../../../src/admission/validate.ts'
import type { BackendClient } from '../../../src/backend/client.ts'
import { prepareBackend } from '../../../src/backend/stage.ts'
import { findMethod, MODULES } from '../../../src/catalogue/index.ts'
import { type Call, openCall, type Stage } from '../../../src/core/call.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import { makePrincipal } from '../../../src/core/principal.ts'
import type { Runtime } from '../../../src/core/runtime.ts'
import type { BackendRequest } from '../../../src/core/tool.ts'
import type { Credentials } from '../../../src/credentials/index.ts'
import { prepareCredentials } from '../../../src/credentials/stage.ts'
import { prepareShape } from '../../../src/response/shape.ts'
import { createTools, type MethodLookup, type ToolOptions } from '../../../src/tools/index.ts'

/** What a call is known by, as far as the tools ask. */
const LOOKUP: MethodLookup = {
  modules: MODULES,
  describe(module, method) {
    const entry = findMethod(module, method)
    if (entry?.allowlisted !== true) return undefined
    return {
      module: entry.module,
      method: entry.method,
      effect: entry.effect,
      env: 'unknown',
      product: 'unknown',
      path: [],
    }
  },
  hint: () => ({ unknown: 'method', text: '' }),
}

export const toolOptions = (changes: Partial<ToolOptions> = {}): ToolOptions => ({
  catalogue: 'enforce',
  lookup: LOOKUP,
  keyPlacement: 'header',
  timeout: () => 30_000,
  generateTimeout: 20_000,
  warn: () => undefined,
  ...changes,
})

export interface Chain {
  asked: BackendRequest[]
  /** Runs a call to its denial or result; `between` happens after validate, where policy, limits and approvals take their time. */
  run(call: {
    tenant: string | undefined
    tool: string
    args: JsonObject
    between?: (call: Call) => void
  }): Promise<Call>
}

export function startChain(
  credentials: Credentials,
  idOf: (key: string) => string,
  options: Partial<ToolOptions> & { answer?: string } = {},
): Chain {
  const asked: BackendRequest[] = []
  const { answer = '{"status":true,"data":{"data":null,"payload":{},"meta":{}}}', ...changes } = options
  const client: BackendClient = {
    ask(request) {
      asked.push(request)
      const outcome = Promise.resolve({ status: 200, body: Buffer.from(answer), retryAfter: undefined })
      return { outcome, abandon: () => undefined }
    },
    stats: () => undefined,
    close: async () => undefined,
  }
  const tools = {
    passthrough: createTools(toolOptions(changes)),
    injected: createTools(toolOptions({ ...changes, mode: 'injected' })),
  }
  const pause: Stage = (call) => {
    const between = call.rim as ((call: Call) => void) | undefined
    between?.(call)
    return undefined
  }
  const stages: readonly Stage[] = [
    prepareResolve({ tools, modeOf: credentials.modeOf }),
    prepareValidate({ credentialId: idOf, heldId: credentials.heldId }),
    pause,
    prepareCredentials(credentials),
    prepareBackend(client),
    prepareShape({ maxResult: 1_000_000 }),
  ]
  return {
    asked,
    async run({ tenant, tool, args, between }) {
      const call = openCall({
        id: 'id',
        startedAt: 0,
        startedTick: 0,
        channel: 'http',
        peer: '127.0.0.1',
        runtime: {} as Runtime,
        principal: makePrincipal({
          method: 'api-key',
          id: 'api-key:a',
          subject: 'a',
          ...(tenant !== undefined && { tenant }),
        }),
      })
      call.toolName = tool
      call.arguments = args
      call.rim = between
      for (const stage of stages) {
        call.denial = await stage(call)
        if (call.denial !== undefined) break
      }
      return call
    },
  }
}
