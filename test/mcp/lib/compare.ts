// Sends one corpus through the service and the reference and compares what a client could tell apart.
import { isDeepStrictEqual } from 'node:util'
import { startApp } from '../../lib/app.ts'
import type { Case } from './corpus.ts'
import { fixedBackend, startReference } from './reference.ts'
import { createWire, messagesOf, type Received, type Wire } from './wire.ts'

/** An answer without what may differ: header fields, wording, `data` and our own metadata. */
export interface Answer {
  status: number
  /** Present where the answer is a message. */
  id?: unknown
  code?: number
  result?: unknown
  /** An answer that is no JSON-RPC message. */
  text?: string
}

/** A case with its bytes read once more, for the predicates of the table of differences. */
export interface Read extends Case {
  header(name: string): string | undefined
  text: string
  /** Undefined where the body is not JSON. */
  json: unknown
}

export interface Difference {
  sent: Read
  ours: Answer
  theirs: Answer
}

function answerOf(received: Received): Answer {
  const { status, text } = received
  if (text === '') return { status }
  let message: { id?: unknown; error?: { code: number }; result?: Record<string, unknown> } | undefined
  try {
    // Progress comes before the result; the answer is the last message.
    message = messagesOf(received).at(-1) as typeof message
  } catch {
    message = undefined
  }
  if (typeof message !== 'object' || message === null) return { status, text }
  if (message.error !== undefined) return { status, id: message.id, code: message.error.code }
  if (message.result === undefined) return { status, text }
  const { _meta, ...result } = message.result
  return { status, id: message.id, result }
}

function read(sent: Case): Read {
  const text = sent.body?.toString('utf8') ?? ''
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    json = undefined
  }
  const header = (name: string): string | undefined => {
    const values = sent.headers.filter(([found]) => found === name).map(([, value]) => value.trim())
    return values.length === 0 ? undefined : values.join(', ')
  }
  return { ...sent, header, text, json }
}

const CONCURRENCY = 16

const ask = async (wire: Wire, { method, headers, body }: Case): Promise<Answer> =>
  answerOf(await wire.send({ method, headers, body }))

export interface Comparison {
  /** In the order of the corpus. */
  differences: readonly Difference[]
  /** How many requests both sides served with a result of tools/call. */
  calls: number
}

export async function compare(cases: readonly Case[]): Promise<Comparison> {
  const service = await startApp({ backend: fixedBackend() })
  const reference = await startReference(service.app.tools)
  const us = createWire(service.url)
  const them = createWire(reference.url)
  const found: (Difference | undefined)[] = Array.from({ length: cases.length })
  let next = 0
  let calls = 0
  const worker = async (): Promise<void> => {
    for (let at = next++; at < cases.length; at = next++) {
      const sent = cases[at] as Case
      const [ours, theirs] = await Promise.all([ask(us, sent), ask(them, sent)])
      if (isCallResult(ours) && isCallResult(theirs)) calls++
      if (!isDeepStrictEqual(ours, theirs)) found[at] = { sent: read(sent), ours, theirs }
    }
  }
  try {
    await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  } finally {
    us.close()
    them.close()
    await service.close()
    await reference.close()
  }
  return { differences: found.filter((difference) => difference !== undefined), calls }
}

const isCallResult = ({ result }: Answer): boolean =>
  typeof result === 'object' && result !== null && 'content' in result
