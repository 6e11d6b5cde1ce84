// `call`, `doctor` and `health` against a service that knows its callers: the token comes from a file, and a refusal is explained.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { UsageError } from '../../src/cli/io.ts'
import { callCommand } from '../../src/client/call.ts'
import { type Check, checkSocket } from '../../src/client/checks.ts'
import { doctorCommand } from '../../src/client/doctor.ts'
import { healthCommand } from '../../src/client/health.ts'
import { KEY } from '../lib/calls.ts'
import { run, temporary } from '../lib/process.ts'
import { capture, ONE_SENTENCE, type Stranger, stranger } from './lib.ts'
import { type Secured, startSecured } from './secured-lib.ts'

let service: Secured
const files = temporary()
const strangers: Stranger[] = []
before(async () => {
  service = await startSecured()
})
after(async () => {
  await service.close()
  for (const server of strangers) await server.close()
  files.remove()
})

interface Outcome {
  code: number
  out: string
  err: string
}

async function call(
  argv: string[],
  token?: string,
  { env = {}, url = service.mcp }: { env?: Record<string, string>; url?: string } = {},
): Promise<Outcome> {
  const captured = capture(env, { ...(token !== undefined && { 'token.txt': `${token}\n` }), 'key.txt': KEY })
  const option =
    token === undefined || env['DUCTAPE_MCP_TOKEN_FILE'] !== undefined ? [] : ['--token-file', 'token.txt']
  const code = await callCommand(['--url', url, ...option, ...argv], captured.io, () => '')
  return { code, out: captured.out(), err: captured.err() }
}

const READ = [
  'ductape_execute',
  '--key-file',
  'key.txt',
  'module=product',
  'method=environments.list',
  'params=["ductape:my-product"]',
]
const WRITE = [
  'ductape_execute',
  '--key-file',
  'key.txt',
  'module=product',
  'method=create',
  'params=[{"name":"x"}]',
]

describe('call', () => {
  test('a token file, or the variable that names one, is who calls', async () => {
    const { code, out, err } = await call(READ, service.reader)
    assert.equal(err, '')
    assert.equal(code, 0)
    assert.match(out, /"slug": "prd"/)
    const named = await call(READ, service.reader, { env: { DUCTAPE_MCP_TOKEN_FILE: 'token.txt' } })
    assert.equal(named.code, 0, named.err)
    const decision = service.records().findLast(({ type }) => type === 'decision')
    assert.equal(decision?.who?.['keyId'], 'k0')
  })

  test('as a process, with the token in a real file', async () => {
    const done = await run(['call', '--url', service.mcp, '--list'], {
      env: { DUCTAPE_MCP_TOKEN_FILE: files.file('token.txt', service.reader) },
    })
    assert.equal(done.stderr, '')
    assert.equal(done.code, 0)
    assert.match(done.stdout, /^ductape_execute$/m)
  })

  const REFUSED: [name: string, argv: string[], token: () => string | undefined, words: RegExp][] = [
    [
      'no token',
      READ,
      () => undefined,
      /HTTP status 401 \(token_missing\): This service needs an access token, .*\. Name the file of a token or API key with --token-file\.\n$/,
    ],
    [
      'a key that nobody has',
      READ,
      () => service.reader.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
      /HTTP status 401 \(key_invalid\): The API key is not known.* Ask the operator for a key/,
    ],
    [
      'a token of a form that is not taken',
      READ,
      () => 'a.b.c',
      /HTTP status 401 \(token_invalid\): .* Get a new token/,
    ],
    [
      'a scope that is not there',
      WRITE,
      () => service.writer,
      /HTTP status 403 \(scope_insufficient\): This operation needs the scope ductape:\w+\. Get a token with that scope\.\n$/,
    ],
    [
      'a caller without a role',
      READ,
      () => service.stranger,
      /shows this caller no tools; its policy gives no role/,
    ],
  ]
  for (const [name, argv, token, words] of REFUSED) {
    test(`${name}: the code, and what to do`, async () => {
      const { code, out, err } = await call(argv, token())
      assert.deepEqual([code, out], [1, ''])
      assert.match(err, words)
      assert.match(err, ONE_SENTENCE)
    })
  }

  test('a role that does not allow it is the answer of the tool', async () => {
    const { code, err } = await call(WRITE, service.reader)
    assert.equal(code, 1)
    assert.match(err, /^Access denied: tool "ductape_execute" is not permitted for role "reader"/)
  })

  test('a token does not follow a redirect to another origin', async () => {
    const seen: (string | undefined)[] = []
    const thief = await stranger((request, response) => {
      seen.push(request.headers.authorization)
      response.writeHead(404).end()
    })
    const gate = await stranger((_request, response) =>
      response.writeHead(307, { location: `${thief.url.replace('127.0.0.1', 'localhost')}/mcp` }).end(),
    )
    strangers.push(thief, gate)
    const { code } = await call(['--list'], service.reader, { url: `${gate.url}/mcp` })
    assert.equal(code, 1)
    // Whether it is followed is up to the SDK.
    assert.ok(seen.every((header) => header === undefined))
  })

  const USAGE: [name: string, argv: string[], token: string | undefined, words: RegExp, url?: string][] = [
    ['an empty file', ['--list'], '', /--token-file: the file does not hold one token/],
    ['two words', ['--list'], 'canary one', /does not hold one token/],
    ['a whole header', ['--list'], 'Bearer canary', /does not hold one token/],
    ['too long', ['--list'], 'canary'.repeat(4000), /does not hold one token/],
    [
      'a file that is not there',
      ['--list', '--token-file', 'none'],
      undefined,
      /--token-file: the file "none" cannot be read/,
    ],
    [
      'a header on the command line',
      ['--list', '--header', 'Authorization: Bearer canary'],
      undefined,
      /--token-file/,
    ],
    ['plain http to another machine', ['--list'], 'canary', /over https only/, 'http://mcp.example.com/mcp'],
    [
      'plain http to a lookalike',
      ['--list'],
      'canary',
      /over https only/,
      'http://127.0.0.1.example.com/mcp',
    ],
  ]
  for (const [name, argv, token, words, url] of USAGE) {
    test(`${name} is wrong usage, and no token is repeated`, async () => {
      await assert.rejects(call(argv, token, url === undefined ? {} : { url }), (error: Error) => {
        assert.ok(error instanceof UsageError)
        assert.match(error.message, words)
        assert.doesNotMatch(error.message, /canary/)
        return true
      })
    })
  }
})

