// Text that a person does not see and a model reads: invisible and bidirectional characters, controls, and the escapes of terminals.
import { type Range, type Rule, sticky } from './rule.ts'

/** UTF-16 units above ASCII that call for a look, and which rule looks. */
export const UNSEEN = new Uint8Array(0x10000)

export const UNSEEN_RULES = ['bidi', 'zero-width', 'tag', 'variation', 'control', 'soft-hyphen'] as const
type UnseenRule = (typeof UNSEEN_RULES)[number]

const mark = (rule: UnseenRule, ...ranges: readonly (readonly [number, number])[]): void => {
  for (const [first, last] of ranges) UNSEEN.fill(UNSEEN_RULES.indexOf(rule) + 1, first, last + 1)
}
mark('bidi', [0x202a, 0x202e], [0x2066, 0x2069], [0x200e, 0x200f], [0x061c, 0x061c])
mark(
  'zero-width',
  [0x200b, 0x200d],
  [0x2060, 0x2065],
  [0x206a, 0x206f],
  [0xfeff, 0xfeff],
  [0x180e, 0x180e],
  [0x115f, 0x1160],
  [0x3164, 0x3164],
)
mark('variation', [0xfe00, 0xfe0f])
// The high half of U+E0000 to U+E01EF: tags, and the variation selectors of ideographs.
mark('tag', [0xdb40, 0xdb40])
mark('control', [0x80, 0x9f])
mark('soft-hyphen', [0xad, 0xad])

const RTL = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe]/
const JOINS = /[\u0590-\u109f\u1780-\u17ff\u1800-\u18af\u1a20-\u1aaf\ua840-\ua87f]/
// In functions, because a start would pay for looking these properties up.
const isPicture = (text: string): boolean => /^[\p{Extended_Pictographic}\p{Emoji_Modifier}]/u.test(text)
const isIdeograph = (text: string): boolean => /^[\p{Ideographic}\p{Script=Mongolian}]/u.test(text)
const KEYCAP = /^[0-9#*]$/
const FLAG = 0x1f3f4
const FIRST_TAG = 0xe0000
const END_OF_TAGS = 0xe007f

/** The character that ends before this place, as a text. */
function before(text: string, at: number): string {
  const low = text.charCodeAt(at - 1)
  return low >= 0xdc00 && low <= 0xdfff ? text.slice(Math.max(0, at - 2), at) : text.charAt(at - 1)
}

const isSelector = (text: string): boolean => /^(?:[\ufe00-\ufe0f]|\udb40[\udd00-\uddef])$/.test(text)

/** What is unseen at this place and does no harm is not found: parts of emoji, of scripts that need joiners, of ideographs. */
export function findUnseen(text: string, at: number): { range: Range; rule: UnseenRule } | undefined {
  const unit = text.charCodeAt(at)
  const one = (rule: UnseenRule, length = 1) => ({ range: { from: at, to: at + length }, rule })
  const rule = UNSEEN_RULES[(UNSEEN[unit] as number) - 1]
  switch (rule) {
    case 'bidi':
      // Marks stand in right-to-left text; overrides and isolates have no place in data.
      if (unit === 0x200e || unit === 0x200f || unit === 0x061c)
        return RTL.test(text.slice(Math.max(0, at - 16), at + 16)) ? undefined : one(rule)
      return one(rule)
    case 'zero-width':
      if (unit === 0x200d || unit === 0x200c) {
        const left = before(text, at)
        if (JOINS.test(left)) return undefined
        if (unit === 0x200d && isPicture(text.slice(at + 1, at + 3)))
          return isPicture(left) || left === '\ufe0f' ? undefined : one(rule)
      }
      // A byte order mark at the beginning of a text or of a string.
      if (unit === 0xfeff && (at === 0 || text.charAt(at - 1) === '"')) return undefined
      // Fillers of Hangul stand between its letters.
      if (
        (unit === 0x115f || unit === 0x1160) &&
        /[\u1100-\u11ff]/.test(text.charAt(at + 1) + before(text, at))
      )
        return undefined
      return one(rule)
    case 'variation': {
      const left = before(text, at)
      if (isSelector(left)) return one(rule)
      if (KEYCAP.test(left)) return undefined
      return left === '' || left.charCodeAt(0) < 0x80 ? one(rule) : undefined
    }
    case 'tag':
      return tagAt(text, at)
    case 'control':
    case 'soft-hyphen':
      return one(rule)
    default:
      return undefined
  }
}

/** Tags of the longest flag, its end included. */
const MAX_FLAG = 7
const isTag = (text: string, at: number): boolean =>
  text.charCodeAt(at) === 0xdb40 && text.charCodeAt(at + 1) <= 0xdc7f

function tagAt(text: string, at: number): { range: Range; rule: UnseenRule } | undefined {
  const point = text.codePointAt(at) ?? 0
  if (point >= 0xe0100 && point <= 0xe01ef)
    return isIdeograph(before(text, at)) ? undefined : { range: { from: at, to: at + 2 }, rule: 'variation' }
  // Beyond the tags, or half of a pair.
  if (point > END_OF_TAGS || point < FIRST_TAG) return undefined
  // A whole run at once; flags of regions are a black flag, two to six tags and the end.
  let to = at
  while (isTag(text, to)) to += 2
  let start = at
  while (isTag(text, start - 2) && at - start < MAX_FLAG * 2) start -= 2
  const run = (to - start) / 2
  const isFlag = before(text, start).codePointAt(0) === FLAG && text.codePointAt(to - 2) === END_OF_TAGS
  return isFlag && run >= 3 && run <= MAX_FLAG ? undefined : { range: { from: at, to }, rule: 'tag' }
}

/** The rules of the table as rows, so that modes and names are found in one place; `find` is never asked. */
const never = (): undefined => undefined
const ESC = '\u001b'
const CONTROLS = Array.from({ length: 32 }, (_, code) => String.fromCharCode(code))
  .filter((letter) => !'\t\n\r\f\u001b'.includes(letter))
  .concat('\u007f')

export const UNSEEN_ROWS: readonly Rule[] = [
  ...UNSEEN_RULES.map(
    (id): Rule => ({
      detector: 'invisible',
      id,
      triggers: id === 'control' ? [[CONTROLS.join('')]] : [],
      find: id === 'control' ? (_, at) => ({ from: at, to: at + 1 }) : never,
      replacement: '',
      ...(id === 'soft-hyphen' && { quiet: true }),
    }),
  ),
  {
    detector: 'ansi',
    id: 'escape',
    triggers: [ESC],
    // CSI, OSC and the other strings with their ends, two-character escapes, and an escape alone (ECMA-48).
    find: sticky(
      '\\u001b(?:\\[[0-?]{0,64}[ -/]{0,8}[@-~]|[\\]P^_X][^\\u0007\\u001b"]{0,512}(?:\\u0007|\\u001b\\\\)|[ -/]{0,4}[0-~])?',
    ),
    replacement: '',
  },
]
