// Writes the answer of a tools/call in the form of its era; `result`, `error` and `http` refusals as the denials table says.
import type { Call, McpMessage } from '../core/call.ts'
import {
  type AskedApproval,
  type Denial,
  denialRow,
  denialSentence,
  denialText,
  deny,
  formOf,
  shownApproval,
} from '../core/denials.ts'
import type { Draft } from '../core/http.ts'
import { type JsonObject, member } from '../core/json.ts'
import type { ContentBlock } from '../core/tool.ts'
import { missingCapabilities } from './input.ts'

const REFUSAL_KEY = 'app.ductape/refusal'

export interface ServerIdentity {
  name: string
  version: string
}

/** JSON-RPC codes of a refused version differ by era: -32022 is of 2026-07-28, before it the SDKs say -32000. */
const LEGACY_VERSION_CODE = -32000

/** Prepares the parts of an answer that never change; what it gives still lacks its receipt. */
export function prepareEncoder(server: ServerIdentity): (call: Call) => Draft {
  const serverInfo = `"io.modelcontextprotocol/serverInfo":${JSON.stringify(server)}`

  const id = (call: Call): string => JSON.stringify(call.message?.id ?? idOf(call.other) ?? null)

  /** `result` is the object but for its `_meta` and its end. */
  const wrap = (call: Call, result: string, meta: string, delivered: string | undefined): Draft => ({
    status: 200,
    headers: {},
    text: `{"result":${result}`,
    meta,
    tail: `},"jsonrpc":"2.0","id":${id(call)}}`,
    delivered,
  })

  const refused = (call: Call, denial: Denial): Draft => {
    const row = denialRow(denial)
    const retryable = row.retryable
    const retryAfterMs = denial.retryAfterMs === undefined ? '' : `,"retryAfterMs":${denial.retryAfterMs}`
    const form = formOf(denial, call.tool !== undefined)
    if (form === 'result' && call.message !== undefined) {
      const text = row.stage === 'backend' || row.stage === 'shape' ? call.tool?.failure(denial) : undefined
      const approval =
        denial.approval === undefined ? '' : `,"approval":${JSON.stringify(shownApproval(denial.approval))}`
      const refusal = `"${REFUSAL_KEY}":{"code":"${denial.code}","retryable":${retryable}${retryAfterMs}${approval}}`
      if (denial.approval !== undefined && mayOpenUrl(call.message))
        return wrap(
          call,
          askToOpen(denial.approval, denialSentence(denial)),
          `${refusal},${serverInfo}`,
          undefined,
        )
      const content = contentText([{ type: 'text', text: text ?? denialText(denial) }])
      const modern = call.message.era === 'modern'
      return wrap(
        call,
        `{"content":${content},"isError":true${modern ? ',"resultType":"complete"' : ''}`,
        modern ? `${refusal},${serverInfo}` : refusal,
        content,
      )
    }
    const legacyVersion = denial.code === 'version_unsupported' && call.message?.era !== 'modern'
    const error = {
      code: legacyVersion ? LEGACY_VERSION_CODE : row.rpc,
      message: denialSentence(denial),
      data: {
        ...(denial.data as object | undefined),
        code: denial.code,
        retryable,
        ...(denial.retryAfterMs !== undefined && { retryAfterMs: denial.retryAfterMs }),
        requestId: call.requestId,
      },
    }
    return {
      status: form === 'http' ? row.status : 200,
      headers: denial.headers ?? {},
      text: `{"jsonrpc":"2.0","id":${id(call)},"error":${JSON.stringify(error)}}`,
      meta: undefined,
      tail: '',
      delivered: undefined,
    }
  }

  return (call) => {
    if (call.denial !== undefined) return refused(call, call.denial)
    const { result, message } = call
    if (result === undefined || message === undefined) return refused(call, { code: 'internal_error' })
    const modern = message.era === 'modern'
    if (result.inputRequired !== undefined && modern) {
      const missing = missingCapabilities(result.inputRequired.inputRequests, message.capabilities)
      if (missing !== undefined) {
        call.denial = { ...deny('capability_missing'), data: { requiredCapabilities: missing } }
        return refused(call, call.denial)
      }
      const asked = JSON.stringify({ ...result.inputRequired, resultType: 'input_required' })
      return wrap(call, asked.slice(0, -1), serverInfo, undefined)
    }
    const content = result.written?.content ?? contentText(result.content)
    let text = `{"content":${content}`
    if (result.structuredContent !== undefined)
      text += `,"structuredContent":${JSON.stringify(result.structuredContent)}`
    if (result.isError) text += ',"isError":true'
    const { meta = '' } = result
    return modern
      ? wrap(
          call,
          `${text},"resultType":"complete"`,
          meta === '' ? serverInfo : `${meta},${serverInfo}`,
          content,
        )
      : wrap(call, text, meta, content)
  }
}

/** Declared by the client of this very call, who has not answered yet that the page will not be opened. */
const mayOpenUrl = ({ era, capabilities, inputResponses }: McpMessage): boolean =>
  era === 'modern' &&
  missingCapabilities({ [INPUT]: elicitation('', '') }, capabilities) === undefined &&
  (inputResponses?.[INPUT] === undefined || member(inputResponses[INPUT], 'action') === 'accept')

/** Name of the one input that is asked for. */
const INPUT = 'approval'

const elicitation = (message: string, url: string): JsonObject => ({
  method: 'elicitation/create',
  params: { mode: 'url', message, url },
})

/** Asks the person at the client to open the page (2026-07-28, MRTR); the result but for its end. */
const askToOpen = ({ url, state }: AskedApproval, message: string): string =>
  JSON.stringify({
    inputRequests: { [INPUT]: elicitation(message, url) },
    requestState: state,
    resultType: 'input_required',
  }).slice(0, -1)

/** The usual content is one block of text, for which the general writer takes a detour. */
function contentText(content: readonly ContentBlock[]): string {
  const [block] = content
  const plain = content.length === 1 && block?.type === 'text' && Object.keys(block).length === 2
  return plain ? `[{"type":"text","text":${JSON.stringify(block['text'])}}]` : JSON.stringify(content)
}

function idOf(other: unknown): string | number | undefined {
  const id = typeof other === 'object' && other !== null ? (other as { id?: unknown }).id : undefined
  return typeof id === 'string' || typeof id === 'number' ? id : undefined
}

/** A progress notification of this call as JSON text; undefined where the client asked for none. */
export function progressNotification(
  call: Call,
  progress: number,
  total: number,
  message: string,
): string | undefined {
  const progressToken = call.message?.progressToken
  if (progressToken === undefined) return undefined
  return JSON.stringify({
    jsonrpc: '2.0',
    method: 'notifications/progress',
    params: { progressToken, progress, total, message },
  })
}
