// The Cypher guard lets no attack of the corpus pass, shows every honest query to read, and answers anything.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { judgeCypher } from '../../../src/admission/guards/cypher/index.ts'
import { assertBenign, assertCorpus } from '../lib/corpus.ts'
import { BENIGN } from './benign.ts'
import { FAMILIES } from './families.ts'
import { anyText, WORST } from './made.ts'

const SEED = Number(process.env['SEED'] ?? 20261122)
console.log(`# seed ${SEED}`)

const kind = (text: string, allow: 'reads' | 'any' = 'reads'): string => judgeCypher(text, { allow }).kind
const reason = (text: string): string => {
  const verdict = judgeCypher(text, { allow: 'reads' })
  return verdict.kind === 'read' ? '' : verdict.reason
}

describe('the corpus', () => {
  test('has enough families and texts, none of them twice', () => {
    assertCorpus(Object.fromEntries(FAMILIES.map(({ name, texts }) => [name, texts])))
    assertBenign(BENIGN)
  })
  for (const { name, texts } of FAMILIES)
    test(`${name}: all refused, and never shown to read where a rule allows all`, () => {
      for (const text of texts) {
        assert.equal(kind(text), 'refused', text)
        assert.notEqual(kind(text, 'any'), 'read', text)
      }
    })
  test('every honest query reads, whatever the rule', () => {
    for (const text of BENIGN) {
      assert.deepEqual(judgeCypher(text, { allow: 'reads' }), { kind: 'read' }, text)
      assert.equal(kind(text, 'any'), 'read', text)
    }
  })
})

describe('a rule that allows all', () => {
  test('leaves what writes, loads or calls to policy', () => {
    for (const text of [
      'MATCH (n) DETACH DELETE n',
      "LOAD CSV FROM 'file:///a.csv' AS row RETURN row",
      'CALL apoc.refactor.mergeNodes($nodes)',
      'RETURN own.burn(1)',
      'CREATE INDEX FOR (n:A) ON (n.b)',
    ])
      assert.equal(kind(text, 'any'), 'unproven', text)
  })
  test('still refuses what is broken or hides something', () => {
    for (const text of [
      "CREATE (n {a: 'b})",
      'CREATE (n',
      'CREATE (n); CREATE (m)',
      'CREATE (n {a: "\\u0027"})',
      'CREATE (n)\u00a0',
      'CREATE (n) /* a /* b */',
      `CREATE (n {a: '${'a'.repeat(10_000)}'})`,
    ])
      assert.equal(kind(text, 'any'), 'refused', text)
  })
})

describe('words that are names', () => {
  test('as a property, a label, a type or a key', () => {
    for (const text of [
      'MATCH (n:Set:Delete) WHERE n.create = 1 RETURN n.merge',
      'MATCH (n)-[:CREATE|:MERGE|SET]->(m) RETURN {remove: m.a, load: 2}',
      'MATCH (n {set: 1}) RETURN n {.delete}',
    ])
      assert.equal(kind(text), 'read', text)
  })
  test('anywhere else they are refused', () => {
    for (const text of [
      'MATCH (n) RETURN 1. SET n.a = 1',
      'MATCH (n) WITH n AS set RETURN set',
      'MATCH (n) RETURN n | DELETE n',
      'MATCH (set) RETURN 1',
    ])
      assert.equal(kind(text), 'refused', text)
  })
})

describe('caps', () => {
  const many = (what: string, times: number): string => Array(times).fill(what).join(', ')
  for (const [what, within, beyond] of [
    ['10,000 characters', `RETURN '${'a'.repeat(9_991)}'`, `RETURN '${'a'.repeat(9_992)}'`],
    ['1,500 tokens', `RETURN ${many('a', 750)}`, `RETURN ${many('a', 751)}`],
    ['300 operators', `RETURN a ${'+ 1 '.repeat(300)}`, `RETURN a ${'+ 1 '.repeat(301)}`],
    ['64 levels', `RETURN ${'('.repeat(64)}1${')'.repeat(64)}`, `RETURN ${'('.repeat(65)}1${')'.repeat(65)}`],
  ] as const)
    test(what, () => {
      assert.equal(kind(within), 'read')
      assert.equal(kind(beyond), 'refused')
      assert.ok(reason(beyond).endsWith(`more than ${what}`), reason(beyond))
    })
})

describe('made texts', () => {
  test('get an answer, whatever they are', () => {
    fc.assert(
      fc.property(anyText(), fc.constantFrom('reads', 'any'), (text, allow) => {
        assert.ok(['read', 'unproven', 'refused'].includes(kind(text, allow)))
        assert.ok(allow === 'any' || kind(text) !== 'unproven')
      }),
      { seed: SEED, numRuns: 3_000 },
    )
    for (const text of Object.values(WORST)) assert.ok(['read', 'refused'].includes(kind(text)))
  })
  test('a query with a clause that writes behind it is refused', () => {
    const clauses = [
      'CREATE (m)',
      'SET n.a = 1',
      'DETACH DELETE n',
      'REMOVE n.a',
      'MERGE (m)',
      'FOREACH (x IN [1] | SET n.a = x)',
    ]
    fc.assert(
      fc.property(fc.constantFrom(...BENIGN), fc.constantFrom(...clauses), (query, clause) => {
        assert.equal(kind(`${query.replace(/;$/, '')}\n${clause}`), 'refused')
      }),
      { seed: SEED, numRuns: 500 },
    )
  })
})
