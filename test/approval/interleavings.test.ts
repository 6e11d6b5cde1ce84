// A seeded slice of the interleavings that `npm run verify approvals` runs in full, and that each rule they hold to is looked at.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MUTANTS } from './lib/mutants.ts'
import { runWorlds } from './lib/world.ts'

const WORLDS = 2000
const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)

test(`${WORLDS} interleavings from seed ${seed}: an approval is used once, for what was shown, by who asked, approved by somebody else`, async (t) => {
  const { problems, ended, steps } = await runWorlds(seed, WORLDS)
  t.diagnostic(`${steps} steps; ${JSON.stringify(Object.fromEntries(ended))}`)
  assert.deepEqual(problems.slice(0, 10), [])
  // The runs reach everything that they judge.
  const least = {
    used: 200,
    approved: 500,
    denied: 100,
    approval_required: 1000,
    approval_denied: 50,
    approval_decided: 100,
    approval_unknown: 100,
    approver_refused: 100,
    scope_insufficient: 50,
    store_unavailable: 500,
  }
  for (const [code, count] of Object.entries(least))
    assert.ok((ended.get(code) ?? 0) >= count, `${code}: ${ended.get(code)}`)
})

describe('the interleavings find out where', () => {
  for (const [what, { mutant, finds }] of Object.entries(MUTANTS)) {
    test(what, async () => {
      const { problems, worlds } = await runWorlds(1, WORLDS, mutant, (found) =>
        found.some((one) => finds.test(one)),
      )
      assert.ok(
        problems.some((one) => finds.test(one)),
        `nothing in ${worlds} worlds but ${problems.slice(0, 3).join('; ')}`,
      )
    })
  }
})

test('an approval that ends while the store deletes it is not used', async () => {
  // The interleaving in which this was found.
  assert.deepEqual((await runWorlds(22_127_749, 1)).problems, [])
})
