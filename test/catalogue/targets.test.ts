// What a call aims at: the values that its arguments name, and `unknown` wherever they do not tell.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  allowedMethods,
  findMethod,
  type MethodEntry,
  MODULES,
  targetsOf,
} from '../../src/catalogue/index.ts'
import type { Json } from '../../src/core/json.ts'
import type { Target } from '../../src/core/policy.ts'

const entryOf = (name: string): MethodEntry => {
  const dot = name.indexOf('.')
  const entry = findMethod(name.slice(0, dot), name.slice(dot + 1))
  assert.ok(entry, name)
  return entry
}

const U = 'unknown'
const NONE: Target = []
const P = { product: 'acme:shop', env: 'dev' }

// method, arguments, product, env
const CASES: [string, Json[], Target, Target][] = [
  // Members of the first object.
  ['databases.query', [{ ...P, database: 'main', entity: 'a' }], ['acme:shop'], ['dev']],
  ['databases.query', [{ product_tag: 'acme:shop', env_slug: 'dev' }], ['acme:shop'], ['dev']],
  ['databases.query', [{ product: 'acme:shop' }], ['acme:shop'], U],
  ['databases.query', [{ env: 'dev' }], U, ['dev']],
  ['databases.query', [{ product: 1, env: null }], U, U],
  ['databases.query', [{ product: '', env: '' }], U, U],
  ['databases.query', [{ product: ['a'], env: ['dev'] }], U, U],
  ['databases.query', [], U, U],
  ['databases.query', [null], U, U],
  ['databases.query', [[P]], U, U],
  ['databases.query', ['SELECT 1', [P]], U, U],
  // A second name counts as well, and so does another object: the decision then has to fit them all.
  ['databases.query', [{ ...P, product_tag: 'b:c', env_slug: 'prd' }], ['acme:shop', 'b:c'], ['dev', 'prd']],
  ['databases.query', [P, { env: 'prd' }], ['acme:shop'], ['dev', 'prd']],
  ['databases.query', [P, { env: 3 }], ['acme:shop'], U],
  ['databases.query', [{ ...P, env_slug: false }], ['acme:shop'], U],
  // Another object cannot stand in for the one that the signature names.
  ['databases.query', [{}, P], U, U],
  ['databases.query', [null, P], U, U],
  // Nor can a list of environments stand in for the one environment, or another name for the tag that a product gets.
  ['databases.query', [{ product: 'p', envs: ['dev'] }], ['p'], U],
  ['databases.query', [{ ...P, envs: ['prd'] }], ['acme:shop'], ['dev', 'prd']],
  ['databases.create', [{ product: 'p', env: 'dev' }], ['p'], U],
  ['product.create', [{ name: 'a', product: 'acme:a' }], U, U],
  ['product.environments.create', ['p', { env: 'dev' }], ['p'], U],
  // Inherited members are none.
  ['databases.query', [JSON.parse('{"__proto__":{"product":"a","env":"dev"}}')], U, U],
  // Strings, by the signature.
  ['product.fetch', ['acme:shop'], ['acme:shop'], NONE],
  ['product.fetch', [], U, NONE],
  ['product.fetch', [{ product: 'acme:shop' }], U, NONE],
  ['product.environments.fetch', ['acme:shop', 'dev'], ['acme:shop'], ['dev']],
  ['product.environments.fetch', ['acme:shop'], ['acme:shop'], U],
  ['product.environments.update', ['acme:shop', 'dev', { active: false }], ['acme:shop'], ['dev']],
  ['product.environments.create', ['acme:shop', { slug: 'prd', env_name: 'P' }], ['acme:shop'], ['prd']],
  ['product.environments.create', ['acme:shop', {}], ['acme:shop'], U],
  ['product.environments.list', ['acme:shop'], ['acme:shop'], NONE],
  [
    'product.create',
    [{ name: 'a', tag: 'acme:a', envs: [{ slug: 'dev' }, { slug: 'prd' }] }],
    ['acme:a'],
    ['dev', 'prd'],
  ],
  ['product.create', [{ name: 'a' }], U, U],
  ['product.init', ['acme:shop'], ['acme:shop'], NONE],
  ['product.updateValidation', ['acme:shop', 't', { env: 'dev' }], ['acme:shop'], NONE],
  ['databases.connection', ['main', 'dev'], U, ['dev']],
  // Lists of environments.
  [
    'product.apps.add',
    ['acme:shop', { envs: [{ app_env_slug: 'x', product_env_slug: 'dev' }] }],
    ['acme:shop'],
    ['dev'],
  ],
  [
    'product.apps.add',
    ['acme:shop', { envs: [{ product_env_slug: 'dev', slug: 'prd' }] }],
    ['acme:shop'],
    ['dev', 'prd'],
  ],
  ['product.apps.add', ['acme:shop', { envs: [{ app_env_slug: 'x' }] }], ['acme:shop'], U],
  ['product.apps.update', ['acme:shop', 'a', { version: '2' }], ['acme:shop'], U],
  [
    'databases.create',
    [{ product: 'p', tag: 't', envs: [{ slug: 'dev' }, { slug: 'prd' }] }],
    ['p'],
    ['dev', 'prd'],
  ],
  ['databases.create', [{ product: 'p', tag: 't', envs: [] }], ['p'], U],
  ['databases.create', [{ product: 'p', tag: 't', envs: [{ slug: 'dev' }, {}] }], ['p'], U],
  ['databases.create', [{ product: 'p', tag: 't', envs: ['dev', 4] }], ['p'], U],
  ['databases.create', ['p', { envs: [{ slug: 'dev' }] }], ['p'], ['dev']],
  ['databases.create', ['p', { product: 'q', envs: [{ slug: 'dev' }] }], ['p', 'q'], ['dev']],
  ['databases.create', ['p', { env: 'dev' }], ['p'], U],
  ['databases.register', ['p', { envs: [{ slug: 'dev' }] }], ['p'], ['dev']],
  ['graph.update', ['p', 'g', { envs: [{ slug: 'dev' }] }], ['p'], ['dev']],
  ['graph.update', ['p', 'g', { name: 'x' }], ['p'], U],
  ['secrets.create', [{ key: 'A', value: 'b', envs: ['dev', 'stg'] }], NONE, ['dev', 'stg']],
  ['secrets.create', [{ key: 'A', value: 'b' }], NONE, U],
  ['secrets.create', [{ key: 'A', value: 'b', envs: [] }], NONE, U],
  ['secrets.fetch', ['A'], NONE, U],
  ['secrets.resolve', ['$Secret{A}', { env: 'dev' }], NONE, ['dev']],
  ['secrets.resolve', ['$Secret{A}'], NONE, U],
  // Second call shapes.
  ['databases.update', [{ ...P, database: 'd', entity: 'e' }], ['acme:shop'], ['dev']],
  ['databases.update', ['acme:shop', 'main', { name: 'x' }], ['acme:shop'], U],
  ['databases.update', ['acme:shop', 'main', { env: 'dev' }], ['acme:shop'], U],
  ['databases.update', ['acme:shop', 'main', { envs: [{ slug: 'dev' }] }], ['acme:shop'], ['dev']],
  ['databases.update', ['', 'main'], U, U],
  ['databases.delete', ['acme:shop', 'main'], ['acme:shop'], U],
  ['caches.create', ['p', { tag: 'c' }], ['p'], U],
  ['graph.delete', ['g', 'p'], ['g', 'p'], U],
  ['graph.delete', ['g'], U, U],
  ['features.fetch', ['p', 'f'], ['p', 'f'], NONE],
  ['features.delete', ['p', 'f'], ['p', 'f'], U],
  // A connection context: what nobody documents is not heeded, so it cannot say where the call goes.
  ['databases.schema.create', ['orders', { env: 'dev', product: 'acme:shop' }], U, U],
  ['databases.schema.drop', ['orders', P], U, U],
  ['databases.schema.list', [], U, U],
  ['databases.migration.run', [[], P], U, U],
  ['databases.getCurrentContext', [], U, U],
  ['graph.createNode', [{ ...P, labels: [], properties: {} }], U, U],
  ['graph.query', ['MATCH (n) RETURN n', P], U, U],
  ['graph.query', [{ ...P, query: 'x' }], U, U],
  ['graph.getStatistics', [], U, U],
  ['graph.connect', [{ ...P, graph: 'g' }], ['acme:shop'], ['dev']],
  ['databases.beginTransaction', [{ database: 'd' }], U, U],
  ['databases.beginTransaction', [{ ...P, database: 'd' }], ['acme:shop'], ['dev']],
  // Objects without known fields.
  ['graph.dispatch', [P], ['acme:shop'], ['dev']],
  ['quotas.consume', [{ ...P, tag: 'q' }], ['acme:shop'], ['dev']],
  ['quotas.consume', [{ tag: 'q' }], U, U],
  ['messageBrokers.testConnection', [P], ['acme:shop'], ['dev']],
  // An object with known fields that has none of these cannot say so either.
  ['caches.get', [{ key: 'k', ...P }], U, U],
  ['caches.set', [{ product: 'p', cache: 'c', key: 'k', value: 'v', env: 'dev' }], ['p'], U],
  ['caches.del', [{ key: 'k', env: 'dev' }], U, ['dev']],
  ['quotas.update', ['p', 'q', { env: 'dev' }], ['p'], U],
  ['storage.delete', ['p', 's'], ['p'], U],
  // Definitions that are only read.
  ['databases.list', ['p'], ['p'], NONE],
  ['databases.fetch', ['p', 'd'], ['p'], NONE],
  ['vector.fetch', [{ product: 'p', tag: 'v' }], ['p'], NONE],
  ['resilience.quotas.list', [{ product: 'p' }], ['p'], NONE],
  // Runs, log lines and users belong to an environment.
  ['jobs.list', ['p'], ['p'], U],
  ['jobs.get', ['job_1'], U, U],
  ['jobs.setWebhook', [{ url: 'https://a.example', events: [] }], U, U],
  ['logs.query', [{ product_tag: 'p', env: 'dev' }], ['p'], ['dev']],
  ['logs.query', [{}], U, U],
  ['sessions.users', [{ session: 's', product: 'p' }], ['p'], U],
  ['sessions.fetchUsers', [{ session: 's', product: 'p', env: 'dev' }], ['p'], ['dev']],
  // Apps are no part of a product.
  ['app.fetch', ['acme:crm'], NONE, NONE],
  ['app.environments.create', ['acme:crm', { slug: 'prd', env_name: 'P' }], NONE, NONE],
  ['webhooks.create', ['acme:crm', { envs: [{ slug: 'prd' }] }], NONE, NONE],
  [
    'webhooks.enable',
    [{ product: 'p', access_tag: 'a', webhook_tag: 'w', envs: [{ slug: 'dev' }] }],
    ['p'],
    ['dev'],
  ],
  ['actions.create', ['acme:crm', {}], NONE, NONE],
  ['actions.import', [{ file: {}, type: 'postman' }], NONE, NONE],
  ['actions.run', [{ ...P, app: 'a', action: 'b', input: { env: 'prd' } }], ['acme:shop'], ['dev']],
]

