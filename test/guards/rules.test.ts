// The section guards of live/policy.yaml: what is a fault, what lint says of it, and that a rule which might hold can only take away.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { guardsSection } from '../../src/admission/guards/config.ts'
import { alsoFor, compileGuards, settingsFor } from '../../src/admission/guards/rules.ts'
import { lintPolicy } from '../../src/admission/policy/index.ts'
import { listOperations } from '../../src/catalogue/operations.ts'
import { loadLiveParser } from '../../src/config/index.ts'
import type { Operation } from '../../src/core/tool.ts'
import { policyOf } from '../policy/lib/policy.ts'

const parse = await loadLiveParser()
const faults = (text: string): string[] => {
  const parsed = parse('policy.yaml', text, 'policy.yaml')
  return parsed.ok ? [] : parsed.problems.map(({ line, path, message }) => `${line} ${path} ${message}`)
}

test('faults of the section, each with its line', () => {
  const text = [
    'version: 1',
    'guards:',
    '  sql:',
    '    - { module: databases, unproven: maybe }',
    '  url:',
    '    - { hosts: ["Example.com"] }',
    '    - { hosts: "example.com:443" }',
    '    - { schemes: "https://" }',
    '  path:',
    '    - { also: params/0 }',
    '    - { private: true }',
    '  shell: []',
  ].join('\n')
  assert.deepEqual(
    faults(text).map((fault) => fault.split(' ').slice(0, 2).join(' ')),
    [
      '4 guards.sql[0].unproven',
      '6 guards.url[0].hosts[0]',
      '7 guards.url[1].hosts',
      '8 guards.url[2].schemes',
      '10 guards.path[0].also',
      '11 guards.path[1].private',
      '12 guards.shell',
    ],
  )
})

test('lint names a rule that concerns nothing', () => {
  const lint = (guards: object): string[] =>
    lintPolicy(policyOf({ guards }), { operations: listOperations(false) }).map(({ path }) => path)
  assert.deepEqual(lint({ url: [{ module: 'webhooks', env: 'prd' }], sql: [{ module: 'database' }] }), [
    'guards.sql[0]',
  ])
  assert.deepEqual(lint({ secrets: [{ method: 'run', allow: true }] }), [])
})

describe('settings', () => {
  const operation: Operation = {
    module: 'storage',
    method: 'upload',
    effect: 'write',
    env: ['dev'],
    product: ['acme:shop'],
    path: [],
  }
  const selector = fc.record(
    {
      module: fc.constantFrom('storage', 'stor*', 'graph'),
      method: fc.constantFrom('upload', '*'),
      env: fc.constantFrom('dev', 'prd', 'd*'),
      product: fc.constantFrom('acme:*', 'other'),
      absolute: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  const target = fc.oneof(
    fc.constant('unknown' as const),
    fc.uniqueArray(fc.constantFrom('dev', 'prd', 'acme:shop', 'other'), { maxLength: 2 }),
  )

  test('not to see what a call aims at never allows what one of the things it could be refuses', () => {
    fc.assert(
      fc.property(fc.array(selector, { maxLength: 4 }), target, target, (path, env, product) => {
        const { path: rules } = compileGuards(guardsSection.parse({ path }))
        const allows = (given: Operation): boolean =>
          settingsFor(rules, given).every(({ absolute }) => absolute)
        const seen = { ...operation, env, product }
        // Of several values each one alone is something the call does.
        const single = (value: typeof env, all: string[]): string[] =>
          value === 'unknown' ? all : [...value]
        for (const one of single(env, ['dev', 'prd', 'tst']))
          for (const other of single(product, ['acme:shop', 'other', 'third']))
            if (allows(seen)) assert.ok(allows({ ...operation, env: [one], product: [other] }))
      }),
      { seed: 20261122, numRuns: 2000 },
    )
  })

  test('further arguments are those of every rule that holds or might', () => {
    const { path } = compileGuards(
      guardsSection.parse({
        path: [{ also: '/a' }, { env: 'prd', also: ['/b', '/c/*/d'] }, { module: 'graph', also: '/e' }],
      }),
    )
    assert.deepEqual(alsoFor(path, operation), [['a']])
    assert.deepEqual(alsoFor(path, { ...operation, env: 'unknown' }), [['a'], ['b'], ['c', '*', 'd']])
  })
})
