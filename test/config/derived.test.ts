// What derives from the schema: the key table, JSON Schema, reference page and printed config say the same.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import * as z from 'zod'
import {
  CONFIG_REFERENCE_PATH,
  CONFIG_SCHEMA_PATH,
  configReferenceText,
  configSchemaText,
} from '../../scripts/generate/config.ts'
import { defaultConfig } from '../../src/config/index.ts'
import { configJsonSchema } from '../../src/config/json-schema.ts'
import { CONFIG_KEYS, CONFIG_SECTIONS, unwrap } from '../../src/config/keys.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { configInput, printConfig } from '../../src/config/print.ts'
import { configSchema, LATER_KEYS } from '../../src/config/schema.ts'
import { accepts } from './json-schema-check.ts'

const committed = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

interface Node {
  readonly type?: string
  readonly properties?: Readonly<Record<string, Node>>
  readonly additionalProperties?: unknown
  readonly description?: string
  readonly default?: unknown
}

const LEAVES = new Set(['backend.ca', 'audit.sink'])

function leaves(node: Node, path: string): string[] {
  if (node.properties === undefined || LEAVES.has(path)) return [path]
  assert.equal(node.additionalProperties, false, `${path} is closed`)
  return Object.entries(node.properties).flatMap(([name, inner]) =>
    leaves(inner, path === '' ? name : `${path}.${name}`),
  )
}

function nodeAt(root: Node, path: string): Node | undefined {
  return path.split('.').reduce<Node | undefined>((node, name) => node?.properties?.[name], root)
}

describe('the key table', () => {
  const root = configJsonSchema() as Node

  it('has the keys of the JSON Schema and no other', () => {
    assert.deepEqual(CONFIG_KEYS.map(({ path }) => path).toSorted(), leaves(root, '').toSorted())
  })

  it('gives type, default and description as the JSON Schema does', () => {
    for (const { path, type, description, default: standard } of CONFIG_KEYS) {
      assert.notEqual(type, '', path)
      assert.deepEqual(
        [nodeAt(root, path)?.description, nodeAt(root, path)?.default],
        [description, standard],
        path,
      )
    }
  })

  it('gives the defaults that are in force', () => {
    const input = configInput(defaultConfig())
    for (const { path, default: standard } of CONFIG_KEYS) {
      const value = path
        .split('.')
        .reduce<unknown>((node, name) => (node as Record<string, unknown>)[name], input)
      assert.deepEqual(value, standard, path)
    }
  })

  it('shares no key with later versions', () => {
    for (const key of LATER_KEYS) assert.equal(nodeAt(root, key), undefined, key)
  })

  it('every field of the schema, also those inside a leaf, has a description', () => {
    const visit = (schema: z.core.$ZodType, path: string): void => {
      const inner = unwrap(schema)
      const parts = inner instanceof z.ZodUnion ? inner.options.map(unwrap) : [inner]
      for (const part of parts) {
        if (!(part instanceof z.ZodObject)) continue
        for (const [name, member] of Object.entries<z.core.$ZodType>(part.shape)) {
          const text = z.globalRegistry.get(member)?.description ?? ''
          assert.match(text, /^[A-Z][^|\n]+[^.\s]$/, `${path}.${name}`)
          visit(member, `${path}.${name}`)
        }
      }
    }
    visit(configSchema, '')
  })
})

describe('generated files', () => {
  it('are the committed ones', () => {
    assert.equal(committed(CONFIG_SCHEMA_PATH), configSchemaText())
    assert.equal(committed(CONFIG_REFERENCE_PATH), configReferenceText())
  })

  it('the reference page has one row a key, and no row for anything else', () => {
    const rows = [...committed(CONFIG_REFERENCE_PATH).matchAll(/^\| `([^`]+)` \|(.*)\|$/gm)]
    assert.deepEqual(rows.map((row) => row[1]).toSorted(), CONFIG_KEYS.map(({ path }) => path).toSorted())
    for (const row of rows) assert.equal(row[2]?.split('|').length, 4, String(row[1]))
    for (const { path } of CONFIG_SECTIONS.filter((section) => !section.path.includes('.'))) {
      assert.ok(committed(CONFIG_REFERENCE_PATH).includes(`\n## ${path}\n`), path)
    }
  })

  it('the example of the reference page is a config without a fault', () => {
    const example = /```yaml\n([\s\S]*?)```/.exec(committed(CONFIG_REFERENCE_PATH))?.[1]
    assert.ok(example !== undefined)
    const result = parseConfig(example, 'example')
    assert.ok(result.ok)
    assert.deepEqual(result.warnings, [])
  })
})