async function doctor(
  config: Record<string, unknown>,
  argv: string[] = [],
  more: Record<string, string> = {},
): Promise<{ code: number; checks: Map<string, Check> }> {
  const live = String(config['live'])
  const captured = capture(
    {},
    {
      'config.yaml': JSON.stringify(config),
      ...Object.fromEntries(
        ['policy.yaml', 'keys.yaml'].map((name) => [
          `${live}/${name}`,
          readFileSync(join(live, name), 'utf8'),
        ]),
      ),
      ...more,
    },
  )
  const code = await doctorCommand(['--config', 'config.yaml', '--json', ...argv], captured.io)
  const { checks } = JSON.parse(captured.out()) as { checks: Check[] }
  return { code, checks: new Map(checks.map((check) => [check.name, check])) }
}

describe('doctor', () => {
  test('knows a service that keeps strangers out, and asks it with a token', async () => {
    const without = await doctor(service.config)
    assert.equal(without.code, 0, JSON.stringify([...without.checks.values()], null, 1))
    assert.match(without.checks.get('listen')?.found ?? '', /a service answers at/)
    assert.equal(without.checks.get('ready')?.status, 'ok')
    assert.equal(without.checks.get('live')?.found, 'good: policy.yaml, keys.yaml')
    assert.equal(without.checks.get('mcp')?.status, 'skipped')
    assert.match(without.checks.get('mcp')?.found ?? '', /\(token_missing\).*--token-file/)

    const named = ['--token-file', 'token.txt']
    const known = await doctor(service.config, named, { 'token.txt': service.reader })
    assert.equal(known.code, 0)
    assert.match(known.checks.get('mcp')?.found ?? '', /lists ductape_execute/)
    const wrong = await doctor(service.config, named, { 'token.txt': 'a.b.c' })
    assert.equal(wrong.code, 1)
    assert.match(wrong.checks.get('mcp')?.found ?? '', /\(token_invalid\)/)
    const roleless = await doctor(service.config, named, { 'token.txt': service.stranger })
    assert.match(roleless.checks.get('mcp')?.found ?? '', /lists no tools/)
  })

  test('a service that is ready and warns is a finding; health says so and is content', async () => {
    const warning = await stranger((_request, response) =>
      response.end(
        JSON.stringify({ ready: true, reasons: [], warnings: ['live/policy.yaml is not valid\x1b[2J'] }),
      ),
    )
    strangers.push(warning)
    const { checks, code } = await doctor({ ...service.config, ops: new URL(warning.url).host })
    assert.equal(code, 1)
    assert.match(checks.get('ready')?.found ?? '', /^ready, and warns: live\/policy\.yaml is not valid/)
    const captured = capture()
    assert.equal(await healthCommand(['--url', warning.url], captured.io), 0)
    assert.equal(captured.out(), 'ready\n')
    assert.equal(captured.err(), 'warning: live/policy.yaml is not valid\\u001b[2J\n')
  })
})

describe('a unix socket', () => {
  const path = join(files.path, 'mcp.sock')
  let behind: Secured
  before(async () => {
    behind = await startSecured(path)
  })
  after(() => behind.close())

  test('is found, and the ops listener says the rest', async () => {
    const { code, checks } = await doctor(behind.config)
    assert.equal(code, 0, JSON.stringify([...checks.values()], null, 1))
    assert.equal(checks.get('listen')?.found, `a service answers at unix:${path}`)
    assert.equal(checks.get('ready')?.status, 'ok')
    assert.equal(checks.get('mcp')?.status, 'skipped')
    assert.match(checks.get('mcp')?.found ?? '', /--url/)
    const captured = capture()
    assert.equal(await healthCommand(['--url', behind.ops], captured.io), 0)
    assert.equal(captured.out(), 'ready\n')
  })

  test('that nobody has, a file, a folder that is not there, and another program', async () => {
    const at = (name: string): string => join(files.path, name)
    assert.deepEqual(await checkSocket(at('free.sock'), 500), {
      name: 'listen',
      status: 'ok',
      found: `unix:${at('free.sock')} is free; nothing runs there`,
    })
    writeFileSync(at('file.sock'), '')
    mkdirSync(at('folder.sock'))
    const silent = createServer(() => undefined)
    await new Promise<void>((resolve) => silent.listen(at('silent.sock'), resolve))
    try {
      for (const [name, words] of [
        ['file.sock', /is a file and no socket/],
        ['folder.sock', /is a file and no socket/],
        ['nowhere/mcp.sock', /its folder is not there/],
        ['silent.sock', /another program has/],
      ] as const) {
        const check = await checkSocket(at(name), 500)
        assert.equal(check.status, 'finding', name)
        assert.match(check.found, words)
        assert.ok(check.remedy)
      }
    } finally {
      silent.close()
    }
  })
})
