// The stage `shape`: unwraps the backend's envelope, replaces held credentials and makes the tool's result of what is left.
import type { Call, Stage, Verdict } from '../core/call.ts'
import { type Denial, deny } from '../core/denials.ts'
import { readPlainEnvelope } from '../core/envelope.ts'
import { retryAfter } from '../core/http.ts'
import { isObject, type Json, member, parseLossless } from '../core/json.ts'
import { type Redactor, redactorFor } from '../core/redact.ts'
import { KEY_PREFIX, visibleText } from '../core/text.ts'
import type { ToolResult } from '../core/tool.ts'
import { scanMessage } from './scan/index.ts'

export interface ShapeOptions {
  /** Largest result text, in bytes. */
  maxResult: number
  /** Told the result as it was before credentials were replaced in the answer, where they were. */
  raw?(call: Call, result: ToolResult): void
}

/** Longest message of the backend that a caller is shown. */
const MAX_MESSAGE = 500

export function prepareShape(options: ShapeOptions): Stage {
  const tooLarge = `${options.maxResult} bytes`
  return (call): Verdict => {
    const { reply, prepared } = call
    if (reply === undefined || prepared === undefined) throw new Error('shape runs after backend')
    const redactor = redactorFor(call)
    // A message of the backend can quote what it was working on.
    const messages: Redactor = { ...redactor, text: (value) => scanMessage(call, redactor.text(value)) }
    const source = reply.body.toString('utf8')
    if (prepared.answerPlain !== undefined && reply.status === 200) {
      const plain = readPlainEnvelope(reply.body)
      if (plain !== undefined && redactor.cleanPlain(source)) {
        takeRequestId(call, plain.requestId)
        return finish(call, prepared.answerPlain(plain))
      }
    }
    let raw: Json
    let envelope: Json
    try {
      raw = parseLossless(source)
      envelope = redactor.cleanJson(source) ? raw : redactor.value(raw)
    } catch {
      return reply.status >= 200 && reply.status < 300
        ? deny('backend_malformed')
        : refusedBy(reply.status, undefined, reply.retryAfter)
    }
    if (reply.status < 200 || reply.status > 299)
      return refusedBy(reply.status, failureMessage(envelope, messages), reply.retryAfter)
    if (!isObject(envelope)) return deny('backend_malformed')
    if (envelope['status'] === false)
      return failed(messageOf(envelope['message'], messages) ?? failureMessage(envelope, messages))
    const data = envelope['data']
    if (data === undefined) return deny('backend_malformed')
    takeRequestId(call, isObject(data) ? data['request_id'] : undefined)
    try {
      const verdict = finish(call, prepared.answer(data))
      const before = raw === envelope ? undefined : member(raw, 'data')
      if (verdict === undefined && before !== undefined) options.raw?.(call, prepared.answer(before))
      return verdict
    } catch (error) {
      // TypeError: not the shape of this tool; RangeError: nested deeper than the stack.
      if (error instanceof TypeError || error instanceof RangeError) return deny('backend_malformed')
      throw error
    }
  }

  function finish(call: Call, result: ToolResult): Verdict {
    const text = result.written?.content ?? result.content[0]?.['text']
    // No UTF-16 unit takes more than three bytes, so most results need no counting.
    if (
      typeof text === 'string' &&
      text.length * 3 > options.maxResult &&
      Buffer.byteLength(text) > options.maxResult
    )
      return deny('result_too_large', tooLarge)
    call.result = result
    return undefined
  }
}

const failed = (message: string | undefined): Denial =>
  message === undefined ? deny('backend_failed') : { ...deny('backend_failed'), backendMessage: message }

function refusedBy(status: number, message: string | undefined, after: string | undefined): Denial {
  const busy = status === 429 || status === 503
  const wait = busy && after !== undefined && /^\d{1,6}$/.test(after) ? Number(after) * 1000 : undefined
  return {
    code: busy ? 'backend_busy' : 'backend_refused',
    detail: String(status),
    backendStatus: status,
    ...(message !== undefined && { backendMessage: message }),
    ...(wait !== undefined && { retryAfterMs: wait, headers: retryAfter(wait) }),
  }
}

/** The message of a failed answer, looked for as the Ductape console does (ductape-backend.md 3.4); `errors` is the sibling service's habit. */
function failureMessage(body: Json, redactor: Redactor): string | undefined {
  if (!isObject(body)) return undefined
  const upstream = body['upstream_error']
  const inner = isObject(upstream) ? [upstream['errors'], upstream['message'], upstream['error']] : [upstream]
  for (const candidate of [...inner, body['error'], body['message'], body['errors']]) {
    const message = messageOf(candidate, redactor)
    if (message !== undefined) return message
  }
  return undefined
}

function messageOf(value: Json | undefined, redactor: Redactor): string | undefined {
  if (Array.isArray(value))
    return messageOf(
      value
        .filter((item) => typeof item === 'string')
        .slice(0, 20)
        .join('; '),
      redactor,
    )
  if (typeof value !== 'string') return undefined
  // Replaced on the whole text first: a cut through the middle of a key would leave half of it standing.
  const message = visibleText(redactor.text(value), MAX_MESSAGE).trim()
  return message === '' ? undefined : message
}

const BACKEND_ID = /^[\w.:-]{1,64}$/

function takeRequestId(call: Call, id: Json | undefined): void {
  // It goes into the records, where nothing of a key's form may stand.
  if (typeof id === 'string' && BACKEND_ID.test(id) && !KEY_PREFIX.test(id)) call.backendRequestId = id
}
