// Durations and sizes: text to number, number to the text that people would write.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { DURATION, formatUnit, parseUnit, SIZE, unitPattern } from '../../src/config/units.ts'

describe('units', () => {
  it('durations are milliseconds', () => {
    const table = { '0ms': 0, '0s': 0, '500ms': 500, '30s': 30_000, '5m': 300_000, '1h': 3_600_000 }
    for (const [text, value] of Object.entries(table)) assert.equal(parseUnit(DURATION, text), value, text)
  })

  it('sizes are bytes, in powers of 1024', () => {
    const table = { '0B': 0, '1B': 1, '2KiB': 2048, '1MiB': 1_048_576, '1GiB': 1_073_741_824 }
    for (const [text, value] of Object.entries(table)) assert.equal(parseUnit(SIZE, text), value, text)
  })

  it('everything else is refused', () => {
    const texts = [
      '',
      '1',
      's',
      ' 1s',
      '1s ',
      '1 s',
      '+1s',
      '-1s',
      '01s',
      '1.5s',
      '1e3s',
      '1S',
      '1sec',
      '1m30s',
      '٣s',
      '1s\n',
      '1d',
      '0x1s',
    ]
    for (const text of texts) assert.equal(parseUnit(DURATION, text), undefined, JSON.stringify(text))
    for (const text of [
      '1',
      '1K',
      '1KB',
      '1kB',
      '1MB',
      '1mib',
      '1b',
      '1.5MiB',
      '9007199254740992B',
      '99999999GiB',
      '1MiBs',
    ]) {
      assert.equal(parseUnit(SIZE, text), undefined, text)
    }
  })

  it('a printed value is read back the same, in the largest unit that divides it (seed 5)', () => {
    for (const scale of [DURATION, SIZE]) {
      const value = fc.oneof(
        fc.nat(),
        fc
          .tuple(fc.nat({ max: 5000 }), fc.constantFrom(...scale.units.values()))
          .map(([count, factor]) => count * factor),
      )
      fc.assert(
        fc.property(value, (number) => {
          const text = formatUnit(scale, number)
          assert.equal(parseUnit(scale, text), number)
          assert.match(text, new RegExp(unitPattern(scale)))
        }),
        { seed: 5, numRuns: 500 },
      )
    }
    assert.deepEqual(
      [0, 1500, 60_000, 90_000, 7_200_000].map((value) => formatUnit(DURATION, value)),
      ['0ms', '1500ms', '1m', '90s', '2h'],
    )
    assert.deepEqual(
      [0, 1536, 10_485_760].map((value) => formatUnit(SIZE, value)),
      ['0B', '1536B', '10MiB'],
    )
  })
})
