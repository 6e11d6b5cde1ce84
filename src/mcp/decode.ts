// Decides what a parsed /mcp body is: a tools/call of either era becomes a call, anything else goes to the SDK (mcp.md 1.1, 2.3).
import { isUtf8 } from 'node:buffer'
import type { Call } from '../core/call.ts'
import { type Denial, deny } from '../core/denials.ts'
import { type HttpRequest, header } from '../core/http.ts'
import { isObject, type Json, type JsonObject } from '../core/json.ts'
import { looksLikeKey, REDACTED, visibleText } from '../core/text.ts'
import { takeTrace } from '../core/trace.ts'

export const MODERN = '2026-07-28'
export const LEGACY_VERSIONS: readonly string[] = [
  '2025-11-25',
  '2025-06-18',
  '2025-03-26',
  '2024-11-05',
  '2024-10-07',
]
/** What a legacy request without MCP-Protocol-Version means (specification 2025-11-25, transports). */
const LEGACY_DEFAULT = '2025-03-26'

export const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion'
const CAPABILITIES_KEY = 'io.modelcontextprotocol/clientCapabilities'
const CLIENT_INFO_KEY = 'io.modelcontextprotocol/clientInfo'
const LOG_LEVEL_KEY = 'io.modelcontextprotocol/logLevel'
const LOG_LEVELS = new Set(['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'])

const IDEMPOTENCY_KEY = 'app.ductape/idempotency-key'

const isAbsentOrObject = (value: Json | undefined): value is JsonObject | undefined =>
  value === undefined || isObject(value)

/**
 * Fills the call from the body of POST /mcp (or from a line of stdio, where there is no request and so no header rules).
 * Leaves `call.other` set where the SDK has to answer.
 */
export function decodeMcp(call: Call, body: Json, request: HttpRequest | undefined): Denial | undefined {
  call.surface = 'mcp'
  if (Array.isArray(body)) return deny('batch_unsupported')
  if (!isObject(body)) return deny('message_invalid', 'it is not an object')
  if (typeof body['method'] === 'string') call.mcpMethod = body['method']
  const id = body['id']
  const params = body['params']
  const meta = isObject(params) ? params['_meta'] : undefined
  if (!isToolCall(body, id) || !isAbsentOrObject(params) || !isMeta(meta)) {
    call.other = body
    if (isObject(meta)) takeTrace(call, text(meta['traceparent']), text(meta['tracestate']))
    return undefined
  }
  call.message = {
    era: 'legacy',
    revision: LEGACY_DEFAULT,
    id: id as string | number,
    progressToken: undefined,
    capabilities: undefined,
    inputResponses: undefined,
    requestState: undefined,
  }
  const refusal =
    meta !== undefined && Object.hasOwn(meta, VERSION_KEY)
      ? decodeModern(call, meta, params?.['name'], request)
      : decodeLegacy(call, request)
  return refusal ?? decodeParams(call, params, meta)
}

// Only the clean shape is ours; a stray member, an odd id or token, params or _meta that is no object: the SDK refuses them, as in any other message.
function isToolCall(body: JsonObject, id: Json | undefined): boolean {
  if (body['method'] !== 'tools/call' || body['jsonrpc'] !== '2.0') return false
  if (typeof id !== 'string' && !Number.isSafeInteger(id)) return false
  for (const name in body) {
    if (name !== 'jsonrpc' && name !== 'id' && name !== 'method' && name !== 'params') return false
  }
  return true
}

function isMeta(meta: Json | undefined): meta is JsonObject | undefined {
  if (meta === undefined) return true
  if (!isObject(meta)) return false
  const token = meta['progressToken']
  return token === undefined || typeof token === 'string' || Number.isSafeInteger(token)
}

function decodeModern(
  call: Call,
  meta: JsonObject,
  name: Json | undefined,
  request: HttpRequest | undefined,
): Denial | undefined {
  const problem = envelopeProblem(meta)
  if (problem !== undefined) return deny('envelope_invalid', problem)
  const version = meta[VERSION_KEY] as string
  const named = request === undefined ? version : header(request, 'mcp-protocol-version')?.trim()
  const message = call.message
  if (message === undefined) return undefined
  message.era = 'modern'
  message.revision = MODERN
  message.capabilities = meta[CAPABILITIES_KEY] as JsonObject
  if (named !== undefined && named !== version) {
    return deny('header_mismatch', 'MCP-Protocol-Version is not the version of params._meta')
  }
  const method = request === undefined ? 'tools/call' : header(request, 'mcp-method')?.trim()
  if (method !== undefined && method !== 'tools/call')
    return deny('header_mismatch', 'Mcp-Method is not the method of the body')
  if (version !== MODERN) {
    return {
      ...deny('version_unsupported', MODERN),
      data: { supported: [MODERN], requested: looksLikeKey(version) ? REDACTED : visibleText(version, 32) },
    }
  }
  if (request === undefined) return undefined
  if (named === undefined) return deny('header_mismatch', 'MCP-Protocol-Version is missing')
  if (method === undefined) return deny('header_mismatch', 'Mcp-Method is missing')
  const mirrored = header(request, 'mcp-name')?.trim()
  if (mirrored === undefined)
    return typeof name === 'string' ? deny('header_mismatch', 'Mcp-Name is missing') : undefined
  const decoded = decodeSentinel(mirrored)
  if (decoded === undefined) return deny('header_mismatch', 'Mcp-Name is not UTF-8 in valid Base64')
  return typeof name !== 'string' || decoded === name
    ? undefined
    : deny('header_mismatch', 'Mcp-Name is not the name of the tool')
}

