// Gives mutations to the verifier from the line that each one touches on, with the state that stood before it.
import { createLineCutter } from '../../../src/audit/verify/lines.ts'
import { copyState, createVerifier, type VerifierState } from '../../../src/audit/verify/verifier.ts'
import { readWitness, type Witness } from '../../../src/audit/verify/witness.ts'
import { trustOf } from '../verify/judge.ts'
import type { Mutation, Segment } from './mutate.ts'
import { KEYS } from './vector.ts'

export interface Verdict {
  /** `ok` = it verifies. */
  readonly code: string
  readonly line: number | undefined
}

/** The whole segment has to verify, or nothing that is found in a mutation means anything. */
export function prepareRefusal(segment: Segment): (mutation: Mutation) => Verdict {
  const trust = trustOf({ keys: KEYS })
  const witness = readWitness(segment.witness, trust) as Witness
  /** The state before each line. */
  const states: VerifierState[] = []
  const whole = createVerifier({ trust, witness })
  for (const [i, line] of segment.lines.entries()) {
    states.push(copyState(whole.state))
    const found = whole.take(Buffer.from(line), { file: '', line: i + 1 })
    if (found !== undefined) throw new Error(`the segment is bad at line ${i + 1}: ${found.code}`)
  }
  const end = whole.end()
  if (end !== undefined) throw new Error(`the segment is bad: ${end.code}`)

  return ({ bytes, from, to }) => {
    const first = lineAt(segment, from)
    const verifier = createVerifier({ trust, witness }, copyState(states[first] as VerifierState))
    let verdict: Verdict | undefined
    const take =
      (check: typeof verifier.take) =>
      (line: Buffer, number: number): void => {
        if (verdict !== undefined) return
        const found = check(line, { file: '', line: first + number })
        if (found !== undefined) verdict = { code: found.code, line: found.line }
      }
    const cutter = createLineCutter({ line: take(verifier.take), rest: take(verifier.rest) })
    cutter.feed(segment.bytes.subarray(segment.starts[first], from))
    cutter.feed(bytes)
    // Line by line: most are refused at the first.
    for (let at = to; at < segment.bytes.length && verdict === undefined; at += 1024)
      cutter.feed(segment.bytes.subarray(at, at + 1024))
    if (verdict === undefined) cutter.end()
    return verdict ?? { code: verifier.end()?.code ?? 'ok', line: undefined }
  }
}

/** Index of the line in which a byte stands. */
function lineAt({ lines, starts }: Segment, byte: number): number {
  let low = 0
  let high = lines.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((starts[middle] as number) <= byte) low = middle
    else high = middle - 1
  }
  return low
}
