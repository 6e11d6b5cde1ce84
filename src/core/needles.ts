// Finds which of thousands of texts stand in another one, in a time that hardly depends on how many there are.

/** Shortest text that can be looked for. */
const MIN_NEEDLE = 12
/** Characters that are compared first. */
const PIECE = 4
/** Each needle is known by this many pieces; wherever it stands, one of them begins at a multiple of this, and only there the text is looked at. */
const STRIDE = MIN_NEEDLE - PIECE + 1

/** Prepares needles of at least 12 characters; the answer is those that stand in a text, in the order in which they were given. */
export function prepareNeedles(needles: readonly string[]): (text: string) => readonly string[] {
  // A table of hashes with a list of pieces at each: piece `n` is number `n % STRIDE` of the needle `n / STRIDE`, counted from 1 because 0 ends a list.
  const bits = 3 + Math.ceil(Math.log2(needles.length * STRIDE + STRIDE))
  const first = new Int32Array(2 ** bits)
  const next = new Int32Array(needles.length * STRIDE + 1)
  const hashAt = (text: string, at: number): number =>
    Math.imul(pieceAt(text, at), 0x9e3779b1) >>> (32 - bits)

  for (const [needle, text] of needles.entries()) {
    if (text.length < MIN_NEEDLE) throw new RangeError(`a needle has fewer than ${MIN_NEEDLE} characters`)
    for (let n = 0; n < STRIDE; n++) {
      const piece = needle * STRIDE + n + 1
      // The end of a key is random, its beginning is the same for many.
      const hash = hashAt(text, text.length - MIN_NEEDLE + n)
      next[piece] = first[hash] as number
      first[hash] = piece
    }
  }

  return (text) => {
    let found: Set<number> | undefined
    for (let at = 0; at <= text.length - PIECE; at += STRIDE) {
      let piece = first[hashAt(text, at)] as number
      for (; piece !== 0; piece = next[piece] as number) {
        const index = Math.floor((piece - 1) / STRIDE)
        const needle = needles[index] as string
        const start = at - (needle.length - MIN_NEEDLE + ((piece - 1) % STRIDE))
        // A negative position would count as 0.
        if (start < 0 || !text.startsWith(needle, start)) continue
        found ??= new Set()
        found.add(index)
      }
    }
    if (found === undefined) return NONE
    return [...found].sort((a, b) => a - b).map((index) => needles[index] as string)
  }
}

const NONE: readonly string[] = Object.freeze([])

/** One number for four characters of ASCII; others may share theirs, so a comparison of the whole has to follow. */
const pieceAt = (text: string, at: number): number =>
  (text.charCodeAt(at) << 21) ^
  (text.charCodeAt(at + 1) << 14) ^
  (text.charCodeAt(at + 2) << 7) ^
  text.charCodeAt(at + 3)
