// The catalogue holds what the backend reference counts, and its look-ups survive every name.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  allowedMethods,
  describeCatalogue,
  describeModule,
  findMethod,
  MODULES,
  modulesWithMethod,
  nearMethods,
  nearModules,
  SNIPPET_FAMILIES,
  snippetFamily,
} from '../../src/catalogue/index.ts'
import type { Effect } from '../../src/core/tool.ts'

const FILE = new URL('../../src/catalogue/ductape.json', import.meta.url)

interface RawCatalogue {
  modules: Record<string, { summary: string; methods: Record<string, { effect: Effect }> }>
  snippetFamilies: Record<string, { module: string; methods: string[] }>
}

const text = readFileSync(FILE, 'utf8')
const raw = JSON.parse(text) as RawCatalogue

// module, allowlisted, in the file, then the allowlisted ones by effect: read, write, destructive, admin
const COUNTS: [string, number, number, number, number, number, number][] = [
  ['product', 21, 21, 9, 2, 0, 10],
  ['app', 33, 33, 16, 0, 1, 16],
  ['databases', 57, 58, 24, 20, 10, 3],
  ['graph', 58, 73, 25, 23, 8, 2],
  ['webhooks', 12, 12, 4, 1, 0, 7],
  ['notifications', 17, 21, 7, 6, 2, 2],
  ['messageBrokers', 20, 22, 11, 5, 2, 2],
  ['storage', 13, 18, 6, 3, 2, 2],
  ['vector', 39, 39, 19, 11, 7, 2],
  ['caches', 16, 18, 8, 3, 3, 2],
  ['sessions', 18, 18, 9, 3, 3, 3],
  ['quotas', 9, 11, 4, 3, 2, 0],
  ['actions', 8, 8, 2, 2, 1, 3],
  ['features', 8, 23, 3, 4, 1, 0],
  ['jobs', 20, 20, 7, 9, 3, 1],
  ['logs', 4, 5, 4, 0, 0, 0],
  ['resilience', 14, 14, 5, 6, 3, 0],
  ['health', 9, 9, 4, 4, 1, 0],
  ['fallback', 8, 8, 2, 5, 1, 0],
  ['secrets', 10, 10, 6, 0, 2, 2],
]

test('modules, methods and effects are as many as the reference counts', () => {
  assert.deepEqual(
    MODULES,
    COUNTS.map(([module]) => module),
  )
  for (const [module, allowed, all, ...byEffect] of COUNTS) {
    const entries = Object.keys(raw.modules[module]!.methods).map((method) => findMethod(module, method)!)
    const callable = entries.filter((entry) => entry.allowlisted)
    const count = (effect: Effect) => callable.filter((entry) => entry.effect === effect).length
    assert.equal(entries.length, all, module)
    assert.deepEqual(
      allowedMethods(module),
      callable.map((entry) => entry.method),
    )
    assert.equal(callable.length, allowed, module)
    assert.deepEqual([count('read'), count('write'), count('destructive'), count('admin')], byEffect, module)
  }
  const sum = (column: 1 | 2 | 3 | 4 | 5 | 6) => COUNTS.reduce((total, row) => total + row[column], 0)
  assert.deepEqual(
    [sum(1), sum(2), sum(3), sum(4), sum(5), sum(6)],
    [394, 441, 175, 110, 52, 57],
    'the totals of the table itself',
  )
  const every = Object.values(raw.modules).flatMap((module) => Object.values(module.methods))
  const everyEffect = (effect: Effect) => every.filter((entry) => entry.effect === effect).length
  assert.deepEqual(
    [everyEffect('read'), everyEffect('write'), everyEffect('destructive'), everyEffect('admin')],
    [193, 132, 58, 58],
  )
})

