// Makes the answer of a call, once: refusals are recorded first, and the receipt goes into `_meta` of an MCP result, into headers everywhere else (docs/reference/evidence.md).
import type { Call, Receipt } from '../core/call.ts'
import { deny } from '../core/denials.ts'
import type { Draft, HttpAnswer } from '../core/http.ts'
import { ANONYMOUS } from '../core/principal.ts'
import { preflight } from './cors.ts'
import { publicPath } from './paths.ts'

export const RECEIPT_HEADER = 'ductape-receipt'
export const SALTS_HEADER = 'ductape-receipt-salts'

export interface AnswerParts {
  /** The answer in the form of the call's protocol, but for its receipt. */
  draft(call: Call): Draft
  fault(call: Call, error: unknown): void
  /** Makes the digest of what is delivered. */
  digest(call: Call, delivered: string): void
  evidence: { refused(call: Call): void; kept(call: Call): Promise<unknown> | undefined }
  /** Makes the receipt. */
  issue(call: Call): Promise<void>
  withCors(call: Call, answer: HttpAnswer): HttpAnswer
}

export type Answers = (call: Call) => HttpAnswer | Promise<HttpAnswer>

export function prepareAnswers({ draft, fault, digest, evidence, issue, withCors }: AnswerParts): Answers {
  /** Once for each call; a refusal is recorded here, because the receipt names its record. */
  const write = (call: Call): Draft => {
    let written: Draft
    try {
      written = draft(call)
      if (call.decided && written.delivered !== undefined) digest(call, written.delivered)
    } catch (error) {
      // A result that cannot be written, nested deeper than the stack for one, still ends in an answer and its record.
      fault(call, error)
      call.result = undefined
      call.denial = deny('internal_error')
      written = draft(call)
    }
    if (call.denial !== undefined && !call.decided) evidence.refused(call)
    return written
  }
  const proven = async (
    call: Call,
    written: Draft,
    kept: Promise<unknown> | undefined,
  ): Promise<HttpAnswer> => {
    if (kept !== undefined) await kept
    if (takesReceipt(call, written)) await issue(call)
    return withCors(call, finish(written, call.receipt))
  }

  return (call) => {
    const written = write(call)
    const kept = evidence.kept(call)
    if (kept !== undefined || takesReceipt(call, written)) return proven(call, written, kept)
    return withCors(call, finish(written, undefined))
  }
}

/** The answer of a request that is no call, from a router of whatever kind: `find` is asked for it. */
export function prepareRouted(
  { evidence, fault, withCors }: AnswerParts,
  answer: Answers,
): (call: Call, find: () => Promise<HttpAnswer | undefined>) => Promise<HttpAnswer> {
  return async (call, find) => {
    try {
      if (call.request?.method === 'OPTIONS') return withCors(call, preflight())
      const found = await find()
      if (found !== undefined) {
        // A refusal by the SDK is recorded like one of ours.
        if (found.refused) {
          call.denial = deny('mcp_refused')
          evidence.refused(call)
          await evidence.kept(call)
        }
        return withCors(call, found)
      }
      call.denial ??= deny('path_unknown')
    } catch (error) {
      fault(call, error)
      call.denial = deny('internal_error')
    }
    return answer(call)
  }
}

/** Every call of a tool after identity, good or refused; headers need HTTP, and a caller who has gone away takes nothing. */
const takesReceipt = ({ principal, message, request, gone }: Call, { meta }: Draft): boolean =>
  principal !== ANONYMOUS &&
  (message !== undefined || (request !== undefined && publicPath(request.path)?.kind === 'tool')) &&
  (request !== undefined || meta !== undefined) &&
  !gone

function finish(draft: Draft, receipt: Receipt | undefined): HttpAnswer {
  const { status, text, meta, tail } = draft
  if (meta === undefined)
    return {
      status,
      headers: receipt === undefined ? draft.headers : { ...draft.headers, ...headersOf(receipt) },
      body: text + tail,
    }
  const members = receipt === undefined ? meta : meta + (meta === '' ? '' : ',') + membersOf(receipt)
  return {
    status,
    headers: draft.headers,
    body: text + (members === '' ? '' : `,"_meta":{${members}}`) + tail,
  }
}

const membersOf = ({ text, salts }: Receipt): string =>
  `"app.ductape/receipt":${text}${salts === '' ? '' : `,"app.ductape/receipt-salts":${salts}`}`

const encode = (text: string): string => Buffer.from(text).toString('base64url')

const headersOf = ({ text, salts }: Receipt): Record<string, string> => ({
  [RECEIPT_HEADER]: encode(text),
  ...(salts !== '' && { [SALTS_HEADER]: encode(salts) }),
})
