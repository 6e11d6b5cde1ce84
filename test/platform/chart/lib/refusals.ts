// How a test asks the chart for what it refuses, and for what it takes: values over the least ones, and the sentence that comes back.
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { render } from '../../lib/helm.ts'
import { at, LEAST, least, merge, type Values } from './values.ts'

/** What is asked for, the values over the least ones, a part of the one sentence that refuses them. */
export type Combination = readonly [name: string, values: Values, says: string]

export const ISSUER_WAY = at('networkPolicy.egress.issuer.cidrs', ['198.51.100.0/24'])
export const STORE = merge(
  at('store', { redis: { url: 'rediss://redis.example.com:6379' }, secret: { existingSecret: 'store' } }),
  at('networkPolicy.egress.store.cidrs', ['198.51.100.1/32']),
)

/** What the chart says to values that it does not take. */
export function refusal(values: object): string {
  const result = render({ values })
  assert.ok(!result.ok, 'the values were accepted')
  return result.message
}

export async function refuses(t: TestContext, combinations: readonly Combination[]): Promise<void> {
  for (const [name, values, says] of combinations) {
    await t.test(name, () => {
      const message = refusal(merge(LEAST as never, values))
      const sentences = message.split('\n').filter((line) => line.includes(says))
      assert.equal(sentences.length, 1, `${says}: ${message}`)
      assert.match(sentences[0] ?? '', /^[A-Za-z].*\.$/)
    })
  }
}

export async function accepts(
  t: TestContext,
  values: readonly (readonly [name: string, values: Values])[],
): Promise<void> {
  for (const [name, over] of values) {
    await t.test(name, () => {
      const result = render(least(over))
      assert.ok(result.ok, result.ok ? '' : result.message)
    })
  }
}
