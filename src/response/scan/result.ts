// The text of a result that is looked through, and the result that is made of a text: replaced in, or cut to the size that is allowed.
import type { Call } from '../../core/call.ts'
import { readPlainEnvelope } from '../../core/envelope.ts'
import { parseLossless } from '../../core/json.ts'
import type { ToolResult } from '../../core/tool.ts'
import { truncateDeclared, truncateJson } from './truncate.ts'

/** A result is one JSON text: the backend's own where it was taken over, else what the tool has written. */
export function textOf({ written, content }: ToolResult): string {
  if (written !== undefined) return written.value()
  const text = content.length === 1 ? content[0]?.['text'] : undefined
  return typeof text === 'string' ? text : JSON.stringify(content)
}

/** The result whose value is this JSON text. Yields, because others shall not wait for a large one. */
export function* resultOf(call: Call, result: ToolResult, text: string): Generator<void, ToolResult> {
  yield
  if (result.written !== undefined && call.prepared?.answerPlain !== undefined) {
    const plain = readPlainEnvelope(Buffer.from(`{"status":true,"data":{"data":${text}}}`))
    if (plain !== undefined) return call.prepared.answerPlain(plain)
    yield
  }
  const value = parseLossless(text)
  yield
  const shown = JSON.stringify(value, null, 2)
  yield
  return {
    ...result,
    written: { content: JSON.stringify([{ type: 'text', text: shown }]), value: () => JSON.stringify(value) },
    content: [],
    value: undefined,
    ...(result.structuredContent !== undefined && { structuredContent: value }),
  }
}

export interface Limits {
  readonly maxBytes: number
  readonly maxTokens: number
}

export const isLimited = ({ maxBytes, maxTokens }: Limits): boolean =>
  Math.min(maxBytes, maxTokens) < Number.POSITIVE_INFINITY

/** False where the text and what is made of it are surely within the limits: no UTF-16 unit takes more than three bytes, and no byte more than a token. */
export function mayBeLong({ written }: ToolResult, text: string, { maxBytes, maxTokens }: Limits): boolean {
  return Math.max(written?.content.length ?? 0, text.length) * 3 > Math.min(maxBytes, maxTokens)
}

interface Cut {
  text: string
  /** Bytes of what the caller would have got, and of what it gets. */
  from: number
  to: number
}

/** Undefined where the text is within the limits. Over MCP a value is shown indented, and the limits hold for what is shown. */
export function* truncateResult(
  call: Call,
  result: ToolResult,
  text: string,
  { maxBytes, maxTokens }: Limits,
  tokens: (text: string) => number,
): Generator<void, Cut | undefined> {
  const declared = result.structuredContent !== undefined
  const schema = call.tool?.declaration.outputSchema
  const indent = call.surface === 'rest' ? undefined : 2
  let cut = text
  let from: number | undefined
  for (let tries = 0; ; tries++) {
    const value = parseLossless(cut)
    yield
    const given = JSON.stringify(value, null, indent)
    yield
    const to = Buffer.byteLength(given)
    const over = Math.max(to / maxBytes, given.length * 3 > maxTokens ? tokens(given) / maxTokens : 0)
    if (over <= 1) return from === undefined ? undefined : { text: cut, from, to }
    from ??= to
    yield
    // Of the estimate it is only known that it grows with the text, so the next try is the share that fits, and a little less.
    const max = tries < MAX_TRIES ? Math.floor((cut.length / over) * (0.98 - tries / 20)) : 0
    cut = declared ? truncateDeclared(value, schema, max) : (truncateJson(cut, max) ?? 'null')
    if (tries === MAX_TRIES) return { text: cut, from, to: Buffer.byteLength(cut) }
  }
}

const MAX_TRIES = 12
