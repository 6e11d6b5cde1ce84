// Spells a line another way that means the same to a lenient reader: spaces, escapes, numbers, order, repetition, base64.
import { jcs } from './builder.ts'
import type { Random } from './mutate.ts'

type Respell = (line: string, random: Random) => string | undefined

/** Replaces one of the matches, chosen at random. */
const one =
  (pattern: RegExp, replace: (text: string, random: Random) => string): Respell =>
  (line, random) => {
    const found = [...line.matchAll(pattern)]
    const match = found[found.length === 0 ? 0 : random(found.length)]
    if (match === undefined) return undefined
    return line.slice(0, match.index) + replace(match[0], random) + line.slice(match.index + match[0].length)
  }

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const hex = (character: string): string => character.charCodeAt(0).toString(16).padStart(4, '0')
const SPACES = [' ', '\t', '\r', '  ']

const SPELLINGS: readonly Respell[] = [
  one(/[:,{}[\]]/g, (text, random) => text + SPACES[random(SPACES.length)]),
  one(/[:,{}[\]]/g, (text, random) => SPACES[random(SPACES.length)] + text),
  // A letter inside quotes: of a name or a value.
  one(/(?<=")[A-Za-z]/g, (text) => `\\u${hex(text)}`),
  one(/(?<=")[A-Za-z]/g, (text) => `\\u${hex(text).toUpperCase()}`),
  one(/\//g, () => '\\/'),
  one(/(?<=[:,])\d+(?=[,}])/g, (text) => `${text}.0`),
  one(/(?<=[:,])\d+(?=[,}])/g, (text) => `${text}e0`),
  one(/(?<=[:,])\d+(?=[,}])/g, (text) => `${text}0E-1`),
  one(/(?<=[:,])\d+(?=[,}])/g, (text) => `+${text}`),
  one(/(?<=[:,])\d+(?=[,}])/g, (text) => `0${text}`),
  one(/(?<=[:,])0(?=[,}])/g, () => '-0'),
  one(/"[a-z]+":(?:"[^"]*"|\d+|true|false)/gi, (text) => `${text},${text}`),
  one(/"[a-z]+":(?:"[^"]*"|\d+|true|false),"[a-z]+":(?:"[^"]*"|\d+|true|false)/gi, (text) => {
    const [first, second] = text.split(/,(?=")/) as [string, string]
    return `${second},${first}`
  }),
  // 43 and 86 characters hold 2 and 4 bits more than a hash and a signature.
  one(/(?<=[".])[\w-]{43}(?=")/g, spareBits(4)),
  one(/(?<=\.)[\w-]{86}(?=")/g, spareBits(16)),
  one(/(?<=[".])[\w-]{43}(?=")/g, (text) => `${text}=`),
  one(/[-_](?=[\w-]*")/g, (text) => (text === '-' ? '+' : '/')),
  (line) => `\ufeff${line}`,
  (line) => jcs([JSON.parse(line)]),
]

/** Sets the bits that nobody reads, of the last character. */
function spareBits(values: number): (text: string, random: Random) => string {
  return (text, random) => {
    const last = ALPHABET.indexOf(text.at(-1) as string)
    return text.slice(0, -1) + (ALPHABET[last - (last % values) + 1 + random(values - 1)] as string)
  }
}

export function respelt(line: string, random: Random): Buffer {
  for (;;) {
    const spelling = SPELLINGS[random(SPELLINGS.length)] as Respell
    const text = spelling(line, random)
    if (text !== undefined && text !== line) return Buffer.from(text)
  }
}
