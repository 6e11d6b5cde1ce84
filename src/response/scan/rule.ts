// What a rule of the scan is: the texts that call for it, and how it looks at the place where one stands.
import type { ScanNote } from '../../core/call.ts'

export type Detector = ScanNote['detector']
export type Action = ScanNote['action']

/** A piece of the text: `from` up to `to`. */
export interface Range {
  readonly from: number
  readonly to: number
}

/** A character of a trigger: one of these. */
export type Letters = string

export interface Rule {
  readonly detector: Detector
  readonly id: string
  /** What calls for a look: each a text, or a list of sets of which every character is one. ASCII only. */
  readonly triggers: readonly (string | readonly Letters[])[]
  /** Triggers stand for both cases. */
  readonly anyCase?: boolean
  /** Looks at a trigger that begins at `at`; what it gives is what is replaced. */
  find(text: string, at: number): Range | undefined
  /** In place of `find`, for the operator's rules: everything in the text around a trigger. */
  search?: (text: string) => Iterable<Range>
  /** A more exact rule of the same detector takes its place. */
  readonly generic?: boolean
  /** Off unless the operator names it: too common in ordinary answers. */
  readonly quiet?: boolean
  /** What stands in its place; `[REDACTED]` where it is left out. */
  readonly replacement?: string
}

/** Further judgement of what a pattern has matched: `secret` is the piece that would be replaced. */
export type Check = (secret: string, match: string) => boolean

/**
 * A look with an expression that has to match at the trigger. Its one group, where it has one, is what is replaced and stands at the end.
 * Linear: repetitions are bounded, or the character before the match may not be one of those that it repeats (test/scan/linear.test.ts).
 */
export function sticky(source: string, flags = '', check?: Check): Rule['find'] {
  let pattern: RegExp | undefined
  return (text, at) => {
    // Made at the first look: a start would wait for all of them.
    pattern ??= new RegExp(source, `y${flags}`)
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match === null) return undefined
    const secret = match[1] ?? match[0]
    if (check !== undefined && !check(secret, match[0])) return undefined
    const to = at + match[0].length
    return { from: to - secret.length, to }
  }
}

/** Bits for each character, by how often each occurs. */
export function entropy(text: string): number {
  const counts = new Map<string, number>()
  for (const letter of text) counts.set(letter, (counts.get(letter) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length)
  return bits
}
