// Replaces findings in a JSON text so that it stays one: other bytes stay as they are, and numbers keep their digits.
import { REDACTED } from '../../core/text.ts'
import type { Finding } from './look.ts'

/** Ranges after which others get their turn, and what was written of them is put together. */
const SLICE = 8192

/** `rawOf`: from a place in the text that was looked through to one in the source. Yields between slices. */
export function* replaceIn(
  source: string,
  findings: readonly Finding[],
  rawOf: (at: number) => number,
): Generator<void, string> {
  const ranges = yield* inOrder(findings)
  const strings = stringsOf(source)
  let text = ''
  let pieces: string[] = []
  let done = 0
  for (const { from: flatFrom, to: flatTo, rule } of ranges) {
    if (pieces.length > SLICE * 2) {
      text += pieces.join('')
      pieces = []
      yield
    }
    const from = rawOf(flatFrom)
    const to = rawOf(flatTo)
    const by = rule.replacement ?? REDACTED
    if (to <= done) continue
    const start = Math.max(from, done)
    const inside = strings.isInside(start)
    // A finding that goes on past its string would take the quotes with it.
    const end = inside ? Math.min(to, strings.endOf(start)) : to
    pieces.push(source.slice(done, start), inside ? by : JSON.stringify(by))
    done = end
  }
  return text + pieces.join('') + source.slice(done)
}

/** Most come in order, and a sort of many would hold others up. */
function* inOrder(findings: readonly Finding[]): Generator<void, readonly Finding[]> {
  let last: Finding | undefined
  let work = 0
  for (const one of findings) {
    if (++work % SLICE === 0) yield
    if (last !== undefined && one.from < last.from)
      return findings.toSorted((a, b) => a.from - b.from || b.to - a.to)
    last = one
  }
  return findings
}

interface Strings {
  isInside(at: number): boolean
  /** Of the string that this place is in: where its closing quote stands. */
  endOf(at: number): number
}

/** Goes through the quotes of a JSON text once; places have to be asked for in order. */
function stringsOf(source: string): Strings {
  let open = -1
  let close = -1
  const goTo = (at: number): void => {
    while (close < at) {
      open = source.indexOf('"', close + 1)
      if (open < 0) {
        open = source.length
        close = source.length
        return
      }
      close = closingQuote(source, open + 1)
    }
  }
  return {
    isInside(at) {
      goTo(at)
      return open < at && at <= close && close < source.length
    },
    endOf(at) {
      goTo(at)
      return close
    },
  }
}

/** Where the string ends in which this place stands. */
export function closingQuote(source: string, from: number): number {
  for (let quote = source.indexOf('"', from); quote >= 0; quote = source.indexOf('"', quote + 1)) {
    let slashes = 0
    while (source.charCodeAt(quote - 1 - slashes) === 0x5c) slashes++
    if (slashes % 2 === 0) return quote
  }
  return source.length
}
