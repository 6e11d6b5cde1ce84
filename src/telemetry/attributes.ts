// The name and the attributes of the span of a call: those of the MCP semantic conventions (mcp.md 7), and ours under ductape_mcp (ADR 15).
import { isIP } from 'node:net'
import { type Span, SpanStatusCode } from '@opentelemetry/api'
import type { Call } from '../core/call.ts'
import { denialRow } from '../core/denials.ts'
import { isObject } from '../core/json.ts'
import { errorType, foundOf, methodOf, rpcStatus, ruleOf } from './labels.ts'

export function spanName(call: Call): string {
  const tool = call.tool?.declaration.name
  const method = methodOf(call) ?? 'http'
  return tool === undefined ? method : `${method} ${tool}`
}

/** Whole numbers, UUIDs and short words; whatever is longer could be a text that nobody wants to see here. */
const REQUEST_ID = /^(?:\d{1,16}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[A-Za-z0-9._:-]{1,16})$/i

function requestId({ message, other }: Call): string | undefined {
  const id = message?.id ?? (isObject(other) ? other['id'] : undefined)
  if (typeof id !== 'number' && typeof id !== 'string') return undefined
  const text = String(id)
  return REQUEST_ID.test(text) ? text : undefined
}

/** Writes all that is known of a call when it has ended; only recorded spans come here. */
export function endSpan(call: Call, span: Span, status: number): void {
  const set = (name: string, value: string | number | string[] | undefined): void => {
    if (value !== undefined) span.setAttribute(name, value)
  }
  set('mcp.method.name', methodOf(call) ?? 'none')
  set('jsonrpc.request.id', requestId(call))
  set('mcp.protocol.version', call.message?.revision)
  set('error.type', errorType(call))
  set('rpc.response.status_code', rpcStatus(call))
  setTool(call, set)
  setNetwork(call, set)
  // A call of MCP has the codes of its own protocol.
  if (call.surface !== 'mcp') set('http.response.status_code', status)

  set('ductape_mcp.call.id', call.id)
  set('ductape_mcp.module', call.module)
  set('ductape_mcp.method', call.method)
  set('ductape_mcp.effect', call.effect)
  set('ductape_mcp.replay.of', call.replayOf)
  set('ductape_mcp.approval.state', call.approval?.state)
  set(
    'ductape_mcp.guards',
    shown(call.guarded, (note) => `${note.guard} ${foundOf(note)}`),
  )
  set(
    'ductape_mcp.scan',
    shown(call.scanned, (note) => `${note.detector} ${ruleOf(note)} ${note.count} ${note.action}`),
  )
  if (call.denial === undefined) return
  set('ductape_mcp.code', call.denial.code)
  set('ductape_mcp.stage', denialRow(call.denial).stage)
  span.setStatus({ code: SpanStatusCode.ERROR })
}

type Write = (name: string, value: string | number | undefined) => void

function setTool({ tool, arguments: args }: Call, set: Write): void {
  if (tool === undefined) return
  set('gen_ai.operation.name', 'execute_tool')
  set('gen_ai.tool.name', tool.declaration.name)
  const { properties } = tool.declaration.inputSchema
  // Names that the tool declares: those that a caller makes up could say anything.
  const keys = isObject(properties) ? Object.keys(properties).filter((name) => Object.hasOwn(args, name)) : []
  if (keys.length > 0) set('mcp.params.keys', keys.join())
}

function setNetwork({ channel, peer, request }: Call, set: Write): void {
  set('network.transport', channel === 'http' ? 'tcp' : 'pipe')
  if (channel !== 'http') return
  set('network.protocol.name', 'http')
  set('network.protocol.version', request?.version)
  // A peer that shows a certificate is known by its digest, which is no address.
  if (isIP(peer) === 0) return
  set('client.address', peer)
  set('client.port', request?.port)
}

/** Findings that one span shows. */
const MAX_SHOWN = 16

const shown = <Note>(
  notes: readonly Note[] | undefined,
  text: (note: Note) => string,
): string[] | undefined =>
  notes === undefined || notes.length === 0 ? undefined : [...new Set(notes.map(text))].slice(0, MAX_SHOWN)
