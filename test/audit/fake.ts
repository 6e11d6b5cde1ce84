// Calls as the pipeline leaves them and a chain that keeps its lines, for tests of what stands in a record.
import { createHash } from 'node:crypto'
import type { Chain } from '../../src/audit/chain.ts'
import { createDigests, type Digests } from '../../src/audit/digests.ts'
import { LOOKUP } from '../../src/catalogue/lookup.ts'
import { type Call, openCall } from '../../src/core/call.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { DEFAULT_CAPTURE, type PolicyDecision } from '../../src/core/policy.ts'
import { makePrincipal } from '../../src/core/principal.ts'
import type { PreparedCall } from '../../src/core/tool.ts'
import { createFleet } from '../../src/keys/index.ts'
import { createTools } from '../../src/tools/index.ts'

export const TOOLS = createTools({
  catalogue: 'enforce',
  lookup: LOOKUP,
  keyPlacement: 'header',
  timeout: () => 1000,
  generateTimeout: 1000,
  warn: () => undefined,
})

export const FLEET = createFleet([{ id: 'k1', secret: Buffer.alloc(32, 7) }], true)
export const CREDENTIAL = 'pk_live_0123456789abcdef'

let drawn = 0
/** Other bytes each time, the same in each run. */
const bytes = (size: number): Buffer =>
  Buffer.concat(
    Array.from({ length: Math.ceil(size / 32) }, () => createHash('sha256').update(`${drawn++}`).digest()),
  ).subarray(0, size)

export const newDigests = (): Digests => createDigests({ fleet: FLEET, random: bytes })

const PRINCIPAL = makePrincipal({
  method: 'oauth',
  id: 'oauth:https://idp.example|a',
  subject: 'a',
  tenant: 't1',
})

export const allowedBy = (record: PolicyDecision['record'] = DEFAULT_CAPTURE): PolicyDecision => ({
  allowed: true,
  refusal: undefined,
  rule: 'r/allow/0',
  approval: 'none',
  ruleDigest: undefined,
  wouldDeny: false,
  record,
})

let calls = 0

/** A call whose arguments were checked by the tool itself. */
export function callOf(tool: string, args: JsonObject, record?: PolicyDecision['record']): Call {
  const definition = TOOLS.find(({ declaration }) => declaration.name === tool)
  if (definition === undefined) throw new Error(`no tool ${tool}`)
  const prepared = definition.validate(args)
  if ('code' in prepared) throw new Error(`${prepared.code}: ${prepared.detail}`)
  return preparedCall(definition, prepared, record)
}

export const execute = (
  module: string,
  method: string,
  params: JsonObject[string][],
  record?: PolicyDecision['record'],
): Call => callOf('ductape_execute', { publishable_key: CREDENTIAL, module, method, params }, record)

function preparedCall(
  tool: NonNullable<Call['tool']>,
  prepared: PreparedCall,
  record: PolicyDecision['record'] | undefined,
): Call {
  const call = openCall({
    id: `018f0000-0000-7000-8000-${(++calls).toString(16).padStart(12, '0')}`,
    startedAt: 0,
    startedTick: 0,
    channel: 'http',
    peer: '127.0.0.1',
    principal: PRINCIPAL,
    runtime: {} as Call['runtime'],
  })
  call.surface = 'mcp'
  call.mcpMethod = 'tools/call'
  call.tool = tool
  call.toolName = tool.declaration.name
  call.prepared = prepared
  call.credentials = prepared.credentials
  call.module = prepared.operation.module
  call.method = prepared.operation.method
  call.effect = prepared.operation.effect
  call.credentialId = FLEET.mac('credential-id', prepared.credentials[0] ?? '')
  call.policy = allowedBy(record)
  call.bytesIn = 100
  return call
}

export interface KeptChain extends Pick<Chain, 'append'> {
  readonly lines: string[]
}

/** Puts the parts where the format wants them, as simply as can be. */
export function keepLines(): KeptChain {
  const lines: string[] = []
  // Of the record that opens the chain.
  let prev = `"prev":"${'A'.repeat(43)}",`
  return {
    lines,
    append(type, { callId, head, body, more, service, tail }) {
      const before = `{${callId === undefined ? '' : `"callId":"${callId}",`}"chain":"018f0000-0000-7000-8000-000000000000",${head ?? ''}`
      const after =
        `"instance":"test",${body ?? ''}${prev}${more ?? ''}"seq":${lines.length + 1},` +
        `${service ?? ''}"time":"2026-11-21T23:15:00.000Z","type":"${type}","v":1${tail ?? ''}}`
      const hash = createHash('sha256')
        .update(before + after)
        .digest('base64url')
      lines.push(`${before}"hash":"${hash}",${after}`)
      prev = `"prev":"${hash}",`
      return hash
    },
  }
}
