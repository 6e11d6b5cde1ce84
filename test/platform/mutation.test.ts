// A slice of the mutation run: each check of identity and policy that is left out makes a test fail. All of them: `npm run verify mutation`.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allMutants, runMutants } from '../../scripts/verify/lib/mutation-run.ts'
import { ROOT, reasonFor, SUITES, sample } from '../../scripts/verify/lib/mutation-suites.ts'

// One slice, the same in every run, so that a red run says something about the change; another one with SEED.
const seed = Number(process.env['SEED'] ?? 20261121)

// Those with a reason are left to the full run.
const all = allMutants(ROOT, SUITES).filter((mutant) => reasonFor(mutant) === undefined)
const slice = sample(all, 0.02, seed)

for (const part of [0, 1])
  test(`a slice of the checks of identity and policy is noticed when one is left out, part ${part + 1}`, async (t) => {
    const chosen = slice.filter((_, i) => i % 2 === part)
    t.diagnostic(`seed ${seed}, ${chosen.length} of ${all.length} mutants; repeat with SEED=${seed}`)
    const { outcomes, broken } = await runMutants(chosen, {
      root: ROOT,
      suites: SUITES,
      jobs: 2,
      timeout: 60_000,
      onOutcome: () => undefined,
    })
    assert.deepEqual(broken, [])
    assert.deepEqual(
      outcomes
        .filter(({ killer }) => killer === undefined)
        .map(({ mutant: { file, line, text } }) => `${file}:${line} ${text}`),
      [],
    )
  })
