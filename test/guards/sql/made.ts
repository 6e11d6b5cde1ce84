// SQL texts that are made: arbitrary ones for the fuzzers, and the most expensive ones that the caps let through.
import fc from 'fast-check'
import { BENIGN } from './benign.ts'
import { FAMILIES } from './families.ts'

const PIECES =
  `select from where and or not in like between union all into outfile for update share insert delete with as ( ) [ ] , . ; : :: := @ @@ @x ? $1 $$ $a$ #
-- --x /* */ /*! ' " \` \\ E' U&' N' x' 'a' "b" \`c\` 1 1.5 1e 0x1 null true case when then else end cast interval exec shutdown drop copy values table explain
lower count pg_sleep load_file xp_cmdshell || -> ->> <@ && = <> * + - / % over partition by order limit offset group having join on using recursive {{a}} \u00e9 \u02bc
\u0000 \r \f \u00a0 \ud800`.split(/[ \n]+/)

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
  columns: `SELECT ${list('abcdefghijk', 740)}`,
  casts: `SELECT 1${'::int'.repeat(299)}`,
  'casts to timestamps': `SELECT ${list('1::timestamp', 299)}`,
  functions: `SELECT ${list('lower(abc)', 290)}`,
  aliases: `SELECT ${list('abcdefg hijklmno', 490)}`,
  tables: `SELECT 1 FROM ${list('abcdefg hijklmno', 490)}`,
  joins: `SELECT 1 FROM a${' JOIN b USING (c)'.repeat(240)}`,
  'subqueries side by side': `SELECT ${list('(SELECT 1)', 290)}`,
  'subqueries in each other': `SELECT * FROM ${'(SELECT * FROM '.repeat(63)}t${') a'.repeat(63)}`,
  'conditions with OR': `SELECT 1 WHERE ${Array(150).fill('a=1').join(' OR ')}`,
  'constants with OR, nested': `SELECT 1 WHERE ${'(a = 1 OR '.repeat(62)}b = 2${')'.repeat(62)}`,
  'many NOT': `SELECT ${'NOT '.repeat(290)}a`,
  'CASE in each other': `SELECT ${'CASE WHEN a THEN '.repeat(290)}1${' END'.repeat(290)}`,
  brackets: `SELECT ${'('.repeat(64)}1${')'.repeat(64)}`,
  indexes: `SELECT a${'[1]'.repeat(490)}`,
  'a dotted name': `SELECT a${'.b'.repeat(740)}`,
  'WITH queries': `WITH ${Array.from({ length: 165 }, (_, n) => `a${n} AS (SELECT 1)`).join(', ')} SELECT 1`,
  rows: `VALUES ${list('(1)', 370)}`,
  'a list of strings': `SELECT 1 WHERE a IN (${list("'abcdefghijk'", 710)})`,
  windows: `SELECT ${list('count(*) OVER (PARTITION BY a)', 130)}`,
  'null tests': `SELECT a${' IS NULL'.repeat(290)}`,
  collations: `SELECT a${' COLLATE b'.repeat(740)}`,
  placeholders: `SELECT ${list('?', 740)}`,
  'backquoted names': `SELECT ${list('`abcdefghij`', 740)}`,
  'one string': `SELECT '${'a'.repeat(9_980)}'`,
  'one string of quotes': `SELECT '${"''".repeat(4_990)}'`,
  'one comment': `SELECT 1 /*${' a'.repeat(4_990)}*/`,
  'many comments': `SELECT ${'/* */ '.repeat(1_600)}1`,
  'open quotes': `SELECT ${"' ".repeat(4_990)}'`,
  'open comments': `SELECT ${'/* '.repeat(3_300)}`,
  dashes: `SELECT ${'- '.repeat(299)}1`,
  spaces: `SELECT${' '.repeat(9_990)}1`,
  'no statement': 'abcdef '.repeat(1_428),
}