test('every entry is whole and its pointers point into params', () => {
  for (const module of MODULES) {
    for (const [method, facts] of Object.entries(raw.modules[module]!.methods)) {
      const entry = findMethod(module, method)
      assert.ok(entry)
      assert.deepEqual(entry, { module, method, ...facts })
      assert.match(method, /^[A-Za-z]+(\.[A-Za-z]+)*$/)
      assert.ok(['read', 'write', 'destructive', 'admin'].includes(entry.effect))
      assert.ok(entry.rawQuery === null || entry.rawQuery === 'sql' || entry.rawQuery === 'cypher')
      for (const pointer of [...entry.paths, ...entry.urls]) assert.match(pointer, /^\/\d+(\/[^/]+)*$/)
      if (entry.params !== null) assert.match(entry.params, /^\(.*\)$/)
    }
  }
})

test('the file has one method per line, so that a change of one method is a diff of one line', () => {
  const json = JSON.stringify
  const methods = (all: object) =>
    Object.entries(all)
      .map(([name, entry]) => `${json(name)}:${json(entry)}`)
      .join(',\n')
  const modules = Object.entries(raw.modules)
    .map(([name, m]) => `${json(name)}:{"summary":${json(m.summary)},"methods":{\n${methods(m.methods)}\n}}`)
    .join(',\n')
  const families = methods(raw.snippetFamilies)
  assert.equal(text, `{\n"modules":{\n${modules}\n},\n"snippetFamilies":{\n${families}\n}\n}\n`)
})

test('look-ups find what exists and nothing else', () => {
  assert.deepEqual(
    [findMethod('databases', 'query')?.effect, findMethod('databases', 'query')?.rawQuery],
    ['read', 'sql'],
  )
  assert.equal(findMethod('product', 'environments.list')?.effect, 'read')
  assert.equal(findMethod('storage', 'files.upload')?.allowlisted, false)
  assert.ok(!allowedMethods('storage').includes('files.upload'))
  assert.equal(findMethod('databases', 'Query'), undefined)
  assert.equal(findMethod('nowhere', 'query'), undefined)
  assert.deepEqual(allowedMethods('nowhere'), [])
})

const HOSTILE = [
  '',
  ' ',
  '.',
  '..',
  'constructor',
  '__proto__',
  'prototype',
  'toString',
  'hasOwnProperty',
  'query\u0000',
  'quer\u0443',
  '\u202equery',
  '\ud800',
  '(a+)+$',
  '\n'.repeat(1000),
  'a'.repeat(1_000_000),
  '.'.repeat(1_000_000),
  'list.'.repeat(200_000),
  '\u{1f600}'.repeat(250_000),
]

// Some 20 ms; comparing the long names whole would take many minutes.
test('hostile names are unknown names', { timeout: 120_000 }, () => {
  for (const name of HOSTILE) {
    assert.equal(findMethod(name, name), undefined)
    assert.deepEqual(allowedMethods(name), [])
    assert.equal(snippetFamily(name), undefined)
    assert.equal(describeModule(name), undefined)
    assert.deepEqual(nearMethods(name, name), [])
    assert.deepEqual(modulesWithMethod(name), [])
    for (const module of MODULES) {
      assert.equal(findMethod(module, name), undefined)
      assert.ok(nearMethods(module, name).length <= 5)
    }
    assert.ok(nearModules(name).length <= 3)
  }
})

test('an unknown module names the near ones', () => {
  const table: [string, string[]][] = [
    ['database', ['databases']],
    ['Databases', ['databases']],
    ['databses', ['databases']],
    ['message_brokers', ['messageBrokers']],
    ['broker', ['messageBrokers']],
    ['messaging', ['messageBrokers']],
    ['notifcation', ['notifications']],
    ['workflow', ['features']],
    ['feature', ['features']],
    ['cache', ['caches']],
    ['healthcheck', ['health']],
    ['healt', ['health']],
    ['sercets', ['secrets']],
    ['users', []],
    ['', []],
  ]
  for (const [name, near] of table) assert.deepEqual(nearModules(name), near, name)
  assert.deepEqual(nearModules('cache', 0), [])
})

