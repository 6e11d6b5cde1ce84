// Gives a vector to the verifier and puts its report in the words of the vector.
import {
  checkDisclosed,
  checkReceipt,
  compareDecision,
  findReceipt,
  type Report,
  readKeySet,
  readLine,
  type Source,
  type Trust,
  verify,
} from '../../../src/audit/verify/index.ts'
import type { Bad, Good, ReceiptVector, Vector, VectorFile } from '../lib/vector.ts'

export function trustOf({ keys, selfAsserted = false }: { keys: string; selfAsserted?: boolean }): Trust {
  const set = readKeySet(keys)
  if (typeof set === 'string') throw new Error(set)
  return { keys: set, selfAsserted }
}

/** In pieces of an odd size, so that lines are cut anywhere. */
export function sourceOf({ base64, name, text }: VectorFile, size = 997): Source {
  const bytes = text === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(text)
  return {
    name,
    async *read() {
      for (let at = 0; at < bytes.length; at += size) yield Buffer.from(bytes.subarray(at, at + size))
    },
  }
}

export const given = (name: string, text: string | undefined) =>
  text === undefined ? undefined : { name, text }

export const run = (vector: Vector): Promise<Report> =>
  verify(
    vector.files.map((file) => sourceOf(file)),
    {
      trust: trustOf(vector),
      witness: given('witness', vector.witness),
      receipts: given('receipts', vector.receipts),
      from: vector.from === undefined ? undefined : Date.parse(vector.from),
      allReplicas: vector.allReplicas,
    },
  )

export async function judgeRecords(vector: Vector): Promise<Good | Bad> {
  const { approvals, chains, finding, torn } = await run(vector)
  if (finding !== undefined) {
    const { code, file, line } = finding
    return { code, ...(line !== undefined && { file: file ?? '', line }) }
  }
  const sum = (of: (chain: (typeof chains)[number]) => number): number =>
    chains.reduce((all, chain) => all + of(chain), 0)
  const good: Good = { ok: true }
  const figures = {
    unknown: sum(({ unknown }) => unknown),
    lost: sum(({ lost }) => lost),
    uncovered: sum(({ uncovered }) => uncovered),
    torn: torn.length,
    notShown: approvals.notShown,
  }
  // Figures that are not 0, as the vectors have them.
  return { ...good, ...Object.fromEntries(Object.entries(figures).filter(([, value]) => value > 0)) }
}

export function judgeReceipt(vector: ReceiptVector): ReceiptVector['expect'] {
  const found = findReceipt(vector.receipt)
  if (found === undefined) return { code: 'receipt_mismatch' }
  const checked = checkReceipt(found, trustOf(vector))
  if (!checked.ok) return { code: checked.finding.code }
  const { claims } = checked
  for (const what of ['args', 'result'] as const) {
    const text = vector[what]
    const bad = text === undefined ? undefined : checkDisclosed(claims, found.salts, what, text)
    if (bad !== undefined) return { code: bad.code }
  }
  if (vector.records === undefined) return { ok: true }
  for (const line of vector.records.trimEnd().split('\n')) {
    const read = readLine(Buffer.from(line))
    if (!read.ok || read.record['hash'] !== claims['record']) continue
    const bad = compareDecision(claims, read.record)
    return bad === undefined ? { ok: true } : { code: bad.code }
  }
  return { code: 'receipt_mismatch' }
}
