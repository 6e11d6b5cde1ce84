// Config files: what is refused with which words, what is accepted, and that nothing secret is quoted.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parse as parseYaml } from 'yaml'
import { defaultConfig, formatProblems, type Problem } from '../../src/config/index.ts'
import { configJsonSchema } from '../../src/config/json-schema.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { BAD_FILES } from './bad-files.ts'
import { accepts } from './json-schema-check.ts'

function problemsOf(text: string): readonly Problem[] {
  const result = parseConfig(text, 'config.yaml')
  return result.ok ? [] : result.problems
}

function configOf(text: string) {
  const result = parseConfig(text, 'config.yaml')
  assert.ok(result.ok, result.ok ? '' : formatProblems(result.problems))
  return result
}

describe('bad config files', () => {
  const schema = configJsonSchema()
  for (const [seenBy, text, ...expected] of BAD_FILES) {
    it(JSON.stringify(text.length > 70 ? `${text.slice(0, 67)}...` : text), () => {
      const problems = problemsOf(text)
      const found = problems.map(({ path, line, column }) => [path, line, column])
      assert.deepEqual(
        found,
        expected.map(([path, line, column]) => [path, line, column]),
        formatProblems(problems),
      )
      for (const [index, [, , , message]] of expected.entries()) {
        assert.match(problems[index]?.message ?? '', message)
        assert.notEqual(problems[index]?.fix, '')
      }
      // The JSON Schema refuses what it can see and nothing that the parser accepts.
      if (seenBy !== 'yaml') assert.equal(accepts(schema, parseYaml(text)), seenBy === 'parse')
    })
  }

  it('are at least 60', () => assert.ok(BAD_FILES.length >= 60))

  it('never have a text value of theirs in the report', () => {
    const keys = ['publicUrl', 'listen', 'ops', 'catalogue', 'version', 'audit', 'http', 'unknown']
    for (const key of keys) {
      for (const value of [
        'canary-4711',
        '"https://canary-4711@h.example"',
        '[canary-4711',
        '!x canary-4711',
        '*canary-4711',
        '"canary-4711\\q"',
        '"a\\u0000canary-4711"',
        '{ file: canary-4711/ }',
        'x: canary-4711',
      ]) {
        assert.doesNotMatch(formatProblems(problemsOf(`${key}: ${value}\n`)), /canary/, `${key}: ${value}`)
      }
    }
  })

  it('show no control character of a key', () => {
    const report = formatProblems(problemsOf('"a\\e[2J\\u202Eb\\u0000": 1\n'))
    assert.doesNotMatch(report, /[^\P{C}\n]/u)
  })

  it('report at most 100 problems and how many more there are', () => {
    const problems = problemsOf(Array.from({ length: 500 }, (_, index) => `k${index}: 1\n`).join(''))
    assert.equal(problems.length, 101)
    assert.match(problems[100]?.message ?? '', /and 400 more/)
  })

  it('name the nearest known key', () => {
    const fixes = [
      'telemtry: {}',
      'public_url: x',
      'http: { maxBdoy: 1 }',
      'drainTimeout: "1s"',
      'zzzzzz: 1',
    ].map((text) => problemsOf(text)[0]?.fix)
    assert.deepEqual(fixes.slice(0, 4), [
      'Did you mean telemetry?',
      'Did you mean publicUrl?',
      'Did you mean maxBody?',
      'Did you mean http.drainTimeout? It stands elsewhere in the file.',
    ])
    assert.match(fixes[4] ?? '', /^Remove it; the keys here are version, publicUrl, peopleUrl, listen,/)
  })

  it('name nginx where the main listener would face the network', () => {
    assert.match(problemsOf('listen: 0.0.0.0:3001\n')[0]?.fix ?? '', /nginx/)
  })

  it('any text is answered, never thrown at (seed 3)', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'http',
        ':',
        ' ',
        '\n',
        '\n  ',
        '- ',
        '[',
        ']',
        '{',
        '}',
        '"',
        "'",
        '&a ',
        '*a',
        '!t ',
        '#',
        '|',
        '>',
        '%',
        '? ',
        '<<',
        '1e999',
        '~',
        'version',
        '"1MiB"',
        '\t',
        '\r',
        '---',
        '...',
      ),
      fc.string({ unit: 'binary', maxLength: 4 }),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const result = parseConfig(pieces.join(''), 'f')
        assert.ok(result.ok || result.problems.length > 0)
        if (!result.ok)
          for (const { line, column, fix } of result.problems)
            assert.ok(line >= 1 && column >= 1 && fix !== '')
      }),
      { seed: 3, numRuns: 2000 },
    )
  })

  it('nesting to the size limit is refused in bounded time', () => {
    for (const text of [
      '['.repeat(200_000),
      `${'a: {'.repeat(50_000)}`,
      `a: ${'[&a '.repeat(50_000)}`,
      '? '.repeat(100_000),
      '- '.repeat(100_000),
    ]) {
      assert.notEqual(problemsOf(text).length, 0)
    }
  })
})