const duration = (min: number, max: number) => fc.integer({ min, max }).map((value) => `${value}ms`)
const port = fc.integer({ min: 10_000, max: 65_535 })
const path = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .map((name) => `/${name.replace(/[\p{C}\p{Zl}\p{Zp}\ufffd/]/gu, '_')}`)
const name = fc.stringMatching(/^[a-z]{1,8}$/)
const origin = fc.tuple(name, port).map(([host, number]) => `https://${host}.example:${number}`)

const input = fc.record(
  {
    version: fc.constant(1),
    publicUrl: origin,
    listen: fc.oneof(
      fc
        .tuple(fc.constantFrom('127.0.0.1', '127.9.9.9', '[::1]', 'localhost'), port)
        .map((part) => part.join(':')),
      path.map((text) => `unix:${text}`),
    ),
    ops: fc.oneof(
      fc.constantFrom('off', '0.0.0.0:0', '[::]:9000'),
      fc.integer({ min: 1, max: 9999 }).map((number) => `10.0.0.1:${number}`),
    ),
    http: fc.record(
      {
        allowedHosts: fc.array(
          name.map((host) => `${host}.example`),
          { maxLength: 3 },
        ),
        allowedOrigins: fc.array(origin, { maxLength: 3 }),
        maxBody: fc.integer({ min: 1024, max: 2 ** 26 }).map((value) => `${value}B`),
        headersTimeout: duration(100, 300_000),
        drainTimeout: duration(0, 600_000),
        maxConnections: fc.integer({ min: 1, max: 65_535 }),
      },
      { requiredKeys: [] },
    ),
    backend: fc.record(
      {
        url: fc.oneof(origin, fc.constant('http://localhost:4010')),
        keyPlacement: fc.constantFrom('header', 'body'),
        methodTimeouts: fc.dictionary(
          fc.tuple(name, name).map((part) => part.join('.')),
          duration(100, 1_800_000),
          { maxKeys: 3, noNullPrototype: true },
        ),
        ca: fc.record({ file: path }),
      },
      { requiredKeys: [] },
    ),
    outbound: fc.record({ proxy: port.map((number) => `http://proxy:${number}`) }, { requiredKeys: [] }),
    catalogue: fc.constantFrom('enforce', 'warn', 'off'),
    audit: fc.record(
      { sink: fc.oneof(fc.constant('stdout'), fc.record({ file: path })) },
      { requiredKeys: [] },
    ),
    telemetry: fc.record({ log: fc.record({ level: fc.constantFrom('debug', 'info', 'warn', 'error') }) }),
  },
  { requiredKeys: [] },
)

describe('the printed config', () => {
  it('reads back as the same config, and marks what was set (seed 7)', () => {
    const schema = configJsonSchema()
    fc.assert(
      fc.property(input, (value) => {
        // JSON is YAML, so the input needs no writer of its own.
        const first = parseConfig(JSON.stringify(value), 'input')
        assert.ok(first.ok, first.ok ? '' : JSON.stringify(first.problems))
        assert.ok(accepts(schema, value))
        const printed = printConfig(first.config)
        const second = parseConfig(printed, 'printed')
        assert.ok(second.ok, second.ok ? '' : JSON.stringify(second.problems))
        assert.deepEqual(second.config, first.config)
        assert.equal(printConfig(second.config), printed)
        const json = parseConfig(JSON.stringify(configInput(first.config)), 'json')
        assert.deepEqual(json.ok && json.config, first.config)
        assert.equal(
          printed.includes('# set\n'),
          JSON.stringify(configInput(first.config)) !== JSON.stringify(configInput(defaultConfig())),
        )
      }),
      { seed: 7, numRuns: 300 },
    )
  })

  it('names each key, also those that are not set', () => {
    const printed = printConfig(defaultConfig())
    for (const { path: key } of CONFIG_KEYS)
      assert.match(printed, new RegExp(`\\b${key.split('.').at(-1)}\\b`), key)
    assert.match(printed, /^# not set: publicUrl$/m)
    assert.doesNotMatch(printed, /# set$/m)
  })

  it('marks a key that was set', () => {
    const result = parseConfig('http: { maxBody: "2MiB" }\nops: off\n', 'f')
    assert.ok(result.ok)
    assert.match(printConfig(result.config), /^ {2}maxBody: "2MiB" # set$/m)
    assert.match(printConfig(result.config), /^ops: off # set$/m)
    assert.match(printConfig(result.config), /^version: 1 # default$/m)
  })
})
