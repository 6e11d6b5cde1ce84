// The checklist over the rendered chart: every row holds for the least values and for every file of ci/, and every row notices when it is broken.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { CI, CI_FILES, HELM, rendered, unlessBuilt } from '../lib/helm.ts'
import { DELIVERY } from './invariants/delivery.ts'
import { LIFECYCLE } from './invariants/lifecycle.ts'
import { NETWORK } from './invariants/network.ts'
import { PODS } from './invariants/pods.ts'
import type { Context, Invariant } from './lib/invariant.ts'
import type { Item } from './lib/kubernetes.ts'
import { least } from './lib/values.ts'

const skip = unlessBuilt(HELM)
const INVARIANTS: readonly Invariant[] = [...PODS, ...LIFECYCLE, ...NETWORK, ...DELIVERY]

const renderings = new Map<string, Item[]>()
if (skip === false) {
  renderings.set('least', rendered(least()))
  for (const name of CI_FILES) renderings.set(name, rendered({ files: [join(CI, name)] }))
}

const context = (name: string): Context => ({
  assignedUids: name.includes('openshift'),
  hasAppArmor: !name.includes('openshift') && !name.includes('tryout'),
})

test('every row has a name of its own, a sentence and a change that breaks it', () => {
  assert.equal(new Set(INVARIANTS.map(({ id }) => id)).size, INVARIANTS.length)
  for (const { id, says, breaks } of INVARIANTS) {
    assert.match(says, /^[A-Z].*\.$/, id)
    assert.ok(breaks.length > 0, id)
  }
})

test('ci/ brings every optional kind, so that every row has seen it', { skip }, () => {
  const kinds = new Set(
    [...renderings].flatMap(([name, items]) => (name === 'least' ? [] : items)).map(({ kind }) => kind),
  )
  const optional = [
    'Certificate',
    'CiliumNetworkPolicy',
    'HorizontalPodAutoscaler',
    'Pod',
    'PodDisruptionBudget',
    'PodMonitor',
    'SeccompProfile',
    'SecurityContextConstraints',
    'ServiceMonitor',
    'TLSRoute',
  ]
  assert.deepEqual(
    optional.filter((kind) => !kinds.has(kind)),
    [],
  )
})

for (const { id, says, check, breaks } of INVARIANTS) {
  test(`${id}: ${says}`, { skip }, () => {
    for (const [name, items] of renderings) assert.deepEqual(check(items, context(name)), [], name)
  })
  test(`${id}: is noticed when broken`, { skip }, () => {
    for (const [at, change] of breaks.entries()) {
      const items = structuredClone(renderings.get('least') ?? [])
      change(items)
      assert.notDeepEqual(check(items, context('least')), [], `change ${at} was not noticed: ${change}`)
    }
  })
}
