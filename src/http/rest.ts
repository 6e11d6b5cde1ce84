// The REST form of an answer: the result's JSON value, or problem+json with the code (RFC 9457).
import type { Call } from '../core/call.ts'
import { type Denial, denialRow, denialSentence, shownApproval } from '../core/denials.ts'
import { type Draft, retryAfter } from '../core/http.ts'

const TRUNCATED_HEADER = 'x-ductape-truncated'
/** Of the members of `_meta`, in which the scan says what it has cut: all that a stored answer keeps of it too. */
const TRUNCATED = /"app\.ductape\/truncated":\{"fromBytes":(\d+),"toBytes":(\d+)\}/

export function encodeRest(call: Call): Draft {
  if (call.denial !== undefined) return problem(call, call.denial)
  const { result } = call
  if (result === undefined || result.isError) return problem(call, { code: 'internal_error' })
  return draft(200, truncated(result.meta), result.written?.value() ?? JSON.stringify(result.value))
}

/** The body is the value and has no place for `_meta`: a dictionary of structured fields (RFC 9651) stands beside it. */
function truncated(meta: string | undefined): Record<string, string> {
  const [, from, to] = (meta !== undefined && TRUNCATED.exec(meta)) || []
  return from === undefined ? {} : { [TRUNCATED_HEADER]: `from=${from}, to=${to}` }
}

const draft = (status: number, headers: Record<string, string>, text: string): Draft => ({
  status,
  headers,
  text,
  meta: undefined,
  tail: '',
  delivered: text,
})

/** `detail` is what the MCP caller would read; `code` is stable. */
function problem(call: Call, denial: Denial): Draft {
  const row = denialRow(denial)
  const failed = row.stage === 'backend' || row.stage === 'shape' ? call.tool?.failure(denial) : undefined
  return draft(
    row.status,
    {
      ...denial.headers,
      ...(denial.retryAfterMs !== undefined && retryAfter(denial.retryAfterMs)),
      'content-type': 'application/problem+json',
    },
    JSON.stringify({
      type: `urn:ductape-mcp:refusal:${denial.code}`,
      title: denialSentence(denial),
      status: row.status,
      detail: failed ?? denialSentence(denial),
      code: denial.code,
      retryable: row.retryable,
      ...(denial.retryAfterMs !== undefined && { retryAfterMs: denial.retryAfterMs }),
      ...(denial.approval !== undefined && { approval: shownApproval(denial.approval) }),
      requestId: call.requestId,
      remedy: row.remedy,
    }),
  )
}
