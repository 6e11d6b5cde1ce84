// Cypher texts that are made: arbitrary ones for the fuzzers, and the most expensive ones that the caps let through.
import fc from 'fast-check'
import { BENIGN } from './benign.ts'
import { FAMILIES } from './families.ts'

const PIECES =
  `match optional where return with unwind call create merge set delete detach remove foreach load csv use union exists count ( ) [ ] { } , . ; : | & ! $p $
-- --> <-- - > = <> =~ + * / // /* */ ' " \` \\ \\u0027 'a' "b" \`c\` 1 1.5 1. .. null true or and not in case when then else end db.labels apoc.load.json size( n n.a
:A # @ { } \u00e9 \u0000 \r \f \u00a0 \ud800`.split(/[ \n]+/)

const pieces = (): fc.Arbitrary<string> =>
  fc
    .array(fc.tuple(fc.constantFrom(...PIECES), fc.constantFrom(' ', ' ', ' ', '', '\n', '\r\n', '\t')), {
      maxLength: 60,
    })
    .map((parts) => parts.flat().join(''))

/** A known text with something cut out, put in or taken from another one. */
const mutated = (): fc.Arbitrary<string> => {
  const known = [...BENIGN, ...FAMILIES.flatMap(({ texts }) => texts)]
  return fc
    .tuple(
      fc.constantFrom(...known),
      fc.constantFrom(...known),
      fc.nat(),
      fc.nat(),
      fc.constantFrom(...PIECES),
    )
    .map(([a, b, at, from, piece]) => {
      const cut = at % (a.length + 1)
      return `${a.slice(0, cut)}${piece}${b.slice(from % (b.length + 1))}`
    })
}

export const anyText = (): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 200 }) },
    { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 200 }) },
    { weight: 4, arbitrary: pieces() },
    { weight: 4, arbitrary: mutated() },
  )

const list = (what: string, times: number): string => Array(times).fill(what).join(',')

/** Each just within the caps: 10,000 characters, 1,500 tokens, 300 operators, nesting 64. */
export const WORST: Readonly<Record<string, string>> = {
  properties: `MATCH (n) RETURN ${list('n.abcdefg', 370)}`,
  functions: `MATCH (n) RETURN ${list('size(n.a)', 210)}`,
  'a dotted name': `MATCH (n) RETURN n${'.b'.repeat(740)}`,
  'dotted names that end in a bracket': `RETURN ${list('date.truncate()', 180)}`,
  'one long dotted name that is called': `RETURN a${'.b'.repeat(740)}()`,
  patterns: `MATCH (a)${'-->(b)'.repeat(98)} RETURN a`,
  'subqueries in each other': `${'CALL { '.repeat(63)}RETURN 1 AS a${' }'.repeat(63)} RETURN a`,
  brackets: `RETURN ${'('.repeat(64)}1${')'.repeat(64)}`,
  lists: `RETURN ${'['.repeat(64)}${']'.repeat(64)}`,
  'conditions with OR': `MATCH (n) WHERE n.a = 1${' OR n.a = 1'.repeat(145)} RETURN n`,
  'OR and open brackets': `MATCH (n) WHERE n.a ${`OR ${'NOT '.repeat(60)}`.repeat(4)} n.b RETURN n`,
  'a list of strings': `RETURN [${list("'abcdefghij'", 700)}]`,
  'backquoted names': `MATCH (n) RETURN ${list('n.`abcdefg`', 370)}`,
  'one string': `RETURN '${'a'.repeat(9_980)}'`,
  'one string of escapes': `RETURN '${'\\n'.repeat(4_990)}'`,
  'one backquoted name': `RETURN \`${'``'.repeat(4_990)}\``,
  'backquotes without an end': `RETURN \`${'``'.repeat(4_990)}`,
  'one comment': `RETURN 1 /*${' a'.repeat(4_980)}*/`,
  'many comments': `RETURN ${'/* */ '.repeat(1_600)}1`,
  'open comments': `RETURN ${'/* '.repeat(3_300)}`,
  spaces: `RETURN${' '.repeat(9_990)}1`,
  words: `RETURN ${'abcdef '.repeat(1_420)}`,
}
