// Estimates how many tokens a language model would count in a text, by pairs of neighbouring character classes.

// The classes, as the rows and columns of COSTS.
const VOWEL = 0
const CONSONANT = 1
const UPPER = 2
const DIGIT = 3
const SPACE = 4
const CONTROL = 5
const STRUCTURE = 6
const PUNCTUATION = 7
const LATIN = 8
const GREEK = 9
const CYRILLIC = 10
const OTHER_ALPHABET = 11
const EAST_ASIAN = 12
const INDIC = 13
const SYMBOL = 14
const ASTRAL = 15
/** The rest of a character, which has been counted at its first byte. */
const CONTINUED = 16

/**
 * Hundredths of a token that a character costs after its neighbour: row = class before, column = its own. Fitted (least squares on the
 * relative error, with a floor, so that nothing is free) to o200k_base over prose in 60 languages, code, JSON, CSV, SQL, logs, ids, floats
 * and base64. What tells these apart is in the pairs: base64 is full of changes between upper, lower and digit, words are not.
 */
// biome-ignore format: a table, one class a line
const COSTS = Uint8Array.of(
    8,   5, 107,  36,   5,  28,  51,  14, 147,  25,  25,  25,  10,   5, 105, 106, // vowel
    5,   6,  61,  79,  21, 109,  30,  25,   5,  25,  25,  25,  29,   5, 143,  23, // consonant
    5, 148,  13, 185,  31,  67,  57,  50, 118,  25,  25,  25,   9,  36,  25,  25, // upper
  104, 114,  77,  38,  26,  90,  54, 107,  25,  25,  25,  25,  62,  25,  25,  25, // digit
   30,  80,   5, 123,   2, 176,  20,  44, 116,  21,  93,  21,  81,  16,  36,  24, // space
    5,   5, 124,  68, 104,   2, 138,  76,  39,  25,   5,  24,   5,  28,  38,  16, // control
   85, 101, 196,  33, 119,  34,  28,  25,  25,  25,   5,  25,   5,  40,  30,  25, // structure
   92, 141,  42,  82,  67,   5,  26,   8,  33,  25,  39,  24,  72,  30,  23,  25, // punctuation
  107, 110,  25,  25, 157,  25,  77,  48,  15,  25,  25,  25,  25,   5,  25,  25, // latin
   25,  65,  25,  25,  41,  25,  41,  24,  27,  45,  25,  25,  25,  28,  25,  25, // greek
   25,  25,  25,  25,  10,  80, 107,   5,  25,  25,  15,  24,  25,  25,  25,  25, // cyrillic
   25,  25,  25,  25,  23,  25,  23,  28,  25,  25,  25,  46,  25,  25,   5,  25, // other alphabet
   25,  34,  18,  51,   5,  94,  43,  76,  25,  25,  25,  25,  79,  25, 124,  25, // east asian
    5,   5,  25,  25,   5,  25,  17,  26,  53, 103,  25,  25,  25,  46,  24,  25, // indic
   49, 181,  53,  25,  37,  11,  25,  29,  45,  25,  25,   5, 114,  24, 104, 122, // symbol
   25,  25,  25,  25,  82,  25,  25,  25,  25,  25,  25,  25,  25,  25, 125, 208, // astral
)

const BYTE_CLASS = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x80 ? asciiClass(byte) : leadClass(byte),
)

/** A text begins as after a line feed. */
const START = CONTROL << 4

/** Bytes of a text while they are counted: most texts are short, and memory for each would cost more than the counting. */
const scratch = Buffer.alloc(16 * 1024)

/**
 * Estimated tokens of a text, given as it is or as UTF-8. Linear, about 1 ns a byte. The error against o200k_base stands in
 * docs/operate/limits.md and is held by test/limits/estimate.test.ts.
 */
export function estimateTokens(text: string | Uint8Array): number {
  if (typeof text !== 'string') return tokensOf(text, text.length)
  // Reading bytes is so much faster than reading UTF-16 units that the copy pays.
  if (text.length * 3 > scratch.length) return estimateTokens(Buffer.from(text))
  const length = scratch.write(text)
  const tokens = tokensOf(scratch, length)
  // Nothing of a call outlives it.
  scratch.fill(0, 0, length)
  return tokens
}

function tokensOf(bytes: Uint8Array, length: number): number {
  let cost = 0
  let before = START
  for (let i = 0; i < length; i++) {
    const own = BYTE_CLASS[bytes[i] as number] as number
    if (own >= CONTINUED) continue
    cost += COSTS[before | own] as number
    before = own << 4
  }
  return Math.ceil(cost / 100)
}

function asciiClass(byte: number): number {
  const character = String.fromCharCode(byte)
  if (/[aeiouy]/.test(character)) return VOWEL
  if (/[a-z]/.test(character)) return CONSONANT
  if (/[A-Z]/.test(character)) return UPPER
  if (/[0-9]/.test(character)) return DIGIT
  if (character === ' ') return SPACE
  if (byte < 0x20 || byte === 0x7f) return CONTROL
  return /["{}[\]:,]/.test(character) ? STRUCTURE : PUNCTUATION
}

/** First bytes of UTF-8 sequences (RFC 3629 3): whole blocks of Unicode. */
function leadClass(byte: number): number {
  if (byte < 0xc0) return CONTINUED
  if (byte < 0xcc) return LATIN
  if (byte < 0xd0) return GREEK
  if (byte < 0xd5) return CYRILLIC
  if (byte < 0xe0) return OTHER_ALPHABET
  if (byte < 0xe2) return INDIC
  if (byte === 0xe2) return SYMBOL
  if (byte < 0xee) return EAST_ASIAN
  return byte < 0xf0 ? SYMBOL : ASTRAL
}
