// Compiles the patterns of glob() and re() for an engine that runs in linear time (RE2), and refuses those that are too large for it.
import { RE2JS } from 're2js'
import type { Pattern } from './cel-meter.ts'

/** UTF-16 units. */
const MAX_LENGTH = 512
/** Instructions: what one character of the text can cost. */
const MAX_SIZE = 1000
/** Bytes of states that the engine may remember for one pattern; its own default is 8 MiB. */
const STATE_MEMORY = 128 * 1024

/** A regular expression of RE2, found anywhere in the text. A string is what is wrong with it. */
export function compileRegex(source: string): Pattern | string {
  return compile(source, 0, false)
}

/** `*` stands for any text, everything else for itself; the whole text has to match. */
export function compileGlob(source: string): Pattern | string {
  return compile(source.split('*').map(RE2JS.quote).join('.*'), RE2JS.DOTALL, true, source.length)
}

function compile(source: string, flags: number, whole: boolean, length = source.length): Pattern | string {
  if (length > MAX_LENGTH) return `a pattern has at most ${MAX_LENGTH} characters`
  try {
    const compiled = RE2JS.compile(source, flags)
    const size = compiled.programSize()
    if (size > MAX_SIZE) return 'the pattern is too large: fewer or smaller repetitions, please'
    const { dfa } = compiled.re2()
    dfa.stateBudget = STATE_MEMORY
    dfa.memBudget = STATE_MEMORY
    return { size, test: (text) => (whole ? compiled.testExact(text) : compiled.test(text)) }
  } catch {
    // Syntax that RE2 does not have: back-references, lookaround, nested quantifiers.
    return 'the pattern is no regular expression of RE2 (no back-references, no lookaround)'
  }
}
