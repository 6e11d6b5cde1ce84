// The bucket of each peer at ingress: its rate, its bound, and what a crowd of peers can do.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createPeerBucket } from '../../src/http/peer-bucket.ts'
import { Clock } from './lib/limits.ts'

const SEED = 20_260_404
console.log(`# seed ${SEED}`)

describe('a peer', () => {
  test('may send its burst, then as its rate allows, and is told how long to wait', () => {
    const clock = new Clock()
    const bucket = createPeerBucket({ perMinute: 6000, burst: 1000, tick: clock.tick })
    for (let i = 0; i < 1000; i++) assert.equal(bucket.take('a'), 0)
    assert.equal(bucket.take('a'), 10)
    assert.equal(bucket.take('b'), 0, 'another peer has its own')
    clock.pass(9)
    assert.equal(bucket.take('a'), 1)
    clock.pass(1)
    assert.equal(bucket.take('a'), 0)
    assert.equal(bucket.take('a'), 10)
  })

  test('never gets more than its burst and what refills, and what it is told to wait is enough', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.nat({ max: 2000 }), { minLength: 1, maxLength: 200 }),
        (perMinute, burst, pauses) => {
          const clock = new Clock()
          const bucket = createPeerBucket({ perMinute, burst, tick: clock.tick })
          let passed = 0
          for (const pause of pauses) {
            clock.pass(pause)
            const wait = bucket.take('a')
            if (wait === 0) passed++
            else if (pause % 7 === 0) {
              clock.pass(wait)
              assert.equal(bucket.take('a'), 0)
              passed++
            }
            assert.ok(passed <= burst + (clock.time * perMinute) / 60_000 + 1e-6)
          }
        },
      ),
      { seed: SEED, numRuns: 300 },
    )
  })
})

describe('many peers', () => {
  test('idle ones make room', () => {
    const clock = new Clock()
    const bucket = createPeerBucket({ perMinute: 60, burst: 1, maxPeers: 100, tick: clock.tick })
    for (let i = 0; i < 100; i++) assert.equal(bucket.take(`a${i}`), 0)
    clock.pass(1000)
    for (let i = 0; i < 100; i++) assert.equal(bucket.take(`b${i}`), 0)
    assert.equal(bucket.size(), 100)
  })

  test('when all are in use, the others share one bucket and nobody in use is forgotten', () => {
    const clock = new Clock()
    const bucket = createPeerBucket({ perMinute: 60, burst: 2, maxPeers: 100, tick: clock.tick })
    for (let i = 0; i < 100; i++) assert.equal(bucket.take(`a${i}`), 0)
    const passed = Array.from({ length: 1000 }, (_, i) => bucket.take(`b${i}`)).filter((wait) => wait === 0)
    assert.equal(passed.length, 2)
    assert.equal(bucket.size(), 100)
    for (let i = 0; i < 100; i++) assert.equal(bucket.take(`a${i}`), 0, 'one of two was used')
    for (let i = 0; i < 100; i++) assert.ok(bucket.take(`a${i}`) > 0)
  })
})
