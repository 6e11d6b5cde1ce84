// The words for a call that spans and metrics share, by the MCP semantic conventions (mcp.md 7); none of them is a text of the caller.
import type { Call, GuardNote, ScanNote } from '../core/call.ts'
import { denialRow } from '../core/denials.ts'
import { shownMethod } from '../core/methods.ts'

/** `mcp.method.name`; REST has one operation, which is the same. */
export const methodOf = (call: Call): string | undefined =>
  call.surface === 'rest' ? 'tools/call' : shownMethod(call)

/** `error.type`: the code of JSON-RPC or `tool_error`; the status where no JSON-RPC is spoken. */
export function errorType(call: Call): string | undefined {
  if (call.denial === undefined) return undefined
  const row = denialRow(call.denial)
  if (row.form === 'result') return 'tool_error'
  return String(call.surface === 'rest' ? row.status : row.rpc)
}

/** `rpc.response.status_code`, which only an error of the protocol has. */
export function rpcStatus(call: Call): string | undefined {
  if (call.denial === undefined || call.surface === 'rest') return undefined
  const row = denialRow(call.denial)
  return row.form === 'result' ? undefined : String(row.rpc)
}

const WORD = /^[a-z][a-z0-9-]{0,31}$/

/** What a guard has found is a word of ours; that it stays one is not left to each guard. */
export const foundOf = ({ found }: GuardNote): string => (WORD.test(found) ? found : 'other')

const RULE = /^[a-z0-9][a-z0-9._-]{0,63}$/i

/** Name of a rule of the scan, ours or the operator's. */
export const ruleOf = ({ rule }: ScanNote): string => (RULE.test(rule) ? rule : 'other')
