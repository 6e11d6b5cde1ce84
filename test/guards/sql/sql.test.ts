// What the SQL guard can be told, where its caps are, what it says of a text, and that it answers anything.
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import fc from 'fast-check'
import { judgeSql, loadSqlParser, type SqlSettings } from '../../../src/admission/guards/sql/index.ts'
import type { TextVerdict } from '../../../src/admission/guards/verdict.ts'
import { BENIGN } from './benign.ts'
import { FAMILIES } from './families.ts'
import { anyText, WORST } from './made.ts'

const SEED = Number(process.env['SEED'] ?? 20261122)
console.log(`# seed ${SEED}`)

const judge = (text: string, settings: Partial<SqlSettings> = {}): TextVerdict => {
  const verdict = judgeSql(text, { union: false, form: 'statement', ...settings })
  assert.ok(!(verdict instanceof Promise), 'the parser is there')
  return verdict
}
const kind = (text: string, settings?: Partial<SqlSettings>): string => judge(text, settings).kind
const reason = (text: string): string => {
  const verdict = judge(text)
  return verdict.kind === 'read' ? '' : verdict.reason
}

before(async () => {
  await loadSqlParser()
})

describe('what a rule can allow', () => {
  test('UNION, of what only reads', () => {
    const text = 'SELECT a FROM b UNION ALL SELECT c FROM d'
    assert.equal(kind(text), 'refused')
    assert.equal(kind(text, { union: true }), 'read')
    assert.equal(kind('SELECT a FROM b UNION SELECT burn(c) FROM d', { union: true }), 'unproven')
    assert.equal(kind('SELECT a FROM b UNION SELECT c FROM d FOR UPDATE', { union: true }), 'refused')
  })
  test('a column or a string called union needs no rule', () => {
    for (const text of ['SELECT t.union FROM t', 'SELECT "union" FROM t', "SELECT 'union' FROM t"])
      assert.equal(kind(text), 'read', text)
  })
})

describe('an expression', () => {
  const expression = { form: 'expression' } as const
  test('reads where a query of it would', () => {
    for (const text of [
      "status = 'active'",
      'deleted_at IS NULL',
      'a > 0 -- positive',
      'lower(a) = b',
      'EXISTS (SELECT 1 FROM t)',
    ])
      assert.equal(kind(text, expression), 'read', text)
  })
  test('cannot leave its brackets', () => {
    for (const text of ['1) OR (a = 1', 'a; DROP TABLE t', 'a = 1) FROM t --', ') SELECT (1'])
      assert.equal(kind(text, expression), 'refused', text)
    for (const text of ['burn(1)', '', 'DELETE FROM t', 'a = 1, b = 2 FROM c', '*'])
      assert.equal(kind(text, expression), 'unproven', text)
  })
})

describe('a statement that changes data', () => {
  test('goes by policy; hidden in a query it is refused', () => {
    assert.equal(kind('DELETE FROM t WHERE id = 1'), 'unproven')
    assert.equal(kind('WITH a AS (SELECT 1 AS id) DELETE FROM t USING a WHERE t.id = a.id'), 'unproven')
    for (const text of [
      'WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a',
      'EXPLAIN INSERT INTO t SELECT 1',
    ])
      assert.equal(kind(text), 'unproven', text)
    assert.equal(kind('WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a'), 'refused')
  })
  test('in a dialect that the parser does not know, too', () => {
    for (const text of [
      'REPLACE INTO t VALUES (1)',
      'INSERT OR IGNORE INTO t VALUES (1)',
      'SELECT TOP 5 a FROM t',
    ])
      assert.equal(kind(text), 'unproven', text)
  })
})

describe('caps', () => {
  const many = (what: string, times: number): string => Array(times).fill(what).join(', ')
  for (const [what, within, beyond] of [
    ['10,000 characters', `SELECT '${'a'.repeat(9_991)}'`, `SELECT '${'a'.repeat(9_992)}'`],
    ['1,500 tokens', `SELECT ${many('a', 750)}`, `SELECT ${many('a', 751)}`],
    ['300 operators', `SELECT a ${'+ 1 '.repeat(300)}`, `SELECT a ${'+ 1 '.repeat(301)}`],
    ['64 levels', `SELECT ${'('.repeat(64)}1${')'.repeat(64)}`, `SELECT ${'('.repeat(65)}1${')'.repeat(65)}`],
  ] as const)
    test(what, () => {
      assert.equal(kind(within), 'read')
      assert.equal(kind(beyond), 'refused')
      assert.ok(reason(beyond).endsWith(`more than ${what}`), reason(beyond))
    })
})

describe('the reason', () => {
  test('names the function, where the name can be shown', () => {
    assert.match(reason('SELECT app.burn(1)'), /^it calls app\.burn\(\),/)
    for (const text of ['SELECT "a b"(1)', 'SELECT "<b>"(1)'])
      assert.equal(reason(text), 'it calls a function that is not in the list of those that only compute')
  })
  test('of a text that is not understood says so', () =>
    assert.equal(reason('SELECT FROM WHERE'), 'it is not in the common subset of the dialects'))
})

describe('made texts', () => {
  const kinds = ['read', 'unproven', 'refused']
  test('get an answer, whatever they are', () => {
    fc.assert(
      fc.property(
        anyText(),
        fc.boolean(),
        fc.constantFrom('statement', 'expression'),
        (text, union, form) => {
          assert.ok(kinds.includes(kind(text, { union, form })))
        },
      ),
      { seed: SEED, numRuns: 2_000 },
    )
    for (const text of Object.values(WORST)) assert.ok(kinds.includes(kind(text)))
  })
  test('a query with a second statement behind it is refused', () => {
    fc.assert(
      fc.property(fc.constantFrom(...BENIGN), anyText(), (query, more) => {
        const text = `${query.replace(/;?\s*$/, '')} ; ${more}`
        if (more.trim() !== '') assert.equal(kind(text), 'refused')
      }),
      { seed: SEED, numRuns: 300 },
    )
  })
  test('an attack stays one between brackets, behind WITH and behind a comment', () => {
    // A word alone may be a column; what begins with a quote may be a name.
    const attacks = FAMILIES.flatMap(({ texts }) => texts).filter((text) => /^[a-z(].*\s/i.test(text))
    fc.assert(
      fc.property(fc.constantFrom(...attacks), (attack) => {
        for (const text of [
          `(${attack})`,
          `WITH a AS (${attack}) SELECT * FROM a`,
          `/* a */ ${attack}`,
          `SELECT (${attack})`,
        ])
          assert.notEqual(kind(text), 'read', text)
      }),
      { seed: SEED, numRuns: 500 },
    )
  })
  test('a query is the same in capitals, with other white space and with a semicolon at its end', () => {
    for (const query of BENIGN) {
      const spaced = /['"`]|--/.test(query) ? query : query.toUpperCase().replaceAll(' ', '\n\t ')
      assert.equal(kind(spaced), 'read', spaced)
      assert.equal(kind(query.includes('--') ? query : `${query.replace(/;$/, '')} ;`), 'read', query)
    }
  })
})
