// What the pages and examples/ show can be copied: every file of YAML is one that this build takes, JSON parses, commands have the options they are shown with.
import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { listOperations } from '../../src/catalogue/operations.ts'
import { formatProblems, type LiveFile, type Problem } from '../../src/config/index.ts'
import { HOMES, type Home } from '../../src/config/keys.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { createLive } from '../../src/runtime.ts'
import { NO_LIMITS } from '../lib/app.ts'
import { run } from '../lib/process.ts'
import { page, ROOT } from './pages.ts'

const PAGES = [
  'docs/clients.md',
  'docs/reference/cel.md',
  ...globSync('docs/{operate,concepts}/*.md', { cwd: ROOT }).sort(),
]
const FILES = globSync('examples/**/*.yaml', { cwd: ROOT }).sort()

interface Block {
  readonly language: string
  readonly text: string
  /** `page.md:line` */
  readonly place: string
}

/** The fenced blocks of a page. */
function blocksOf(path: string): Block[] {
  const { text } = page(path)
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(
    ({ 1: language = '', 2: body = '', index }) => ({
      language,
      text: body,
      place: `${path}:${text.slice(0, index).split('\n').length}`,
    }),
  )
}

const blocks = PAGES.flatMap(blocksOf)

const keysOf = (home: Home): readonly string[] => Object.keys(HOMES[home].shape)

const CHART = new Set(Object.keys(parse(page('helm/ductape-mcp/values.yaml').text) as object))

const POD = new Set(['volumes', 'containers', 'initContainers', 'securityContext'])

/** The file that has all these keys; `kubernetes` for a manifest or the part of one; `chart` for values of Helm; undefined for none of them. */
function kindOf(text: string): Home | 'kubernetes' | 'chart' | undefined {
  const parsed = (parse(text) ?? {}) as Record<string, unknown>
  const names = Object.keys(parsed)
  if (names.includes('apiVersion') && names.includes('kind')) return 'kubernetes'
  if (names.length > 0 && names.every((name) => POD.has(name))) return 'kubernetes'
  const own = names.filter((name) => name !== 'version')
  // The one name that two files have: key records are a list, the fleet keys of config.yaml are not.
  if (own.join() === 'keys') return Array.isArray(parsed['keys']) ? 'live/keys.yaml' : 'config.yaml'
  const homes = (Object.keys(HOMES) as Home[]).filter((home) =>
    own.every((name) => keysOf(home).includes(name)),
  )
  if (own.length > 0 && homes.length === 1) return homes[0]
  return own.length > 0 && own.every((name) => CHART.has(name)) ? 'chart' : undefined
}

// Dates in examples/policy and docs/operate/policy.md lie within 30 days of it.
const NOW = Date.parse('2026-12-01T00:00:00Z')

/** Everything that a service would say of this file at its start. */
async function liveProblems(file: LiveFile, text: string): Promise<Problem[]> {
  const found: Problem[] = []
  const bytes = Buffer.from(text)
  const applied: (void | Promise<void>)[] = []
  await createLive({
    directory: '/live',
    watcher: {
      watch: (path, apply) => {
        if (path === `/live/${file}`) applied.push(apply({ bytes, digest: '' }))
      },
      look: async () => undefined,
    },
    authenticated: true,
    stableCredentialIds: true,
    operations: listOperations(false),
    revocations: { setLive: () => undefined, addLive: () => undefined },
    kill: { setLive: () => undefined, addLive: () => undefined },
    onApplied: () => undefined,
    onRefused: (_, problems) => found.push(...problems),
    now: () => NOW,
    limits: NO_LIMITS,
  })
  await Promise.all(applied)
  return found
}

async function check(text: string, place: string): Promise<void> {
  const kind = kindOf(text)
  assert.ok(kind !== undefined, `${place} is no file of this service, and no part of a manifest`)
  // The platform tier renders the chart with them.
  if (kind === 'kubernetes' || kind === 'chart') return
  assert.equal(await saidOf(kind, text, place), '', place)
}

async function saidOf(home: Home, text: string, place: string): Promise<string> {
  if (home !== 'config.yaml')
    return formatProblems(await liveProblems(home.slice('live/'.length) as LiveFile, text))
  const result = parseConfig(text, place)
  return result.ok ? result.warnings.join('\n') : formatProblems(result.problems)
}

describe('YAML', () => {
  const shown = blocks.filter(({ language }) => language === 'yaml')

  it('stands in the pages', () => assert.ok(shown.length >= 15))

  for (const { text, place } of shown) it(place, () => check(text, place))

  for (const path of FILES) it(path, () => check(page(path).text, path))

  it('of no known kind is told', async () => {
    for (const text of ['a: 1\n', 'roles: {}\nkeys: []\n', 'version: 1\n', ''])
      await assert.rejects(check(text, 'here'), /is no file of this service/)
    await assert.rejects(check('listen: 0.0.0.0:3001\n', 'here'), /listen/)
    await assert.rejects(check('tools: { nothing: {} }\n', 'here'), /neither a tool/)
  })
})

describe('JSON', () => {
  const shown = blocks.filter(({ language }) => language === 'json')

  it('stands in the pages', () => assert.ok(shown.length >= 2))

  for (const { text, place } of shown) it(place, () => void JSON.parse(text))

  for (const path of globSync('examples/**/*.json', { cwd: ROOT }))
    it(path, () => void JSON.parse(page(path).text))
})

describe('commands', () => {
  /** `key create` and its like, with every option that some page shows it with. */
  const shown = new Map<string, Set<string>>()
  for (const { language, text } of blocks) {
    if (language !== 'sh') continue
    for (const [, line = ''] of text.replaceAll('\\\n', ' ').matchAll(/^(?:\w+=\S+ )*ductape-mcp (.*)$/gm)) {
      const name = line.split(' ')[0] ?? ''
      const options = shown.get(name) ?? new Set()
      shown.set(name, options)
      // Up to a pipe or comment, and without what stands in quotes.
      const own = line.replace(/'[^']*'|"[^"]*"/g, "''").split(/ [|#] /)[0] ?? ''
      for (const [option] of own.matchAll(/(?<= )--[a-z-]+/g)) options.add(option)
    }
  }

  it('stand in the pages', () => assert.ok(shown.size >= 5, [...shown.keys()].join()))

  for (const [name, options] of shown)
    it(`${name} has ${[...options].join(' ') || 'no option here'}`, async () => {
      const { code, stdout } = await run([name, '--help'])
      assert.equal(code, 0)
      for (const option of options) assert.match(stdout, new RegExp(`${option}\\b`), `${name} ${option}`)
    })
})
