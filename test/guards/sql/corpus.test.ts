// The SQL guard lets no attack of the corpus pass for a query that reads, and proves every honest query.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { judgeSql, type SqlSettings } from '../../../src/admission/guards/sql/index.ts'
import { assertBenign, assertCorpus } from '../lib/corpus.ts'
import { BENIGN } from './benign.ts'
import { FAMILIES } from './families.ts'

const DEFAULT: SqlSettings = { union: false, form: 'statement' }
const SEEDS = FAMILIES[0]?.texts ?? []

describe('the corpus', () => {
  test('has enough families and texts, none of them twice', () => {
    assertCorpus(Object.fromEntries(FAMILIES.map(({ name, texts }) => [name, texts])))
    assertBenign(BENIGN)
  })

  // The lists of seed 002 (SQLQueryInput) and of seed 004, 6.2, as they stand there.
  const patterns = [
    /;\s*(DROP|ALTER|TRUNCATE|DELETE|UPDATE|INSERT|CREATE|GRANT|REVOKE)/i,
    /UNION\s+SELECT/i,
    /INTO\s+OUTFILE/i,
    /LOAD_FILE\s*\(/i,
    /xp_cmdshell/i,
    ...['DROP', 'DELETE', 'INSERT', 'UPDATE', 'ALTER', 'TRUNCATE'].map((word) => new RegExp(`^${word}`)),
    ...['DROP', 'ALTER', 'TRUNCATE', 'DELETE', 'UPDATE', 'INSERT', 'CREATE', 'GRANT', 'REVOKE'].map(
      (word) => new RegExp(`;\\s*${word}`),
    ),
  ]
  test('has every pattern of the seeds, and their three strings', () => {
    for (const pattern of patterns)
      assert.ok(
        SEEDS.some((text) => pattern.test(text)),
        String(pattern),
      )
    for (const text of [
      'SELECT 1; DROP TABLE users;',
      'SELECT * FROM t UNION SELECT password FROM users',
      'DELETE FROM users WHERE 1=1',
    ])
      assert.ok(SEEDS.includes(text), text)
  })
  test('what the patterns of seed 004 would refuse is refused here', async () => {
    for (const text of SEEDS.filter((one) => patterns.slice(0, 5).some((pattern) => pattern.test(one))))
      assert.equal((await judgeSql(text, DEFAULT)).kind, 'refused', text)
  })

  for (const { name, demand, texts } of FAMILIES)
    test(`${name}: ${demand === 'refused' ? 'all refused' : 'none shown to read'}`, async () => {
      for (const text of texts) {
        const { kind } = await judgeSql(text, DEFAULT)
        assert.ok(kind === 'refused' || (demand === 'unproven' && kind === 'unproven'), `${kind}: ${text}`)
      }
    })

  test('every honest query is shown to read', async () => {
    for (const text of BENIGN) assert.deepEqual(await judgeSql(text, DEFAULT), { kind: 'read' }, text)
  })
})