test('an unknown method names the near ones', () => {
  const table: [string, string, string[]][] = [
    ['product', 'list', ['environments.list', 'apps.list', 'apps.webhooks.list', 'apps.health.list']],
    [
      'product',
      'environments',
      ['environments.create', 'environments.list', 'environments.fetch', 'environments.update'],
    ],
    ['product', 'get', ['fetch']],
    ['product', 'environments.get', ['environments.fetch']],
    ['databases', 'qeury', ['query']],
    ['databases', 'databases.query', ['query']],
    ['databases', 'find', ['fetch', 'query']],
    ['databases', 'select', ['fetch', 'query']],
    ['vector', 'find_similar', ['findSimilar']],
    ['vector', 'FINDSIMILAR', ['findSimilar']],
    ['vector', 'findSimlar', ['findSimilar']],
    ['storage', 'delete_file', []],
    ['databases', 'zzz', []],
  ]
  for (const [module, name, near] of table)
    assert.deepEqual(nearMethods(module, name), near, `${module}.${name}`)
  assert.equal(nearMethods('product', 'list', 2).length, 2)
  for (const module of MODULES) {
    // A method that is not allowed is never suggested; an allowed one is its own nearest.
    for (const method of Object.keys(raw.modules[module]!.methods)) {
      for (const near of nearMethods(module, method)) assert.ok(allowedMethods(module).includes(near))
      if (allowedMethods(module).includes(method)) assert.equal(nearMethods(module, method)[0], method)
    }
  }
})

test('a method of another module names that module', () => {
  assert.deepEqual(modulesWithMethod('findSimilar'), ['vector'])
  assert.deepEqual(modulesWithMethod('environments.list'), ['product', 'app'])
  assert.equal(modulesWithMethod('fetch').length, 3)
  // Listed by a reference page, but not allowed anywhere.
  assert.deepEqual(modulesWithMethod('files.upload'), [])
})

test('snippet families, aliases included, know their SDK path and their module', () => {
  assert.deepEqual(SNIPPET_FAMILIES, Object.keys(raw.snippetFamilies))
  assert.equal(SNIPPET_FAMILIES.length, 16)
  for (const name of SNIPPET_FAMILIES) {
    const family = snippetFamily(name)
    assert.deepEqual(family?.methods, raw.snippetFamilies[name]!.methods)
    assert.equal(family?.path, raw.snippetFamilies[name]!.module)
    assert.ok(MODULES.includes(family?.module ?? ''))
  }
  assert.deepEqual(
    [snippetFamily('workflow')?.path, snippetFamily('feature')?.path, snippetFamily('broker')?.path],
    ['workflow', 'feature', 'messageBrokers'],
  )
  assert.equal(snippetFamily('workflow')?.module, 'features')
})

test('the resources are JSON that leads from the catalogue to every callable method', () => {
  const catalogue = JSON.parse(describeCatalogue()) as {
    modules: { module: string; resource: string; summary: string; methods: number }[]
  }
  assert.equal(describeCatalogue(), describeCatalogue())
  assert.deepEqual(
    catalogue.modules.map((module) => [module.module, module.methods]),
    COUNTS.map(([module, allowed]) => [module, allowed]),
  )
  for (const { module, resource } of catalogue.modules) {
    assert.equal(resource, `ductape://catalogue/${module}`)
    const described = JSON.parse(describeModule(module) ?? '') as {
      module: string
      methods: {
        method: string
        params: string | null
        effect: string
        sensitiveResult: boolean
        note?: string
      }[]
    }
    assert.equal(described.module, module)
    assert.deepEqual(
      described.methods.map(({ method }) => method),
      allowedMethods(module),
    )
    for (const { method, note = '', ...rest } of described.methods) {
      const { params, effect, sensitiveResult, note: expected } = findMethod(module, method)!
      assert.deepEqual({ note, ...rest }, { note: expected, params, effect, sensitiveResult })
    }
    // An agent reads one whole: it has to stay far below a context window.
    assert.ok((describeModule(module) ?? '').length < 20_000, module)
  }
  assert.ok(describeCatalogue().length < 10_000)
})
