// The notices of the bundle: each package has its licence, and what its compiled files hold of others is named too.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { thirdPartyNotices } from '../../scripts/lib/notices.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const SQL = 'node_modules/libpg-query/wasm/index.cjs'
const ZOD = 'node_modules/zod/index.js'
const WORKS = ['libpg_query', 'PostgreSQL Global Development Group', 'protobuf-c authors', 'Yann Collet']

const holds = (text: string): readonly boolean[] => WORKS.map((work) => text.includes(work))

test('the parser of SQL brings the notices of what it is compiled from, another package does not', () => {
  const sql = thirdPartyNotices(ROOT, [SQL])
  assert.deepEqual(
    holds(sql),
    WORKS.map(() => true),
  )
  // Its own licence stays the first.
  assert.ok(sql.indexOf('The MIT License') < sql.indexOf('libpg_query'))
  assert.deepEqual(
    holds(thirdPartyNotices(ROOT, [ZOD])),
    WORKS.map(() => false),
  )
})

test('each folder of foreign code that the compiled parser names has its notice', () => {
  const binary = readFileSync(join(ROOT, 'node_modules/libpg-query/wasm/libpg-query.wasm'), 'latin1')
  const named = new Set([...binary.matchAll(/vendor\/([\w-]+)\//g)].map(([, name = '']) => name))
  assert.ok(named.size > 0)
  const notices = thirdPartyNotices(ROOT, [SQL])
  for (const name of named) assert.match(notices, new RegExp(`^${name}$`, 'm'))
})

test('our own files and a file that stands twice add nothing', () => {
  const once = thirdPartyNotices(ROOT, [ZOD])
  assert.match(once, /^zod \d/m)
  assert.equal(thirdPartyNotices(ROOT, ['src/main.ts', ZOD, 'node_modules/zod/v4/core/core.js']), once)
})
