// Expressions and patterns that are known to be catastrophic somewhere: for backtracking engines, for evaluators without a cost limit, for parsers.
import type { Json } from '../../../src/core/json.ts'

/** A pattern that RE2 can run, and the text that a backtracking engine dies of; `n` is its length, roughly. */
export const LINEAR_PATTERNS: [string, (n: number) => string][] = [
  // Star of star, star of alternatives that overlap (OWASP, "Regular expression Denial of Service").
  ['^(a+)+$', (n) => `${'a'.repeat(n)}!`],
  ['^([a-zA-Z]+)*$', (n) => `${'a'.repeat(n)}!`],
  ['^(a|aa)+$', (n) => `${'a'.repeat(n)}!`],
  ['^(a|a?)+$', (n) => `${'a'.repeat(n)}!`],
  ['^(.*a){11}$', (n) => `${'a'.repeat(n)}!`],
  ['^(([a-z])+.)+[A-Z]([a-z])+$', (n) => 'a'.repeat(n)],
  [
    '^([a-zA-Z0-9])(([\\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|([a-z]{2,3}[.]{1}[a-z]{2,3}))$',
    (n) => `${'a'.repeat(n)}!`,
  ],
  ['(x+x+)+y', (n) => 'x'.repeat(n)],
  ['^(\\d+)*$', (n) => `${'1'.repeat(n)}x`],
  ['([0-9]+)*x$', (n) => '1'.repeat(n)],
  ['^(\\w+\\s?)+$', (n) => `${'a '.repeat(n / 2)}!`],
  ['^(?:a+){1,}b$', (n) => 'a'.repeat(n)],
  ['^((a*)*)*b', (n) => 'a'.repeat(n)],
  ['^((a+)|b)*c', (n) => 'ab'.repeat(n / 2)],
  // Counted optionals (Cox, "Regular Expression Matching Can Be Simple And Fast").
  ['^(a?){30}a{30}$', (n) => 'a'.repeat(n)],
  ['(a{1,30}){1,15}b', (n) => 'a'.repeat(n)],
  ['(a|b)*a(a|b){12}c', (n) => 'ab'.repeat(n / 2)],
  // Polynomial ones.
  ['a*a*a*a*a*a*a*a*a*a*b', (n) => 'a'.repeat(n)],
  ['^.*?.*?.*?=.*=.*$', (n) => '='.repeat(n)],
  ['(.*)(.*)(.*)(.*)(.*)[^a]$', (n) => 'a'.repeat(n)],
  ['\\s+$', (n) => `${' '.repeat(n)}x`],
  // Outages and advisories: Stack Overflow 2016, Cloudflare 2019, and packages.
  ['^[\\s\u200c]+|[\\s\u200c]+$', (n) => `-- ${' '.repeat(n)}x`],
  [
    '(?:(?:"|\'|\\]|\\}|\\\\|\\d|(?:nan|infinity|true|false|null|undefined|symbol|math)|`|-|\\+)+[)]*;?((?:\\s|-|~|!|{}|\\|\\||\\+)*.*(?:.*=.*)))',
    (n) => `1=${'='.repeat(n)}`,
  ],
  ['^((?:\\d+)?\\.?\\d+) *(ms|seconds?|s|minutes?|m|hours?|h|days?|d)?$', (n) => `${'5'.repeat(n)} min`],
  ['^ *(#{1,6}) *([^\\n]+?) *#* *(?:\\n|$)', (n) => `# ${' '.repeat(n)}\\x`],
  ['(([^,]*),)*x$', (n) => ','.repeat(n)],
  ['<(\\w+)(\\s+\\w+="[^"]*")*\\s*>$', (n) => `<a${' b="c"'.repeat(n / 6)}`],
  ['^(https?://)?([\\da-z.-]+)\\.([a-z.]{2,6})([/\\w .-]*)*/?$', (n) => `a.${'b'.repeat(n)}!`],
  ['\\b(?:\\w+\\W+)+end\\b', (n) => 'a '.repeat(n / 2)],
  ['^rgba?\\(\\s*(?:\\d+\\s*,?\\s*)+\\)$', (n) => `rgb(${'1'.repeat(n)}`],
  ['(\\s*)+x$', (n) => ' '.repeat(n)],
  ['^(([a-z0-9]+-)*[a-z0-9]+\\.)+[a-z]+$', (n) => `${'a-'.repeat(n / 2)}!`],
  ['(?i)^(\\pL+\\s*)+$', (n) => `${'é '.repeat(n / 2)}!`],
]

