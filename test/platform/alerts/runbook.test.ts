// The runbook can be followed: commands with their options, keys, codes, events, files and panels that it names exist, and nothing in it is named by a word that nobody knows.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { LIVE_FILES } from '../../../src/config/index.ts'
import { CONFIG_KEYS } from '../../../src/config/keys.ts'
import { DENIALS } from '../../../src/core/denials.ts'
import { run } from '../../lib/process.ts'
import { ROOT } from '../lib/tools.ts'

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const runbook = read('docs/operate/runbook.md')
const fences = [...runbook.matchAll(/^```sh\n([\s\S]*?)^```/gm)].map(([, text = '']) => text)
const spans = [...runbook.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`]+)`/g)].map(
  ([, span = '']) => span,
)
const commands = [
  ...fences.flatMap((text) => text.split('\n').map((line) => line.replace(/ *#.*/, ''))),
  ...spans,
].filter((text) => text.startsWith('ductape-mcp '))

const values = parse(read('helm/ductape-mcp/values.yaml')) as object
const templates = globSync('helm/ductape-mcp/templates/*.*', { cwd: ROOT }).map(read).join('\n')
const sources = globSync('src/**/*.ts', { cwd: ROOT }).map(read).join('\n')
const { paths } = JSON.parse(read('docs/reference/openapi.json')) as { paths: Record<string, object> }
const titles = (
  JSON.parse(read('observability/dashboard.json')) as { panels: { title: string }[] }
).panels.map(({ title }) => title)

const isValue = (path: string): boolean =>
  path
    .split('.')
    .reduce<unknown>((inner, key) => (inner as Record<string, unknown> | null)?.[key], values) !== undefined

/** What a word in code style can be. */
const KNOWN: Readonly<Record<string, (word: string) => boolean>> = {
  'a command': (word) => word.startsWith('ductape-mcp '),
  // Its labels and containers are those of the chart.
  'a command of kubectl': (word) =>
    /^kubectl (get pods -l app\.kubernetes\.io\/name=ductape-mcp|logs POD -c app --previous)$/.test(word),
  'a request': (word) => {
    const [method = '', path = ''] = word.split(' ')
    return Object.hasOwn(paths[path] ?? {}, method.toLowerCase())
  },
  'a file of live/': (word) => LIVE_FILES.some((name) => word === `live/${name}`),
  'a key of the configuration': (word) =>
    CONFIG_KEYS.some(({ path }) => path === word || word.startsWith(`${path}: `)),
  'a value of the chart': isValue,
  'a code': (word) => Object.hasOwn(DENIALS, word),
  'a word of records, log, labels or reasons': (word) =>
    [`'${word}'`, `\`${word} `].some((literal) => sources.includes(literal)),
  'an annotation of the alerts': (word) => word === 'runbook_url',
  'a field of the manifests': (word) => new RegExp(`^ +${word}: `, 'm').test(templates),
  'a variable of OpenTelemetry': (word) => /^OTEL_[A-Z_]+$/.test(word),
  'an error of the kernel': (word) => /^E[A-Z]{2,6}$/.test(word),
}

describe('the runbook', () => {
  test('knows every word that it shows as code', () => {
    assert.ok(spans.length > 50)
    const strange = spans.filter((word) => !Object.values(KNOWN).some((isKnown) => isKnown(word)))
    assert.deepEqual([...new Set(strange)], [])
  })
  test('would not know others: the control of this', () => {
    for (const word of [
      'backend_timedout',
      'live/policies.yaml',
      'backend.maxAnswers',
      'GET /v1/admin/kills',
      'networkPolicy.egress.hook',
    ])
      assert.ok(!Object.values(KNOWN).some((isKnown) => isKnown(word)), word)
  })

  test('names commands and options that exist', async () => {
    assert.ok(commands.length > 10)
    const helps = new Map<string, Promise<string>>()
    const helpOf = (words: readonly string[]): Promise<string> => {
      const key = words.join(' ')
      const help =
        helps.get(key) ?? run([...words, '--help']).then(({ code, stdout }) => (code === 0 ? stdout : ''))
      helps.set(key, help)
      return help
    }
    for (const command of commands) {
      const [name = '', ...rest] = command
        .split(' ')
        .slice(1)
        .filter((word) => word !== '')
      const help = await helpOf([name])
      assert.match(help, new RegExp(`^ductape-mcp ${name}\\b`, 'm'), command)
      const sub = rest[0] !== undefined && /^[a-z]+$/.test(rest[0]) ? ` ${rest[0]}` : ''
      assert.match(help, new RegExp(`^ductape-mcp ${name}${sub}\\b`, 'm'), command)
      for (const option of rest.filter((word) => word.startsWith('--')))
        assert.match(help, new RegExp(`${option}\\b`), command)
      // What the usage wants before its options is there: a file, records.
      const usage = new RegExp(`^ductape-mcp ${name}${sub} ([A-Z]+)`, 'm').exec(help)?.[1]
      if (usage !== undefined) assert.match(rest[sub === '' ? 0 : 1] ?? '', /^[\w./]+$/, command)
    }
  })

  test('names panels of the dashboard', () => {
    const named = [...runbook.matchAll(/\bpanels? (.{0,60})/g)].map(([, after = '']) => after)
    assert.ok(named.length >= 3)
    for (const after of named)
      assert.ok(
        titles.some((title) => after.startsWith(title)),
        after,
      )
  })

  test('leads from every symptom to a section, and says in each what it means and what to do', () => {
    const sections = runbook.split(/^## /m).slice(1)
    assert.ok(sections.length >= 12)
    for (const section of sections)
      assert.match(section, /^\w+\n\n\*\*Means:\*\* .+ Severity (critical|warning|info)\.\n\n\*\*Do:\*\* .+/)
    const symptoms = [...runbook.matchAll(/^\| .+ \| \[(\w+)\]\(#(\w+)\) \|$/gm)]
    assert.ok(symptoms.length >= 10)
    for (const [, name = '', anchor] of symptoms) {
      assert.equal(anchor, name.toLowerCase())
      assert.ok(
        sections.some((section) => section.startsWith(`${name}\n`)),
        name,
      )
    }
  })
})
