// Arbitraries of JSON text: unlike values they can hold what JSON.stringify never writes (duplicate names, huge literals, half surrogates).
import * as fc from 'fast-check'

/** The expected text most of the time. */
export const mostly = (
  good: fc.Arbitrary<string>,
  bad: fc.Arbitrary<string>,
  weight = 8,
): fc.Arbitrary<string> => fc.oneof({ weight, arbitrary: good }, { weight: 1, arbitrary: bad })

/** Characters that readers, loggers and parsers stumble over. */
const ODD = [
  '\u0000',
  '\u0008',
  '\u001b[31m',
  '\u007f',
  '\u0085',
  '\u00a0',
  '\u00ad',
  '\u034f',
  '\u061c',
  '\u180e',
  '\u200b',
  '\u200d',
  '\u200f',
  '\u202a',
  '\u202e',
  '\u2028',
  '\u2029',
  '\u2060',
  '\u2066',
  '\ufeff',
  '\ufff9',
  '\uffff',
  '\u{e0041}',
  '\u{10ffff}',
  '\u{1f600}',
  'e\u0301',
  '%00',
  '$&',
  '__proto__',
  'constructor',
  '</script>',
  "'; --",
]

const word = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 12 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 8 }) },
  {
    weight: 3,
    arbitrary: fc.array(fc.constantFrom(...ODD), { maxLength: 4 }).map((parts) => parts.join('')),
  },
)

const escapeAll = (text: string): string =>
  `"${text.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)}"`

/** A JSON string: plain, wholly escaped, with half a surrogate pair, or broken. */
export const rawString = (extra: readonly string[] = []): fc.Arbitrary<string> => {
  const text = extra.length === 0 ? word : fc.oneof({ weight: 3, arbitrary: word }, fc.constantFrom(...extra))
  return fc.oneof(
    { weight: 30, arbitrary: text.map((value) => JSON.stringify(value)) },
    { weight: 5, arbitrary: text.map(escapeAll) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        '"\\ud800"',
        '"\\udc00x"',
        '"\\ud83d\\ud83d\\ude00"',
        '"\\x41"',
        '"\\u12"',
        '"a\nb"',
        '"open',
      ),
    },
  )
}

const rawNumber = fc.oneof(
  { weight: 12, arbitrary: fc.integer().map(String) },
  { weight: 6, arbitrary: fc.double({ noNaN: true }).map((value) => JSON.stringify(value)) },
  fc.constantFrom(
    '1e999',
    '-1e999',
    '1e-999',
    '9007199254740993',
    '-0',
    '-0.0',
    '1.0',
    '1E3',
    '00',
    '01',
    '+1',
    '.5',
    '5.',
    '0x10',
    'NaN',
    '-Infinity',
    '1_000',
  ),
  fc.integer({ min: 17, max: 5000 }).map((digits) => '9'.repeat(digits)),
  fc.integer({ min: 18, max: 400 }).map((digits) => `0.${'123456789'.repeat(45).slice(0, digits)}`),
)

const rawWord = mostly(fc.constantFrom('null', 'true', 'false'), fc.constantFrom('undefined', 'nul', ''), 20)

/** Any JSON text, mostly valid, nested a little; `extra` strings stand among values and member names. */
export function rawValue(extra: readonly string[] = []): fc.Arbitrary<string> {
  const string = rawString(extra)
  const leaf = fc.oneof(
    { weight: 5, arbitrary: string },
    { weight: 3, arbitrary: rawNumber },
    { weight: 2, arbitrary: rawWord },
  )
  const { value } = fc.letrec<{ value: string }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      leaf,
      fc.array(tie('value'), { maxLength: 4 }).map((items) => `[${items.join(',')}]`),
      fc
        .array(fc.tuple(string, tie('value')), { maxLength: 4 })
        .map((members) => `{${members.map(([name, member]) => `${name}:${member}`).join(',')}}`),
    ),
  }))
  return fc.oneof({ weight: 40, arbitrary: value }, { weight: 1, arbitrary: deep })
}

/** Nesting around and far beyond the limit of 64, closed or not. */
export const deep = fc
  .tuple(
    fc.constantFrom<[string, string]>(['[', ']'], ['{"a":', '}'], ['[{"a":', '}]']),
    fc.constantFrom(31, 62, 63, 64, 65, 66, 200, 5000, 40_000),
    fc.boolean(),
  )
  .map(([[open, close], depth, closed]) => `${open.repeat(depth)}1${closed ? close.repeat(depth) : ''}`)

/** An object of fixed names in their order; `undefined` leaves a member out. */
export const object = (members: readonly (readonly [name: string, raw: string | undefined])[]): string =>
  `{${members
    .filter(([, raw]) => raw !== undefined)
    .map(([name, raw]) => `${JSON.stringify(name)}:${raw}`)
    .join(',')}}`

/** Mostly nothing: one in `times` has a value. */
export const rarely = <T>(arbitrary: fc.Arbitrary<T>, times: number): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: times - 1, arbitrary: fc.constant(undefined) }, arbitrary)