/** Patterns that are refused: RE2 cannot run them, or they are too large. */
export const REFUSED_PATTERNS: string[] = [
  '(\\w+)\\1',
  '^(?=(a+))\\1b$',
  '^(?!.*a).*$',
  '(?<=a)b',
  '(?<!a)b',
  '(?>a+)b',
  '(?R)',
  '(?(1)a|b)',
  'a**',
  '(a',
  'a{1001}',
  '(a{1000}){1000}',
  '((a{100}){100}){100}',
  '(((a{30}){30}){30}){30}',
  'a{1000}a{1000}',
  '(?:[a-z]{500}){2}',
  '(?i)\\pL{999}\\pL{999}',
  '(x{1,400}y{1,400}z{1,400})',
  '(?z)a',
  '\\C',
  'a'.repeat(513),
]

/** Conditions that are refused when they are compiled. */
export const REFUSED: string[] = [
  // Loops in loops.
  'args.l.all(x, args.l.all(y, x != y))',
  'args.l.exists(x, x.exists(y, y == 1))',
  'args.l.map(x, args.l.map(y, x)).size() == 1',
  'args.l.filter(x, args.l.filter(y, y == x).size() > 1).size() == 0',
  'args.l.all(x, size(args.l.filter(y, y > x)) < 3)',
  'args.l.exists_one(x, [x].exists(y, y == 1))',
  '[1].map(x, [2].map(y, [3].map(z, [x, y, z]))).size() == 1',
  // More loops than may follow each other.
  `args.l${'.map(x, x)'.repeat(9)}.size() == 1`,
  // Doubling by a name.
  'cel.bind(a, args.s + args.s, cel.bind(b, a + a, cel.bind(c, b + b, c + c == "x")))',
  // Backtracking in the library, and what hides a pattern from the check.
  'args.s.matches("(a+)+$")',
  'args.s.matches(args.p)',
  'matches(args.s, "(a+)+$")',
  're(args.s, args.p)',
  're(args.s, "(a+" + ")+$")',
  're(args.s, string("(a+)+$"))',
  're(args.s, true ? "(a+)+$" : "")',
  'glob(args.s, args.p)',
  // Deep nesting.
  `${'('.repeat(2000)}true${')'.repeat(2000)}`,
  `${'!'.repeat(4000)}true`,
  `${'-'.repeat(4000)}1 == 1`,
  `${'['.repeat(1000)}${']'.repeat(1000)} == []`,
  `${'{"a":'.repeat(700)}1${'}'.repeat(700)} == {}`,
  `args${'.a'.repeat(1900)} == 1`,
  `args${'[0]'.repeat(1300)} == 1`,
  `${'true ? '.repeat(570)}true${' : true'.repeat(5)}`,
  `${'size('.repeat(700)}"a"${')'.repeat(700)} == 1`,
  `${'has('.repeat(700)}args.a${')'.repeat(700)}`,
  // Large ones.
  `args.s == "${'a'.repeat(5000)}"`,
  `args.n == ${'9'.repeat(4000)}`,
  `args.n == 0x${'f'.repeat(4000)}`,
  `args.n in [${'1,'.repeat(1500)}1]`,
  `${'true || '.repeat(500)}true`,
  `{${Array.from({ length: 300 }, (_, index) => `"k${index}":1`).join(',')}} == args.m`,
  `args.n == 1${'+1'.repeat(1500)}`,
  `args.s == ${'"a"+'.repeat(600)}"a"`,
  'size(args.a, args.b, args.c, args.d, args.e) == 1',
  // Functions that cost what nobody can see.
  'duration(args.s) > duration("1s")',
  'timestamp(args.s).getHours(args.tz) == 1',
  'bytes(args.s).json() == {}',
  'args.s.split("").size() == 1',
  'args.l.join(",") == ""',
  'args.s.indexOf(args.t) == 1',
]

const long = (n: number): string => 'a'.repeat(n)
const numbers = (n: number): Json => Array.from({ length: n }, (_, index) => index % 10)
const texts = (n: number): Json => Array.from({ length: n }, (_, index) => `k${index}`)

