// What stands in the store for a call with an idempotency key, as the text that is sealed: under way, or ended in one of three ways.
import { DENIALS, type Denial, type DenialCode } from '../../core/denials.ts'
import { isObject, type Json, type JsonObject, parseLossless, parseObject } from '../../core/json.ts'
import type { ContentBlock, ToolResult } from '../../core/tool.ts'

/** How a call ended that has, or may have, had its effect. */
export type End =
  /** The answer was too large to keep, or must not be kept. */
  | { readonly kind: 'unkept' }
  | { readonly kind: 'refused'; readonly denial: Denial }
  | { readonly kind: 'answered'; readonly answer: Answer }

/** JSON texts, so that each surface gets what the first caller would have got there, digit for digit. */
export interface Answer {
  readonly content: string
  readonly value: string
  readonly structured: string | undefined
  /** What the scan says of it in `_meta`; a single line like the rest. */
  readonly meta: string | undefined
}

export interface Entry {
  /** SHA-256 of the canonical arguments. The name of the entry covers tenant, caller, credential and tool. */
  readonly request: string
  /** Id of the call that has the effect. */
  readonly callId: string
  /** Milliseconds since the epoch after which the call cannot be under way any more; undefined where it has ended. */
  readonly until: number | undefined
  readonly end: End | undefined
}

/** Largest text of an answer that is kept, in bytes. */
export const MAX_KEPT = 64 * 1024

const VERSION = 1

export const markerText = ({ request, callId, until }: Omit<Entry, 'end'>): string =>
  JSON.stringify({ v: VERSION, request, callId, until })

export function endText(request: string, callId: string, end: End): string {
  const head = { v: VERSION, request, callId, end: end.kind }
  switch (end.kind) {
    case 'unkept':
      return JSON.stringify(head)
    case 'refused': {
      const { code, detail, backendMessage, backendStatus } = end.denial
      return JSON.stringify({ ...head, denial: { code, detail, backendMessage, backendStatus } })
    }
    case 'answered': {
      // Lines, because JSON inside JSON would be escaped once more; JSON texts of ours have no line feed.
      const { content, value, structured, meta } = end.answer
      const first = JSON.stringify(meta === undefined ? head : { ...head, meta })
      return [first, content, value, ...(structured === undefined ? [] : [structured])].join('\n')
    }
  }
}

/** Undefined where this build cannot read the text. */
export function readEntry(text: string): Entry | undefined {
  const [first = '', ...lines] = text.split('\n')
  const head = parseObject(first)
  if (head?.['v'] !== VERSION) return undefined
  const { request, callId, until } = head
  if (typeof request !== 'string' || typeof callId !== 'string') return undefined
  if (typeof until === 'number') return { request, callId, until, end: undefined }
  const end = readEnd(head, lines)
  return end && { request, callId, until: undefined, end }
}

function readEnd(head: JsonObject, [content, value, structured]: readonly string[]): End | undefined {
  switch (head['end']) {
    case 'unkept':
      return { kind: 'unkept' }
    case 'refused': {
      const denial = readDenial(head['denial'])
      return denial && { kind: 'refused', denial }
    }
    case 'answered':
      if (content === undefined || value === undefined) return undefined
      return { kind: 'answered', answer: { content, value, structured, meta: text(head['meta']) } }
    default:
      return undefined
  }
}

const text = (value: Json | undefined): string | undefined => (typeof value === 'string' ? value : undefined)

function readDenial(value: Json | undefined): Denial | undefined {
  if (!isObject(value)) return undefined
  const { code, detail, backendMessage, backendStatus } = value
  if (typeof code !== 'string' || !Object.hasOwn(DENIALS, code)) return undefined
  return {
    code: code as DenialCode,
    ...(typeof detail === 'string' && { detail }),
    ...(typeof backendMessage === 'string' && { backendMessage }),
    ...(typeof backendStatus === 'number' && { backendStatus }),
  }
}

/** What is kept of a result; undefined where it is too large, or no plain answer: one block of text is all that the tools give. */
export function answerOf(result: ToolResult): Answer | undefined {
  if (result.isError || result.inputRequired !== undefined) return undefined
  const content = result.written?.content ?? loneText(result.content)
  if (content === undefined) return undefined
  const value = result.written?.value() ?? JSON.stringify(result.value)
  const structured =
    result.structuredContent === undefined ? undefined : JSON.stringify(result.structuredContent)
  const texts = structured === undefined ? [content, value] : [content, value, structured]
  const { meta } = result
  return texts.some((one) => Buffer.byteLength(one) > MAX_KEPT)
    ? undefined
    : { content, value, structured, meta }
}

/** In bytes. */
export const sizeOf = ({ content, value, structured = '' }: Answer): number =>
  Buffer.byteLength(content) + Buffer.byteLength(value) + Buffer.byteLength(structured)

function loneText([block, ...more]: readonly ContentBlock[]): string | undefined {
  const isLone = more.length === 0 && block?.type === 'text' && Object.keys(block).length === 2
  return isLone ? JSON.stringify([{ type: 'text', text: block['text'] }]) : undefined
}

const NO_CONTENT: readonly ContentBlock[] = []

export function resultOf({ content, value, structured, meta }: Answer): ToolResult {
  return {
    written: { content, value: () => value },
    content: NO_CONTENT,
    value: undefined,
    ...(structured !== undefined && { structuredContent: parseLossless(structured) }),
    ...(meta !== undefined && { meta }),
  }
}