const storage = (rest: Json): Json[] => [{ ...P, storage: 's', ...(rest as object) }]
const PATHS: [string, Json[], Target][] = [
  ['storage.upload', storage({ fileName: 'reports/a.txt' }), ['reports/a.txt']],
  ['storage.upload', storage({ fileName: '/reports/a.txt' }), ['/reports/a.txt']],
  ['storage.upload', storage({ fileName: 'a b-ü.txt' }), ['a b-ü.txt']],
  ...[
    ...[
      '../a',
      'a/../b',
      'a..b',
      'a/./b',
      './a',
      '.',
      'a/.',
      'a//b',
      '//a',
      'a\\b',
      'a%2fb',
      '%',
      'a\0b',
      'a\nb',
    ],
    ...['a\u202eb', 'a\u200bb', '', '/'],
  ].map((fileName): [string, Json[], Target] => ['storage.upload', storage({ fileName }), U]),
  ['storage.upload', storage({}), U],
  ['storage.upload', storage({ fileName: 7 }), U],
  ['storage.upload', storage({ fileName: ['a'] }), U],
  ['storage.upload', [], U],
  ['storage.listFiles', storage({ prefix: 'reports/' }), ['reports/']],
  // It lists reports-secret/ as well.
  ['storage.listFiles', storage({ prefix: 'reports' }), U],
  ['storage.listFiles', storage({ prefix: '' }), U],
  ['storage.listFiles', storage({}), U],
  ['storage.dispatch', storage({ operation: 'remove', input: { fileName: 'a' } }), ['a']],
  ['storage.dispatch', storage({ operation: 'stats', input: { fileName: 'a', prefix: 'b/' } }), ['a', 'b/']],
  ['storage.dispatch', storage({ operation: 'remove', input: { fileName: 'a', prefix: '..' } }), U],
  ['storage.dispatch', storage({ operation: 'remove', fileName: 'a' }), U],
  ['databases.query', [P], NONE],
  ['storage.testConnection', storage({}), NONE],
]