describe('good config files', () => {
  it('an empty file, comments only and {} are the defaults', () => {
    for (const text of ['', '\n', '# nothing\n', '{}', '---\n', '\uFEFFversion: 1\n']) {
      assert.deepEqual(configOf(text).config, defaultConfig(), JSON.stringify(text))
    }
  })

  it('the defaults', () => {
    assert.deepEqual(defaultConfig(), {
      version: 1,
      listen: { kind: 'tcp', host: '127.0.0.1', port: 3001 },
      ops: { host: '127.0.0.1', port: 9464 },
      http: {
        allowedHosts: [],
        allowedOrigins: [],
        maxBody: 1_048_576,
        headersTimeout: 10_000,
        bodyTimeout: 30_000,
        idleTimeout: 75_000,
        maxConnections: 1024,
        peerRate: { perMinute: 6000, burst: 1000 },
        drainTimeout: 25_000,
        keepAliveInterval: 15_000,
      },
      backend: {
        url: 'https://api.ductape.app',
        keyPlacement: 'header',
        timeout: 30_000,
        methodTimeouts: {},
        connections: 256,
        maxAnswer: 10_485_760,
      },
      outbound: {},
      catalogue: 'enforce',
      response: { maxResult: 10_485_760 },
      credentials: { mode: 'passthrough', tenants: {} },
      keys: {},
      store: 'memory',
      audit: {
        mode: 'best-effort',
        sink: 'stdout',
        maxFileSize: 268_435_456,
        fsync: 'second',
        maxQueue: 8_388_608,
        timeout: 2000,
      },
      receipts: {},
      replay: { retention: 3_600_000, require: 'none' },
      telemetry: { log: { level: 'info' } },
    })
  })

  const GOOD: readonly (readonly [
    text: string,
    pick: (config: ReturnType<typeof defaultConfig>) => unknown,
    value: unknown,
  ])[] = [
    ['ops: off', ({ ops }) => ops, undefined],
    ['ops: 0.0.0.0:0', ({ ops }) => ops, { host: '0.0.0.0', port: 0 }],
    ['ops: "[::]:9464"', ({ ops }) => ops, { host: '::', port: 9464 }],
    ['listen: localhost:0', ({ listen }) => listen, { kind: 'tcp', host: 'localhost', port: 0 }],
    ['listen: 127.200.0.9:80', ({ listen }) => listen, { kind: 'tcp', host: '127.200.0.9', port: 80 }],
    ['listen: "[::1]:3001"', ({ listen }) => listen, { kind: 'tcp', host: '::1', port: 3001 }],
    ['listen: unix:/run/app/app.sock', ({ listen }) => listen, { kind: 'unix', path: '/run/app/app.sock' }],
    ['listen: 127.0.0.1:0\nops: 127.0.0.1:0', ({ ops }) => ops, { host: '127.0.0.1', port: 0 }],
    ['listen: 127.0.0.2:9464', ({ ops }) => ops, { host: '127.0.0.1', port: 9464 }],
    ['publicUrl: https://mcp.example.com:8443', ({ publicUrl }) => publicUrl, 'https://mcp.example.com:8443'],
    ['publicUrl: http://localhost:3001', ({ publicUrl }) => publicUrl, 'http://localhost:3001'],
    ['publicUrl: "http://[::1]:3001"', ({ publicUrl }) => publicUrl, 'http://[::1]:3001'],
    ['backend: { url: "http://127.0.0.1:4010" }', ({ backend }) => backend.url, 'http://127.0.0.1:4010'],
    [
      'backend: { methodTimeouts: { databases.schema.createIndex: "5m" } }',
      ({ backend }) => backend.methodTimeouts,
      { 'databases.schema.createIndex': 300_000 },
    ],
    ['backend: { ca: { file: ca.pem } }', ({ backend }) => backend.ca, { file: 'ca.pem' }],
    ['audit: { sink: { directory: /var/log/a } }', ({ audit }) => audit.sink, { directory: '/var/log/a' }],
    [
      'outbound: { proxy: "http://proxy.internal:80" }',
      ({ outbound }) => outbound.proxy,
      'http://proxy.internal:80',
    ],
    [
      'outbound: { proxy: "https://[fd00::1]:3128" }',
      ({ outbound }) => outbound.proxy,
      'https://[fd00::1]:3128',
    ],
    [
      'http: { allowedHosts: [mcp, "a.example:80", "[::1]:3001", 10.0.0.1] }',
      ({ http }) => http.allowedHosts,
      ['mcp', 'a.example:80', '[::1]:3001', '10.0.0.1'],
    ],
    [
      'http: { allowedOrigins: ["http://localhost:5173", "https://b.example"] }',
      ({ http }) => http.allowedOrigins,
      ['http://localhost:5173', 'https://b.example'],
    ],
    [
      'http:\n  drainTimeout: 0s\n  maxBody: 2048B\n',
      ({ http }) => [http.drainTimeout, http.maxBody],
      [0, 2048],
    ],
    ['catalogue: "off"', ({ catalogue }) => catalogue, 'off'],
    ['catalogue: off', ({ catalogue }) => catalogue, 'off'],
    ['telemetry: { log: { level: debug } }', ({ telemetry }) => telemetry.log.level, 'debug'],
  ]
  const schema = configJsonSchema()
  for (const [text, pick, value] of GOOD) {
    it(text, () => {
      assert.deepEqual(pick(configOf(text).config), value)
      assert.ok(accepts(schema, parseYaml(text)))
    })
  }

  it('are frozen to the bottom, and so are the defaults', () => {
    for (const config of [defaultConfig(), configOf('version: 1').config]) {
      assert.ok(
        Object.isFrozen(config) &&
          Object.isFrozen(config.http.allowedHosts) &&
          Object.isFrozen(config.telemetry.log),
      )
    }
  })

  it('settings without effect are warnings with their place', () => {
    const { warnings } = configOf(
      'catalogue: off\npublicUrl: https://a.example\nresponse:\n  maxResult: "20MiB"\nhttp: { drainTimeout: 0s, allowedHosts: [a.example] }\n',
    )
    assert.deepEqual(
      warnings.map((warning) => warning.split(' ').slice(0, 2).join(' ')),
      [
        'config.yaml:1:12: catalogue',
        'config.yaml:4:14: response.maxResult',
        'config.yaml:5:23: http.drainTimeout',
        'config.yaml:5:41: http.allowedHosts',
      ],
    )
  })

  it('keys that are demanded and forgotten at the next start are a warning', () => {
    const of = (text: string): readonly string[] => configOf(text).warnings
    assert.match(
      of('replay: { require: write }\n').join(),
      /^config.yaml:1:20: replay.require demands keys that/,
    )
    assert.deepEqual(of('replay: { require: none }\n'), [])
    assert.deepEqual(
      of(
        'replay: { require: write }\nstore: { redis: { url: "redis://127.0.0.1:1/0" } }\nkeys: { fleet: { file: a } }\n',
      ),
      [],
    )
  })

  it('of several issuers one that can grant every scope is a warning, at its place', () => {
    const trusting = (...issuers: string[]) =>
      configOf(
        `publicUrl: https://a.example\nlive: live\nauth:\n  oauth:\n    issuers:\n${issuers.map((one) => `      - ${one}\n`).join('')}receipts: { keys: boot }\n`,
      ).warnings
    const open = (name: string) => `{ issuer: "https://${name}.example", roles: { a: [reader] } }`
    const closed = (name: string) => `{ issuer: "https://${name}.example", scopes: { w: ["ductape:write"] } }`
    const none = (name: string) => `{ issuer: "https://${name}.example", scopes: {} }`
    const said =
      'has no scopes: of several issuers, this one can grant every scope, ductape:admin too. Give it scopes: a map with one row for each scope that it may grant.'
    for (const [issuers, ...expected] of [
      [[open('a')]],
      [[closed('a'), closed('b')]],
      [[closed('a'), none('b')]],
      [[closed('a'), open('b')], `config.yaml:7:9: auth.oauth.issuers[1] ${said}`],
      [[open('a'), open('b')], `config.yaml:6:9: auth.oauth.issuers[0] ${said}`],
    ] as const)
      assert.deepEqual(trusting(...issuers), expected)
  })

  it('credentials that are held for nobody, and authenticators without a policy, are warnings', () => {
    const GROUNDLESS =
      'has no effect but refusals: without auth no caller has a tenant. Configure auth, or remove it.'
    const held = '{ publishableKey: { file: k } }'
    for (const [text, ...expected] of [
      ['credentials: { mode: injected }\n', `config.yaml:1:22: credentials.mode ${GROUNDLESS}`],
      [
        `credentials:\n  tenants:\n    acme: ${held.replace('{', '{ mode: injected,')}\n`,
        `config.yaml:3:11: credentials.tenants.acme ${GROUNDLESS}`,
      ],
      [
        `publicUrl: https://a.example\nauth: { apiKeys: {} }\nreceipts: { keys: boot }\ncredentials: { mode: injected, tenants: { acme: ${held} } }\n`,
        'config.yaml:1:1: live is not set: without live/policy.yaml every call is refused. Name a folder that holds policy.yaml.',
      ],
      [
        `publicUrl: https://a.example\nauth: { apiKeys: {} }\nreceipts: { keys: boot }\nlive: live\nkeys: { fleet: { file: f } }\ncredentials: { tenants: { acme: { credentialIds: ["k1.${'a'.repeat(43)}"] } } }\n`,
      ],
    ] as const)
      assert.deepEqual(configOf(text).warnings, expected)
  })
})
