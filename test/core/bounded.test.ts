// Bounded maps: what is forgotten to make room, and what never is.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createSweep, setBounded } from '../../src/core/bounded.ts'

describe('setBounded', () => {
  test('a new key in a full map takes the place of the oldest', () => {
    const map = new Map<string, number>()
    for (const [value, key] of ['a', 'b', 'c', 'd'].entries()) setBounded(map, key, value, 3)
    assert.deepEqual(
      [...map],
      [
        ['b', 1],
        ['c', 2],
        ['d', 3],
      ],
    )
  })

  test('a known key changes its value and costs nobody a place', () => {
    const map = new Map([
      ['a', 1],
      ['b', 2],
    ])
    setBounded(map, 'b', 3, 2)
    assert.deepEqual(
      [...map],
      [
        ['a', 1],
        ['b', 3],
      ],
    )
  })
})

describe('createSweep', () => {
  test('looks at so many at a time, round and round, and deletes the idle ones alone', () => {
    const map = new Map([
      ['a', 9],
      ['b', 1],
      ['c', 9],
      ['d', 1],
    ])
    const sweep = createSweep(map, (usedUntil, now) => usedUntil <= now)
    sweep(2, 5)
    assert.deepEqual([...map.keys()], ['a', 'c', 'd'])
    map.set('e', 1)
    sweep(3, 5)
    assert.deepEqual([...map.keys()], ['a', 'c'])
    sweep(2, 9)
    assert.deepEqual([...map.keys()], [])
    sweep(2, 9)
    map.set('f', 1)
    sweep(1, 5)
    assert.equal(map.size, 0)
  })

  test('looks at each entry of a small map once', () => {
    let looked = 0
    const sweep = createSweep(new Map([['a', 1]]), () => {
      looked++
      return false
    })
    sweep(2000, 5)
    assert.equal(looked, 1)
    sweep(2000, 5)
    assert.equal(looked, 2)
  })
})
