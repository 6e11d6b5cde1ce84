// The REST form of an answer: the result's JSON value, or problem+json with the code (RFC 9457).
import type { Call } from '../core/call.ts'
import { type Denial, denialRow, denialSentence } from '../core/denials.ts'
import { type HttpAnswer, retryAfter } from '../core/http.ts'

export function encodeRest(call: Call): HttpAnswer {
  if (call.denial !== undefined) return problem(call, call.denial)
  if (call.result === undefined || call.result.isError) return problem(call, { code: 'internal_error' })
  return { status: 200, headers: {}, body: call.result.written?.value() ?? JSON.stringify(call.result.value) }
}

/** `detail` is what the MCP caller would read; `code` is stable. */
function problem(call: Call, denial: Denial): HttpAnswer {
  const row = denialRow(denial)
  const failed = row.stage === 'backend' || row.stage === 'shape' ? call.tool?.failure(denial) : undefined
  return {
    status: row.status,
    headers: {
      ...denial.headers,
      ...(denial.retryAfterMs !== undefined && retryAfter(denial.retryAfterMs)),
      'content-type': 'application/problem+json',
    },
    body: JSON.stringify({
      type: `urn:ductape-mcp:refusal:${denial.code}`,
      title: denialSentence(denial),
      status: row.status,
      detail: failed ?? denialSentence(denial),
      code: denial.code,
      retryable: row.retryable,
      ...(denial.retryAfterMs !== undefined && { retryAfterMs: denial.retryAfterMs }),
      requestId: call.requestId,
      remedy: row.remedy,
    }),
  }
}
