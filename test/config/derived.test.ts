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
import { CONFIG_KEYS, CONFIG_SECTIONS, HOMES, type Home, unwrap } from '../../src/config/keys.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { configInput, printConfig } from '../../src/config/print.ts'
import { accepts } from './json-schema-check.ts'

const committed = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')

interface Node {
  readonly type?: string
  readonly properties?: Readonly<Record<string, Node>>
  readonly additionalProperties?: Node | boolean
  readonly items?: Node
  readonly anyOf?: readonly Node[]
  readonly description?: string
  readonly default?: unknown
}

const isFileReference = ({ properties }: Node): boolean => Object.keys(properties ?? {}).join() === 'file'
const isMap = (node: Node): boolean => node.properties !== undefined && !isFileReference(node)

/** What the entries of a list or map are, or the map that stands for a word, and how the step there is written. */
function below(node: Node): { node: Node; step: string } | undefined {
  const entries =
    node.items ?? (typeof node.additionalProperties === 'object' ? node.additionalProperties : undefined)
  const entry = entries ?? node
  const inner = isMap(entry) ? entry : entry.anyOf?.find(isMap)
  if (inner === undefined) return undefined
  return { node: inner, step: node.items !== undefined ? '[]' : entries !== undefined ? '.<name>' : '' }
}

/** Each key with its schema; a map is a section and no key, unless it stands for something else. */
function* keysOf(node: Node, path: string): Generator<[path: string, node: Node]> {
  if (!isMap(node)) {
    yield [path, node]
    const entry = below(node)
    if (entry !== undefined) yield* membersOf(entry.node, `${path}${entry.step}`)
    return
  }
  yield* membersOf(node, path)
}

function* membersOf(node: Node, path: string): Generator<[path: string, node: Node]> {
  assert.equal(node.additionalProperties, false, `${path} is closed`)
  for (const [name, member] of Object.entries(node.properties ?? {}))
    yield* keysOf(member, path === '' ? name : `${path}.${name}`)
}

const jsonSchema = (home: Home): Node =>
  home === 'config.yaml'
    ? (configJsonSchema() as Node)
    : (z.toJSONSchema(HOMES[home], { io: 'input', target: 'draft-2020-12' }) as Node)

describe('the key table', () => {
  for (const home of Object.keys(HOMES) as Home[]) {
    const table = CONFIG_KEYS.filter((key) => key.home === home)
    const expected = [...keysOf(jsonSchema(home), '')]

    it(`has the keys of ${home} and no other`, () => {
      assert.deepEqual(table.map(({ path }) => path).toSorted(), expected.map(([path]) => path).toSorted())
    })

    it(`gives type, default and description as the JSON Schema of ${home} does`, () => {
      const nodes = new Map(expected)
      for (const { path, type, description, default: standard } of table) {
        assert.notEqual(type, '', path)
        const node = nodes.get(path)
        assert.deepEqual([node?.description, node?.default], [description, standard], path)
      }
    })
  }

  it('gives the defaults that are in force', () => {
    const input = configInput(defaultConfig())
    for (const { path, home, default: standard } of CONFIG_KEYS) {
      // A key of a section that is not set has its default when the section is.
      if (
        home !== 'config.yaml' ||
        /[[<]|^auth\.|^store\.|^audit\.(sink|witness|ocsf)\.|^outbound\.notifications\./.test(path)
      )
        continue
      const value = path
        .split('.')
        .reduce<unknown>((node, name) => (node as Record<string, unknown>)[name], input)
      assert.deepEqual(value, standard, path)
    }
  })

  it('every field of the schema, also those inside a leaf, has a description', () => {
    const visit = (schema: z.core.$ZodType, path: string): void => {
      const inner = unwrap(schema)
      const parts = inner instanceof z.ZodUnion ? inner.options.map(unwrap) : [inner]
      for (const part of parts) {
        if (!(part instanceof z.ZodObject)) continue
        for (const [name, member] of Object.entries<z.core.$ZodType>(part.shape)) {
          const text = z.globalRegistry.get(member)?.description ?? ''
          assert.match(text, /^(?:[A-Z]|[a-z]+: |observe lets )[^|\n]+[^.\s]$/, `${path}.${name}`)
          visit(member, `${path}.${name}`)
        }
      }
    }
    for (const [home, schema] of Object.entries(HOMES)) visit(schema, home)
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
    for (const { path } of CONFIG_SECTIONS.filter(
      ({ home, path }) => home === 'config.yaml' && !path.includes('.'),
    )) {
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
      { sink: fc.oneof(fc.constant('stdout'), fc.record({ directory: path })) },
      { requiredKeys: [] },
    ),
    auth: fc.record(
      {
        apiKeys: fc.record({ maxLifetime: duration(3_600_000, 9_000_000) }, { requiredKeys: [] }),
        oauth: fc.record({
          issuers: fc.uniqueArray(
            fc.record(
              {
                issuer: origin,
                tokenType: fc.constantFrom('at+jwt', 'jwt'),
                audience: fc.array(origin, { maxLength: 2 }),
                claims: fc.record({ roles: name }),
                roles: fc.dictionary(name, fc.array(name, { maxLength: 2 }), {
                  maxKeys: 2,
                  noNullPrototype: true,
                }),
              },
              { requiredKeys: ['issuer'] },
            ),
            { minLength: 1, maxLength: 2, selector: ({ issuer }) => issuer },
          ),
          skew: duration(0, 120_000),
        }),
        dpop: fc.record({ nonce: fc.constantFrom('off', 'required') }),
      },
      { requiredKeys: ['apiKeys'] },
    ),
    credentials: fc.record({
      mode: fc.constantFrom('passthrough', 'injected'),
      tenants: fc.dictionary(
        name,
        fc.record({ mode: fc.constant('injected'), publishableKey: fc.record({ file: path }) }),
        { maxKeys: 2, noNullPrototype: true },
      ),
    }),
    keys: fc.record({ fleet: fc.record({ file: path }) }),
    store: fc.oneof(
      fc.constant('memory'),
      fc.record({
        redis: fc.record(
          { url: name.map((host) => `rediss://${host}.example:6379/0`), password: fc.record({ file: path }) },
          { requiredKeys: ['url'] },
        ),
      }),
    ),
    live: path,
    receipts: fc.record({ keys: fc.oneof(fc.constant('boot'), fc.record({ file: path })) }),
    telemetry: fc.record({ log: fc.record({ level: fc.constantFrom('debug', 'info', 'warn', 'error') }) }),
  },
  // What auth, a shared store and credential ids need.
  { requiredKeys: ['publicUrl', 'keys', 'receipts'] },
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
    for (const { path: key, home } of CONFIG_KEYS)
      if (home === 'config.yaml' && !/[[<]/.test(key))
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
