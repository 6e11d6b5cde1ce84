// The payloads that snippets are tested with: fixed hostile ones, and random ones from a printed seed.
import * as fc from 'fast-check'
import type { Json } from '../../../src/core/json.ts'

export const SEED = Number(process.env['VERIFY_SEED'] ?? 20_260_728)
export const RUNS = 2000 * Math.max(1, Number(process.env['VERIFY_RUNS'] ?? 1))

const raw = (JSON as unknown as { rawJSON(text: string): Json }).rawJSON

const HOSTILE_STRINGS = [
  '',
  '"',
  "'",
  '`',
  '\\',
  '\\"',
  '\\\\"',
  '"""',
  "'''",
  '\\u0041',
  '\\N{BULLET}',
  '\\x41',
  '\x24{process.env.HOME}',
  '{payload}',
  '%s',
  '*/',
  '/*',
  '//',
  '#',
  '<!--',
  '-->',
  '</script>',
  '\n',
  '\r\n',
  '\r',
  '\t',
  '\v\f\b',
  '\0',
  '\x1b[2J',
  '\x7f',
  '\x85',
  '\u00a0',
  '\u00ad',
  '\u2028',
  '\u2029',
  '\u200b\u200d\u200e\u200f',
  '\u202a\u202b\u202c\u202d\u202e',
  '\u2066\u2067\u2068\u2069',
  '\u061c',
  '\ufeff',
  '\ufffe\uffff',
  '\ufffd',
  '\ufe0f',
  '\u3164\uffa0\u115f',
  '\ud800',
  '\udfff',
  '\udc00\ud800',
  'a\ud83d',
  '\ude00b',
  '\u{1f600}',
  '\u{10ffff}',
  '\u{e0041}\u{e007f}',
  '\u{1d173}',
  '\u05d0\u05d1',
  '\u0627\u0644',
  '\u{10900}',
  'e\u0301',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'class',
  'await',
  'None',
  'True',
  'nonlocal',
  '0',
  '1',
  '-1',
  '01',
  '1e3',
  '4294967295',
  'a-b',
  'body:email',
  '$eq',
  '_',
  'caf\u00e9',
  '\u{1d400}',
  '\nimport os\nos.system("x")\n#',
  '"; process.exit(1); "',
  '}); process.exit(1); ({',
]

const NUMBERS = [
  0,
  -0,
  1,
  -1,
  1.5,
  -1.5,
  1e21,
  -1e21,
  1e-7,
  1e20,
  123456789012345680000,
  Number.MAX_SAFE_INTEGER,
  Number.MIN_SAFE_INTEGER,
  Number.MAX_VALUE,
  Number.MIN_VALUE,
  -Number.MIN_VALUE,
  5e-324,
  0.1,
  1 / 3,
]

const RAW_NUMBERS = [
  '123456789012345678901',
  '-123456789012345678901',
  '9007199254740993',
  '-0',
  '0.10',
  '1.0',
  '-0.0',
  '0e0',
  '1E5',
  '1e+05',
  '-1.50e-10',
  '0.1000000000000000055511151231257827',
  '1'.repeat(400),
  '9'.repeat(5000),
  `-1${'0'.repeat(4300)}`,
]

/** An array of one number, `depth` levels deep. */
function nested(depth: number): Json {
  let value: Json = [0]
  for (let level = 1; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value }
  return value
}

const PROTO_PAYLOAD = JSON.parse(
  '{"__proto__":{"__proto__":1},"input":{"__proto__":[],"constructor":null}}',
) as Json

/** Payloads that each hold every hostile thing of one kind. */
export const FIXED: readonly Json[] = [
  {},
  [],
  null,
  'text',
  -0,
  raw('123456789012345678901'),
  raw('"a raw string"'),
  raw('null'),
  { input: null },
  { input: [] },
  { input: 'text' },
  { input: raw('1.0') },
  { input: {}, meta: { dropped: true } },
  { env: 'prd', input: { env: 'dev', limit: 1 } },
  PROTO_PAYLOAD,
  HOSTILE_STRINGS,
  Object.fromEntries(HOSTILE_STRINGS.map((text) => [text, text])),
  { input: Object.fromEntries(HOSTILE_STRINGS.map((text) => [text, [text, text]])) },
  NUMBERS,
  [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1],
  RAW_NUMBERS.map(raw),
  {
    input: {
      values: Array.from({ length: 300 }, (_, i) => Math.sin(i)),
      mixed: [1, 'a', ...NUMBERS, null, [], {}],
    },
  },
  nested(63),
  nested(64),
  nested(65),
  nested(300),
  { input: nested(63) },
  { input: nested(64) },
]

const text = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...HOSTILE_STRINGS) },
  fc.array(fc.constantFrom(...HOSTILE_STRINGS), { maxLength: 6 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 })
    .map((units) => String.fromCharCode(...units)),
)

const number = fc.oneof(
  fc.constantFrom(...NUMBERS),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.constantFrom(...RAW_NUMBERS).map(raw),
  fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }).map((value) => raw(String(value))),
)

const { value } = fc.letrec<{ value: Json; array: Json[]; object: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 8, depthSize: 'small', withCrossShrink: true },
    fc.oneof(text, number, fc.boolean(), fc.constant(null)),
    tie('array'),
    tie('object'),
  ),
  array: fc.array(tie('value'), { maxLength: 6 }),
  object: fc
    .array(fc.tuple(text, tie('value')), { maxLength: 6 })
    .map((members) => Object.fromEntries(members) as Json),
}))

const NAMES = ['product', 'env', 'database', 'vector', 'session', 'cache', 'meta', 'input']

/** Anything JSON, mostly in the shape of a payload. */
export const payloads: fc.Arbitrary<Json> = fc.oneof(
  value,
  fc
    .tuple(fc.array(fc.tuple(fc.oneof(fc.constantFrom(...NAMES), text), value), { maxLength: 8 }), value)
    .map(([members, input]) => Object.fromEntries([...members, ['input', input]]) as Json),
)
