// Undoes the escapes of a JSON text and keeps the way back, so that rules see strings as they are and a replacement stands where its text stood.

export interface Flat {
  readonly text: string
  /** The place in the source of a place in the text. */
  rawOf(at: number): number
}

const HEX4 = /^[\da-fA-F]{4}$/
const LETTERS: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  '"': '"',
  '\\': '\\',
  '/': '/',
}

/** Characters of source that are undone before others get their turn. */
const SLICE = 64 * 1024

/** Yields between slices; what it returns is the whole. */
export function* flatten(source: string): Generator<void, Flat> {
  const pieces: string[] = []
  /** Where, in the text and in the source, what follows an escape begins. */
  const flatAt: number[] = [0]
  const rawAt: number[] = [0]
  let length = 0
  let from = 0
  let pause = SLICE
  for (let slash = source.indexOf('\\'); slash >= 0; slash = source.indexOf('\\', from)) {
    const letter = source.charAt(slash + 1)
    const hex = letter === 'u' ? source.slice(slash + 2, slash + 6) : ''
    const plain = HEX4.test(hex) ? String.fromCharCode(Number.parseInt(hex, 16)) : (LETTERS[letter] ?? '\\')
    pieces.push(source.slice(from, slash), plain)
    length += slash - from + 1
    // A text that is no JSON can hold a backslash that begins nothing.
    from = slash + (letter === 'u' && HEX4.test(hex) ? 6 : LETTERS[letter] === undefined ? 1 : 2)
    flatAt.push(length)
    rawAt.push(from)
    if (from > pause) {
      yield
      pause = from + SLICE
    }
  }
  pieces.push(source.slice(from))
  return {
    text: pieces.join(''),
    rawOf(at) {
      let low = 0
      let high = flatAt.length - 1
      while (low < high) {
        const middle = (low + high + 1) >> 1
        if ((flatAt[middle] as number) <= at) low = middle
        else high = middle - 1
      }
      return (rawAt[low] as number) + at - (flatAt[low] as number)
    },
  }
}