/** Conditions whose work grows with the arguments and no faster. */
export const LINEAR: [string, (n: number) => Json][] = [
  ['args.l.exists(x, x == 99)', (n) => ({ l: numbers(n) })],
  ['args.l.all(x, x >= 0 && x < 99 || x == 7)', (n) => ({ l: numbers(n) })],
  ['args.l.exists(x, x.a == 1)', (n) => ({ l: numbers(n) })],
  ['args.l.all(x, x.a == 1 || x.b == 2)', (n) => ({ l: numbers(n) })],
  ['args.l.exists(x, x[?3].hasValue())', (n) => ({ l: Array.from({ length: n }, () => []) })],
  ['args.l.map(x, x * 2.0).filter(x, x > 3.0).exists(x, x == 99.0)', (n) => ({ l: numbers(n) })],
  ['args.l.map(x, [x, x]).size() == 1', (n) => ({ l: numbers(n) })],
  [
    'args.m.exists(k, k == "zz")',
    (n) => ({ m: Object.fromEntries((texts(n) as string[]).map((key) => [key, 1])) }),
  ],
  ['args.l.exists(x, x in ["a", "b", "c"])', (n) => ({ l: texts(n) })],
  ['args.l.exists(x, glob(x, "z*"))', (n) => ({ l: texts(n) })],
  ['args.l.exists(x, re(x, "^(z+)+$"))', (n) => ({ l: texts(n) })],
  ['args.l == args.k', (n) => ({ l: texts(n), k: texts(n) })],
  ['"zz" in args.l', (n) => ({ l: texts(n) })],
  ['[1] in args.l', (n) => ({ l: Array.from({ length: n }, () => [2]) })],
  ['args.l + args.l == [1]', (n) => ({ l: numbers(n) })],
  ['args.s + args.s + args.s == "x"', (n) => ({ s: long(n) })],
  ['args.s.contains("ab")', (n) => ({ s: long(n) })],
  ['size(args.s) == 1 || args.s.lowerAscii() == "x" || args.s.trim() == ""', (n) => ({ s: long(n) })],
  ['double(args.s) == 1.0 || true', (n) => ({ s: '1'.repeat(n) })],
  [`args.s.startsWith("b")${' || args.s == "x"'.repeat(60)}`, (n) => ({ s: long(n) })],
]

const big = long(30_000)
/** Conditions whose work would grow faster: they end at the budget, with arguments of up to 64 KiB. */
export const ENDED: [string, Json][] = [
  ['args.l.exists(x, x in args.l + ["zz"] && x == "zz")', { l: texts(6000) }],
  ['args.l.all(x, args.l == args.k)', { l: texts(3000), k: texts(3000) }],
  [
    'args.l.map(x, args.l).exists(x, x == args.k)',
    { l: texts(3000), k: [...(texts(2999) as string[]), 'zz'] },
  ],
  ['args.l.map(x, args.l) == args.l.map(x, args.k)', { l: texts(3000), k: texts(3000) }],
  ['args.l.all(x, size(args.s) > 1)', { l: numbers(10_000), s: big }],
  ['args.l.all(x, args.s.lowerAscii() != "x")', { l: numbers(10_000), s: big }],
  ['args.l.all(x, args.s + "a" != args.s)', { l: numbers(10_000), s: big }],
  [
    `args.l.all(x, args.s != args.t${' && args.s != args.t'.repeat(5)})`,
    { l: numbers(9000), s: long(22_000), t: `${long(21_999)}b` },
  ],
  ['args.l.all(x, !args.s.contains("bcd"))', { l: numbers(15_000), s: big }],
  ['args.l.all(x, !re(args.s, "(a+)+b"))', { l: numbers(10_000), s: big }],
  ['args.l.all(x, !glob(args.s, "*a*a*a*b"))', { l: numbers(10_000), s: big }],
  ['args.l.all(x, args.s in ["b", "c"] || x >= 0.0 && size(args.s) > 0)', { l: numbers(10_000), s: big }],
  // The native search of one string in another is quadratic in its worst case.
  ['args.s.contains(args.t)', { s: 'a'.repeat(40_000), t: `${'a'.repeat(10_000)}b${'a'.repeat(10_000)}` }],
  ['!re(args.s, "^(a?){150}a{150}$")', { s: 'a'.repeat(60_000) }],
  // Doubling by one loop after the other.
  [`[args.s]${'.map(x, x + x)'.repeat(8)} == [""]`, { s: long(60_000) }],
  [`[args.l]${'.map(x, x + x)'.repeat(8)} == [[""]]`, { l: texts(5000) }],
  [
    `[args.l]${'.map(x, [x, x, x, x, x, x, x, x])'.repeat(4)}.exists(x, x == args.k) || [args.l]${'.map(x, [x, x, x, x, x, x, x, x])'.repeat(2)}.exists(x, x == args.k)`,
    { l: texts(5000), k: [1] },
  ],
]
