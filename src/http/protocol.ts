// The stage `protocol`: reads the body under its cap, parses it exactly and once, and makes a call of it; routing looks at that value alone.
import type { Call, Stage, Verdict } from '../core/call.ts'
import { type Denial, deny } from '../core/denials.ts'
import { type BodyRead, type HttpRequest, header } from '../core/http.ts'
import { isObject, type Json, type JsonObject, parseExact } from '../core/json.ts'
import { publicPath } from './paths.ts'

export interface ProtocolOptions {
  maxBody: number
  /** Makes a call of an /mcp body, or leaves it in `call.other` for the SDK. */
  decodeMcp(call: Call, body: Json, request: HttpRequest): Denial | undefined
}

const UNREAD = {
  timeout: 'request_timeout',
  malformed: 'http_malformed',
  incomplete: 'body_incomplete',
} as const

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function prepareProtocol(options: ProtocolOptions): Stage {
  return (call): Verdict | Promise<Verdict> => {
    const { request } = call
    if (request === undefined || request.method !== 'POST') return undefined
    const read = request.read(options.maxBody)
    return read instanceof Promise
      ? read.then((one) => decode(call, request, one))
      : decode(call, request, read)
  }

  function decode(call: Call, request: HttpRequest, read: BodyRead): Verdict {
    if (!read.ok) {
      if (read.reason === 'too_large') return deny('body_too_large', `${options.maxBody} bytes`)
      return deny(UNREAD[read.reason])
    }
    call.bytesIn = read.body.length
    const path = publicPath(request.path)
    const kind = path?.kind
    call.surface = kind === 'mcp' ? 'mcp' : 'rest'
    const parsed = parseBody(read.body)
    if ('code' in parsed) return parsed
    if (kind === 'router') {
      // An administrative request is no call of a tool; its route judges it.
      call.other = parsed.value
      return undefined
    }
    call.idempotencyKey = header(request, 'idempotency-key')
    if (kind === 'mcp') return options.decodeMcp(call, parsed.value, request)
    return decodeRest(call, parsed.value, request)
  }
}

/** The exact value of a body, or why it is refused. */
export function parseBody(body: Buffer): { value: Json } | Denial {
  let text: string
  try {
    text = utf8.decode(body)
  } catch {
    return deny('json_malformed', 'it is not UTF-8')
  }
  const parsed = parseExact(text)
  if (parsed.ok) return parsed
  return deny(parsed.fault.kind === 'syntax' ? 'json_malformed' : 'json_not_exact', parsed.fault.reason)
}

function decodeRest(call: Call, body: Json, request: HttpRequest): Verdict {
  if (!isObject(body)) return deny('arguments_not_object')
  call.toolName = request.path.slice(request.path.lastIndexOf('/') + 1)
  call.arguments = body satisfies JsonObject
  return undefined
}