describe('targets', () => {
  it('products and environments', () => {
    for (const [name, params, product, env] of CASES) {
      const found = targetsOf(entryOf(name), params)
      const what = `${name} ${JSON.stringify(params)}`
      assert.deepEqual(found.product, product, `${what}: product`)
      assert.deepEqual(found.env, env, `${what}: env`)
    }
  })

  it('paths', () => {
    for (const [name, params, path] of PATHS)
      assert.deepEqual(targetsOf(entryOf(name), params).path, path, `${name} ${JSON.stringify(params)}`)
  })

  it('a pointer with * finds every element', () => {
    const entry = { ...entryOf('storage.upload'), paths: ['/0/files/*/name'] }
    assert.deepEqual(targetsOf(entry, [{ files: [{ name: 'a' }, { name: 'b' }] }]).path, ['a', 'b'])
    assert.deepEqual(targetsOf(entry, [{ files: [{ name: 'a' }, { name: '../b' }] }]).path, U)
    assert.deepEqual(targetsOf(entry, [{ files: 'a' }]).path, U)
    assert.deepEqual(targetsOf(entry, [{ files: [] }]).path, U)
  })

  it('every method that takes an env or a product by its signature knows it, or says unknown', () => {
    for (const module of MODULES) {
      for (const method of allowedMethods(module)) {
        const entry = entryOf(`${module}.${method}`)
        const fields = entry.positional.flatMap((item) => Object.keys(item.fields ?? {}))
        const { env, product } = targetsOf(entry, [])
        const app = module === 'app' || entry.positional[0]?.name === 'app_tag'
        if (!app && fields.some((field) => /^(env|envs)\??$/.test(field))) assert.equal(env, U, method)
        if (fields.some((field) => /^product\??$/.test(field))) assert.equal(product, U, method)
      }
    }
  })

  it('no environment and no product at all only for these', () => {
    const without = { env: new Set<string>(), product: new Set<string>() }
    for (const module of MODULES) {
      for (const method of allowedMethods(module)) {
        const found = targetsOf(entryOf(`${module}.${method}`), [])
        if (found.product !== U) without.product.add(module)
        if (found.env !== U) without.env.add(`${module}.${method}`)
      }
    }
    assert.deepEqual([...without.product], ['app', 'webhooks', 'actions', 'secrets'])
    const other = [...without.env].filter(
      (name) => !/^(app|product|webhooks|actions)\.|\.(list|fetch|fetchAll)$/.test(name),
    )
    assert.deepEqual(other, [])
  })

  it('answers any arguments, and a value more never makes a known target of an unknown one (seed 12)', () => {
    const entries = MODULES.flatMap((module) =>
      allowedMethods(module).map((method) => entryOf(`${module}.${method}`)),
    )
    const key = fc.constantFrom(
      'product',
      'product_tag',
      'env',
      'env_slug',
      'envs',
      'slug',
      'fileName',
      'prefix',
      'input',
      '__proto__',
    )
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom<Json>(null, true, 0, 'dev', 'acme:shop', '', 'a/b', '..'),
        fc.array(tie('value')),
        fc.dictionary(key, tie('value')),
      ),
    }))
    const params = fc.array(value as fc.Arbitrary<Json>, { maxLength: 4 })
    fc.assert(
      fc.property(fc.constantFrom(...entries), params, (entry, given) => {
        for (const target of Object.values(targetsOf(entry, given)) as Target[]) {
          if (target === 'unknown') continue
          for (const item of target) assert.ok(typeof item === 'string' && item !== '')
        }
        // Every string that is named at the top of an object is in the list, so that a deny rule sees it.
        const { env } = targetsOf(entry, given)
        if (env === 'unknown' || env.length === 0) return
        for (const item of given) {
          const named =
            typeof item === 'object' && item !== null && !Array.isArray(item) && Object.hasOwn(item, 'env')
          if (named && typeof given[0] !== 'string') assert.ok(env.includes(item['env'] as string))
        }
      }),
      { seed: 12, numRuns: 1000 },
    )
  })

  it('what does not depend on the arguments is one frozen value', () => {
    const entry = entryOf('app.fetch')
    assert.equal(targetsOf(entry, ['a']), targetsOf(entry, ['b']))
    assert.ok(Object.isFrozen(targetsOf(entry, [])))
  })
})
