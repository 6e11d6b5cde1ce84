// The receipts that callers hand to an auditor, found again among the records by the hash they name.
import type { JsonObject } from '../../core/json.ts'
import { type Finding, finding } from './codes.ts'
import type { Trust } from './keys.ts'
import { checkReceipt, compareDecision, compareOutcome, findReceipt } from './receipt.ts'

interface Held {
  readonly line: number
  readonly claims: JsonObject
  met: boolean
}

export interface ReceiptIndex {
  readonly count: number
  /** Compares the record with the receipts that are about it. */
  compare(record: JsonObject, policies: readonly string[]): Finding | undefined
  /** The first receipt whose record was not there. */
  end(): Finding | undefined
  /** What a saved state has to remember. */
  save(): { met: number[]; waiting: [callId: string, index: number][] }
}

/** One receipt a line; a fault names it. */
export function indexReceipts(
  source: string,
  file: string,
  trust: Trust,
  saved?: ReturnType<ReceiptIndex['save']>,
): ReceiptIndex | Finding {
  const all: Held[] = []
  /** Indexes of those that name a record, by its hash. */
  const byRecord = new Map<string, number[]>()
  for (const [i, text] of source.split('\n').entries()) {
    if (text.trim() === '') continue
    const at = { file, line: i + 1 }
    const receipt = findReceipt(text)
    if (receipt === undefined)
      return { ...at, ...finding('receipt_mismatch', 'there is no receipt in this line') }
    const checked = checkReceipt(receipt, trust)
    if (!checked.ok) return { ...at, ...checked.finding }
    const hash = String(checked.claims['record'])
    byRecord.set(hash, [...(byRecord.get(hash) ?? []), all.length])
    all.push({ claims: checked.claims, line: i + 1, met: false })
  }
  for (const index of saved?.met ?? []) if (all[index] !== undefined) all[index].met = true
  /** Receipts whose decision has come and whose outcome has not, by call. */
  const waiting = new Map<string, number[]>()
  for (const [callId, index] of saved?.waiting ?? [])
    waiting.set(callId, [...(waiting.get(callId) ?? []), index])

  const each = (
    indexes: readonly number[],
    check: (held: Held) => Finding | undefined,
  ): Finding | undefined => {
    for (const index of indexes) {
      const held = all[index] as Held
      const found = check(held)
      if (found !== undefined) return { file, line: held.line, ...found }
    }
    return undefined
  }

  return {
    count: all.length,
    compare(record, policies) {
      const { type } = record
      if (type === 'decision') {
        const indexes = byRecord.get(record['hash'] as string)
        if (indexes === undefined) return undefined
        if ((record['decision'] as JsonObject)['allowed'] === true)
          waiting.set(record['callId'] as string, indexes)
        return each(indexes, (held) => {
          held.met = true
          const policy = held.claims['policy_digest']
          if (policy !== undefined && !policies.includes(policy as string))
            return finding('receipt_mismatch', 'policy_digest is none that the chain names')
          return compareDecision(held.claims, record)
        })
      }
      if (type !== 'outcome') return undefined
      const callId = record['callId'] as string
      const indexes = waiting.get(callId)
      if (indexes === undefined) return undefined
      waiting.delete(callId)
      return each(indexes, ({ claims }) => compareOutcome(claims, record))
    },
    end() {
      const lost = all.find(({ met }) => !met)
      return (
        lost && {
          file,
          line: lost.line,
          ...finding('receipt_mismatch', 'no record has the hash that it names'),
        }
      )
    },
    save: () => ({
      met: all.flatMap(({ met }, index) => (met ? [index] : [])),
      waiting: [...waiting].flatMap(([callId, indexes]) =>
        indexes.map((index): [string, number] => [callId, index]),
      ),
    }),
  }
}
