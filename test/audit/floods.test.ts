// Floods of refusals: the first of a peer and code in a window is recorded, the others are counted, and none is lost.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createFloods, OTHER_PEERS, type Refusals } from '../../src/audit/floods.ts'
import type { Call } from '../../src/core/call.ts'
import { DENIALS, type DenialCode, deny } from '../../src/core/denials.ts'

const SEED = 20_261_121
const START = Date.UTC(2026, 10, 21)

function start() {
  const reported: Refusals[] = []
  const clock = { at: 0 }
  const floods = createFloods({
    tick: () => clock.at,
    now: () => START + clock.at,
    report: (refusals) => reported.push(refusals),
  })
  const refuse = (code: DenialCode, peer: string): boolean =>
    floods.isFirst({ denial: deny(code), peer } as Call)
  return { reported, clock, floods, refuse }
}

test('the first is recorded, the others are counted until the window ends', () => {
  const { reported, clock, floods, refuse } = start()
  assert.equal(refuse('token_invalid', 'a'), true)
  clock.at = 1000
  assert.equal(refuse('token_invalid', 'a'), false)
  clock.at = 9000
  assert.equal(refuse('token_invalid', 'a'), false)
  floods.sweep()
  assert.deepEqual(reported, [])
  clock.at = 10_000
  floods.sweep()
  assert.deepEqual(reported, [
    {
      code: 'token_invalid',
      count: 2,
      from: '2026-11-21T00:00:00.000Z',
      peer: 'a',
      stage: 'identity',
      to: '2026-11-21T00:00:09.000Z',
    },
  ])
  assert.equal(refuse('token_invalid', 'a'), true)
})

test('another peer and another code have windows of their own; one refusal leaves nothing to report', () => {
  const { reported, floods, refuse } = start()
  for (const [code, peer] of [
    ['token_invalid', 'a'],
    ['token_invalid', 'b'],
    ['http_malformed', 'a'],
  ] as const)
    assert.equal(refuse(code, peer), true)
  floods.flush()
  assert.deepEqual(reported, [])
})

test('a window ends without a sweep as well, before the next refusal is judged', () => {
  const { reported, clock, refuse } = start()
  refuse('path_unknown', 'a')
  refuse('path_unknown', 'a')
  clock.at = 10_000
  assert.equal(refuse('path_unknown', 'a'), true)
  assert.deepEqual(
    reported.map(({ count }) => count),
    [1],
  )
})

test('refusals of a known caller are never only counted', () => {
  const { refuse } = start()
  const codes = (Object.keys(DENIALS) as DenialCode[]).filter(
    (code) => !['transport', 'identity'].includes(DENIALS[code].stage),
  )
  assert.ok(codes.includes('policy_denied') && codes.includes('json_malformed'))
  for (const code of codes) for (const _ of [1, 2, 3]) assert.equal(refuse(code, 'a'), true, code)
})

test('over a thousand pairs the others are counted together by code', () => {
  const { reported, clock, floods, refuse } = start()
  for (let i = 0; i < 1000; i++) assert.equal(refuse('http_malformed', `p${i}`), true)
  assert.equal(refuse('http_malformed', 'more'), true)
  assert.equal(refuse('http_malformed', 'still more'), false)
  assert.equal(refuse('token_missing', 'more'), true)
  // A pair that is known goes on having its own.
  assert.equal(refuse('http_malformed', 'p7'), false)
  clock.at = 10_000
  floods.sweep()
  assert.deepEqual(
    reported.map(({ peer, count }) => [peer, count]),
    [
      ['p7', 1],
      [OTHER_PEERS, 1],
    ],
  )
  assert.equal(refuse('http_malformed', 'still more'), true)
})

describe('nothing is lost', () => {
  test('what was recorded and what was counted is what was refused', () => {
    const step = fc.record({
      wait: fc.integer({ min: 0, max: 6000 }),
      code: fc.constantFrom('token_invalid', 'http_malformed', 'policy_denied'),
      peer: fc.constantFrom('a', 'b', 'c'),
      sweep: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const { reported, clock, floods, refuse } = start()
        const recorded = new Map<string, number>()
        const refused = new Map<string, number>()
        const add = (map: Map<string, number>, key: string, n = 1) => map.set(key, (map.get(key) ?? 0) + n)
        for (const { wait, code, peer, sweep } of steps) {
          clock.at += wait
          if (sweep) floods.sweep()
          add(refused, `${code} ${peer}`)
          if (refuse(code, peer)) add(recorded, `${code} ${peer}`)
        }
        floods.flush()
        for (const { code, peer, count, from, to } of reported) {
          add(recorded, `${code} ${peer}`, count)
          assert.ok(count > 0 && from <= to && Date.parse(to) - Date.parse(from) < 10_000)
        }
        assert.deepEqual(
          [...recorded].sort(([one], [other]) => (one < other ? -1 : 1)),
          [...refused].sort(([one], [other]) => (one < other ? -1 : 1)),
        )
      }),
      { seed: SEED, numRuns: 500 },
    )
  })
})
