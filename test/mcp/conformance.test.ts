// The official conformance suite, both revisions: the product with its baselines, and the same stack with the suite's own fixture tools.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { CEILING } from './conformance/ceiling.ts'
import { BASELINES, type Build, REVISIONS, type Revision, runSuite } from './lib/conformance.ts'

/** What both legs have to pass, whatever a baseline says. */
const NEVER_LISTED = /^(?:resources-list|caching:.*resources.*|sep-2164-resource-not-found)$/

function entries(build: Build, revision: Revision): { name: string; reason: string }[] {
  const lines = readFileSync(join(BASELINES, `${build}-failures-${revision}.yml`), 'utf8').split('\n')
  return lines
    .filter((line) => line.startsWith('  - '))
    .map((line) => {
      const [name = '', reason = ''] = line.slice(4).split(' # ')
      return { name, reason }
    })
}

describe('baselines', () => {
  for (const revision of REVISIONS) {
    test(`${revision} adds no name, gives a reason each, and lists nothing that has to pass`, () => {
      const ceiling: readonly string[] = CEILING[revision]
      for (const build of ['expected', 'fixture'] as const) {
        const listed = entries(build, revision)
        assert.ok(listed.length > 0)
        for (const { name, reason } of listed) {
          assert.ok(ceiling.includes(name), `${name} is new`)
          assert.doesNotMatch(name, NEVER_LISTED)
          assert.ok(reason.length > 20, `${name} has no reason`)
        }
      }
    })

    test(`${revision}: the fixture build passes what is about tools`, () => {
      const left = entries('fixture', revision).map((entry) => entry.name)
      const allowed =
        revision === '2025-11-25'
          ? ['tools-call-with-logging', 'tools-call-sampling', 'tools-call-elicitation']
          : ['input-required-result-non-tool-request']
      assert.deepEqual(
        left.filter((name) => name.startsWith('tools-') || name.startsWith('input-required-result-')).sort(),
        allowed.sort(),
      )
      assert.deepEqual(
        left.filter((name) => name.startsWith('server-stateless')),
        [],
      )
    })
  }
})

describe('suite', () => {
  for (const build of ['expected', 'fixture'] as const) {
    for (const revision of REVISIONS) {
      test(`${build === 'fixture' ? 'fixture build' : 'product'}, ${revision}`, async () => {
        const { code, output } = await runSuite(build, revision)
        assert.equal(code, 0, output)
        assert.match(output, /Baseline check passed/)
      })
    }
  }
})
