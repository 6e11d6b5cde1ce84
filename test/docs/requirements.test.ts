// Keeps docs/requirements.md honest: every demand of the seeds has a test that exists, or a reason.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exists, page, plannedFaults, referenceFault, tableRows, testReferences } from './pages.ts'

const ID = /^(S0|S1|S2|S3|S4|C)-(\d{2,3})$/
// A floor below the number of demands counted in each seed, so that a section cannot shrink unseen.
const LEAST = { S0: 50, S1: 53, S2: 90, S3: 19, S4: 170, C: 16 }

const rows = tableRows(page('docs/requirements.md').text).filter(([id]) => ID.test(id ?? ''))
const named = rows.map(([id = '', demand = '', built = '', shown = '']) => ({ id, demand, built, shown }))

const isLater = (shown: string) => /(^|; |: |\. )later: /.test(shown)
const isReasoned = (shown: string) => /n\/a(:| for )/.test(shown)

test('every row of the ledger has four cells and a unique id in order', () => {
  const last: Record<string, number> = {}
  for (const [index, row] of rows.entries()) {
    assert.equal(row.length, 4, `row ${index + 1} (${row[0]}) has ${row.length} cells`)
    const [, section = '', number = ''] = ID.exec(row[0] ?? '') ?? []
    assert.equal(Number(number), (last[section] ?? 0) + 1, `${row[0]} is out of order`)
    last[section] = Number(number)
    assert.notEqual(row[1], '', `${row[0]} says no demand`)
  }
})

test('all five seeds and the checklist are in the ledger', () => {
  for (const [section, least] of Object.entries(LEAST)) {
    const count = named.filter(({ id }) => id.startsWith(`${section}-`)).length
    assert.ok(count >= least, `${section} has ${count} rows, expected at least ${least}`)
  }
})

test('every row has a test, a planned part or a reason', () => {
  const bare = named.filter(
    ({ shown }) => testReferences(shown).length === 0 && !isLater(shown) && !isReasoned(shown),
  )
  assert.deepEqual(bare, [])
})

test('every test that the ledger names exists', () => {
  const faults = named.flatMap(({ id, shown }) =>
    testReferences(shown).flatMap((reference) => {
      const fault = referenceFault(reference)
      return fault === undefined ? [] : [`${id}: ${fault}`]
    }),
  )
  assert.deepEqual(faults, [])
})

test('every planned part that the ledger names is planned', () => {
  const faults = named.flatMap(({ id, shown }) => plannedFaults(shown).map((fault) => `${id}: ${fault}`))
  assert.deepEqual(faults, [])
  const vague = named
    .filter(({ shown }) => isLater(shown) && !/\(issue [4-8]\)/.test(shown))
    .map(({ id }) => id)
  assert.deepEqual(vague, [], 'rows that say "later" without an issue')
})

test('every place that the ledger names exists', () => {
  const faults = named.flatMap(({ id, built }) => {
    if (built === '-') return []
    const places = [...built.matchAll(/`([^`]+)`/g)].map(([, place = '']) => place)
    if (places.length === 0) return [`${id}: "${built}" names no place`]
    return places.filter((place) => !exists(place)).map((place) => `${id}: ${place} does not exist`)
  })
  assert.deepEqual(faults, [])
})

test('a row is built somewhere unless it is planned, reasoned or about the project itself', () => {
  const faults = named.filter(({ built, shown }) => {
    const projectOnly = testReferences(shown).every(({ path }) => /^test\/(docs|platform)\//.test(path))
    return built === '-' && !isLater(shown) && !isReasoned(shown) && !projectOnly
  })
  assert.deepEqual(faults, [])
})

test('a broken reference is noticed', () => {
  assert.match(referenceFault({ path: 'test/docs/absent.test.ts', name: undefined }) ?? '', /does not exist/)
  assert.match(referenceFault({ path: 'test/docs/pages.ts', name: undefined }) ?? '', /not a test file/)
  const absent = ['a name', 'that stands nowhere'].join(' ')
  assert.match(referenceFault({ path: 'test/docs/requirements.test.ts', name: absent }) ?? '', /has no test/)
  assert.deepEqual(plannedFaults('later: guards (issue 4)'), [
    'guards (issue 4): no such part is planned there',
  ])
})
