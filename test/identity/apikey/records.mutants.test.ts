// Records of one file that stand twice: which member of which record is named, and how many at most.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { parseLive } from '../../../src/config/live.ts'

const record = (id: number, hash: number): object => ({
  id: `k${id}`,
  sha256: hash.toString(16).padStart(64, '0'),
  owner: 'o',
  purpose: 'p',
  roles: [],
})
const places = (keys: object[]): string[] => {
  const parsed = parseLive('keys.yaml', JSON.stringify({ keys }), 'live/keys.yaml')
  return parsed.ok ? [] : parsed.problems.map(({ path }) => path)
}

it('an id or a hash that stands twice is named at the later record', () => {
  assert.deepEqual(places([record(1, 1), record(2, 2)]), [])
  assert.deepEqual(places([record(1, 1), record(1, 2)]), ['keys[1].id'])
  assert.deepEqual(places([record(1, 1), record(2, 1)]), ['keys[1].sha256'])
})

it('at most 20 of them', () =>
  assert.equal(places(Array.from({ length: 60 }, (_, index) => record(index % 30, index))).length, 20))