// Members that this service does not use (the inside of the capabilities) are left unchecked.
function envelopeProblem(meta: JsonObject): string | undefined {
  if (!Object.hasOwn(meta, CAPABILITIES_KEY)) return `${CAPABILITIES_KEY} is missing`
  if (typeof meta[VERSION_KEY] !== 'string') return `${VERSION_KEY} is not a string`
  if (!isObject(meta[CAPABILITIES_KEY])) return `${CAPABILITIES_KEY} is not an object`
  const info = meta[CLIENT_INFO_KEY]
  if (
    info !== undefined &&
    !(isObject(info) && typeof info['name'] === 'string' && typeof info['version'] === 'string')
  ) {
    return `${CLIENT_INFO_KEY} needs a name and a version`
  }
  const level = meta[LOG_LEVEL_KEY]
  if (level !== undefined && !(typeof level === 'string' && LOG_LEVELS.has(level)))
    return `${LOG_LEVEL_KEY} is not a log level`
  return undefined
}

const SENTINEL = /^=\?base64\?((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)\?=$/

/** Mcp-Name may be sent as `=?base64?...?=` (2026-07-28 streamable-http, "Value Encoding"); undefined where that is broken. */
function decodeSentinel(value: string): string | undefined {
  if (!value.startsWith('=?base64?') || !value.endsWith('?=')) return value
  const encoded = SENTINEL.exec(value)?.[1]
  if (encoded === undefined) return undefined
  const bytes = Buffer.from(encoded, 'base64')
  return isUtf8(bytes) ? bytes.toString('utf8') : undefined
}

function decodeLegacy(call: Call, request: HttpRequest | undefined): Denial | undefined {
  const version = request === undefined ? undefined : header(request, 'mcp-protocol-version')?.trim()
  if (version === undefined) return undefined
  if (version >= MODERN) {
    if (call.message !== undefined) call.message.era = 'modern'
    return deny('envelope_invalid', `params._meta has no ${VERSION_KEY}`)
  }
  if (!LEGACY_VERSIONS.includes(version))
    return deny('version_unsupported', [MODERN, ...LEGACY_VERSIONS].join(', '))
  if (call.message !== undefined) call.message.revision = version
  return undefined
}

function decodeParams(
  call: Call,
  params: JsonObject | undefined,
  meta: JsonObject | undefined,
): Denial | undefined {
  if (params === undefined) return deny('params_invalid', 'params is missing')
  const name = params['name']
  if (typeof name !== 'string') return deny('params_invalid', 'name is not a string')
  const args = params['arguments']
  if (args !== undefined && !isObject(args)) return deny('params_invalid', 'arguments is not an object')
  call.toolName = name
  if (args !== undefined) call.arguments = args
  const message = call.message
  if (message === undefined) return undefined
  message.progressToken = meta?.['progressToken'] as string | number | undefined
  if (message.era === 'modern') {
    if (params['inputResponses'] !== undefined) {
      if (!isObject(params['inputResponses']))
        return deny('params_invalid', 'inputResponses is not an object')
      message.inputResponses = params['inputResponses']
    }
    if (params['requestState'] !== undefined) {
      if (typeof params['requestState'] !== 'string')
        return deny('params_invalid', 'requestState is not a string')
      message.requestState = params['requestState']
    }
  }
  if (meta === undefined) return undefined
  takeTrace(call, text(meta['traceparent']), text(meta['tracestate']))
  const key = meta[IDEMPOTENCY_KEY]
  // One that is no text is left for `replay` to refuse, like every other key that it does not take.
  if (key !== undefined) call.idempotencyKey = text(key) ?? ''
  return undefined
}

const text = (value: Json | undefined): string | undefined => (typeof value === 'string' ? value : undefined)
