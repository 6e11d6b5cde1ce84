// The lines of docs/operate/siem.md find who deleted what, over native records and over OCSF, with real jq; Python's jsonschema takes the events that ours takes.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { createOcsf } from '../../src/audit/ocsf.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { RECORDS } from '../audit/ocsf/records.ts'
import { PYTHON, path, unless } from './lib/tools.ts'

const SCHEMA = new URL('../audit/ocsf/api_activity-1.8.0.snap.json', import.meta.url)
const PAGE = readFileSync(new URL('../../docs/operate/siem.md', import.meta.url), 'utf8')

const toOcsf = createOcsf()
const EVENTS = RECORDS.map(toOcsf).filter((event) => event !== undefined)

const lines = (values: readonly JsonObject[]): string =>
  values.map((value) => `${JSON.stringify(value)}\n`).join('')

/** Runs a command of the page on standard input instead of the file that it names. */
function jq(after: string, input: string): string[][] {
  const block = /```sh\n(jq [\s\S]*?)```/.exec(PAGE.slice(PAGE.indexOf(after)))?.[1] ?? ''
  const [, options = '', program = ''] = /^jq (-\w+) '([\s\S]*)' \S+\n$/.exec(block) ?? []
  assert.notEqual(program, '', after)
  const output = execFileSync(path('jq'), [options, program], { input, encoding: 'utf8' })
  return output
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'))
}

const TIME = '2026-11-21T23:15:00.123Z'
const WHERE = '{"product":"crm","table":"orders"}'
const DELETED = ['executed', 'failed', 'unknown', 'cancelled', 'fault', 'executed', 'replayed'].map(
  (status) => [TIME, 'alice@example.com', 'databases', 'delete', WHERE, status],
)

test('jq finds who deleted what in native records', { skip: unless('jq') }, () => {
  assert.deepEqual(jq('Over native records:', lines(RECORDS)), DELETED)
})

test('jq finds who deleted what in OCSF', { skip: unless('jq') }, () => {
  assert.deepEqual(jq('Over events:', lines(EVENTS)), DELETED)
})

test("Python's jsonschema takes every event, and refuses a broken one", {
  skip: unless('python packages'),
}, () => {
  const program =
    'import json, sys, jsonschema\n' +
    'schema = jsonschema.Draft202012Validator(json.load(open(sys.argv[1], encoding="utf-8")))\n' +
    'for line in sys.stdin: print(schema.is_valid(json.loads(line)))\n'
  const broken = EVENTS.map((event) => ({ ...event, surprise: 1 }))
  const output = execFileSync(PYTHON, ['-I', '-c', program, SCHEMA.pathname], {
    input: lines([...EVENTS, ...broken]),
    encoding: 'utf8',
  })
  assert.deepEqual(output.trim().split('\n'), [...EVENTS.map(() => 'True'), ...broken.map(() => 'False')])
})
