// `ductape-mcp call`: tools of a running service from a command line, and one clear sentence for everything that can go wrong.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CALL_HELP, callCommand } from '../../src/client/call.ts'
import { startApp, type TestApp } from '../lib/app.ts'
import { KEY } from '../lib/calls.ts'
import { freePort } from '../lib/ports.ts'
import { run, temporary } from '../lib/process.ts'
import { capture, ONE_SENTENCE, rawStranger, type Stranger, stranger } from './lib.ts'

let service: TestApp
const files = temporary()
const strangers: Stranger[] = []

before(async () => {
  service = await startApp()
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
  {
    env = {},
    named = {},
    input = '',
    url = service.mcp,
  }: { env?: Record<string, string>; named?: Record<string, string>; input?: string; url?: string } = {},
): Promise<Outcome> {
  const captured = capture(env, named)
  const code = await callCommand(['--url', url, ...argv], captured.io, () => input)
  return { code, out: captured.out(), err: captured.err() }
}

const LIST = [
  'ductape_execute',
  'module=product',
  'method=environments.list',
  'params=["ductape:my-product"]',
]
const withKey = { env: { DUCTAPE_PUBLISHABLE_KEY: KEY } }

test('name=value words call the tool, and its text is printed', async () => {
  const { code, out, err } = await call([...LIST, `publishable_key=${KEY}`])
  assert.equal(err, '')
  assert.equal(code, 0)
  assert.deepEqual(
    (JSON.parse(out) as { slug: string }[]).map(({ slug }) => slug),
    ['dev', 'stg', 'prd'],
  )
})

test('--json prints the whole result', async () => {
  const { code, out } = await call(['--json', ...LIST], withKey)
  assert.equal(code, 0)
  const result = JSON.parse(out) as { content: { type: string; text: string }[] }
  assert.equal(result.content[0]?.type, 'text')
  assert.match(result.content[0]?.text ?? '', /"slug": "prd"/)
})

const OBJECT = JSON.stringify({
  module: 'product',
  method: 'environments.list',
  params: ['ductape:my-product'],
})
const SOURCES: [name: string, argument: string, more: Parameters<typeof call>[1]][] = [
  ['JSON text', OBJECT, {}],
  ['a file', '@arguments.json', { named: { 'arguments.json': OBJECT } }],
  ['standard input', '-', { input: OBJECT }],
]
for (const [name, argument, more] of SOURCES) {
  test(`--arguments takes ${name}`, async () => {
    const { code, out, err } = await call(['ductape_execute', '--arguments', argument], {
      ...withKey,
      ...more,
    })
    assert.equal(err, '')
    assert.equal(code, 0)
    assert.match(out, /"slug": "prd"/)
  })
}

test('the key comes from --key-file, else from the variable, and a written one wins', async () => {
  const files = { named: { 'key.txt': `${KEY}\n` } }
  assert.equal((await call([...LIST, '--key-file', 'key.txt'], files)).code, 0)
  const wrong = await call([...LIST, '--key-file', 'key.txt', 'publishable_key=pk_wrong_0123456789'], files)
  assert.equal(wrong.code, 1)
  assert.match(wrong.err, /Invalid key access/)
  const none = await call(LIST)
  assert.equal(none.code, 1)
  assert.match(none.err, /^Not authenticated\. Please provide the `publishable_key`/)
})

test('a tool that takes no publishable key is sent none', async () => {
  const { code, err } = await call(['ductape_generate_payload'], withKey)
  assert.equal(code, 1)
  assert.doesNotMatch(err, /publishable_key/)
})

test('values are JSON where they are JSON, and text otherwise', async () => {
  const { code, err } = await call(['ductape_execute', 'module=product', 'method=5'], withKey)
  assert.equal(code, 1)
  assert.match(err, /method/)
  const quoted = await call(
    ['ductape_execute', 'module="product"', 'method="fetch"', 'params=["ductape:my-product"]'],
    withKey,
  )
  assert.equal(quoted.code, 0, quoted.err)
})

test('--list shows each tool with its arguments, as JSON too', async () => {
  const { code, out } = await call(['--list'])
  assert.equal(code, 0)
  for (const words of ['ductape_execute', 'publishable_key   string, required', 'ductape_generate_snippet'])
    assert.ok(out.includes(words), words)
  const listed = JSON.parse((await call(['--list', '--json'])).out) as { tools: { name: string }[] }
  assert.equal(listed.tools.length, 3)
})

test('a tool error is printed to standard error and exits 1; with --json it is the result', async () => {
  const wrong = ['ductape_execute', 'module=product', 'method=environments.lst']
  const { code, out, err } = await call(wrong, withKey)
  assert.deepEqual([code, out], [1, ''])
  assert.match(err, /^\[method_unknown\]/)
  const json = await call(['--json', ...wrong], withKey)
  assert.equal(json.code, 1)
  assert.equal((JSON.parse(json.out) as { isError: boolean }).isError, true)
})

test('an unknown tool names those that exist', async () => {
  const { code, err } = await call(['nope'])
  assert.equal(code, 1)
  assert.match(err, /no tool of this name; it has ductape_execute, /)
})

test('an answer cannot drive the terminal', async () => {
  service.emulator?.faults.next({ kind: 'result', value: { name: 'a\x1b[2J\u202egnp.exe\x9b' } })
  const { code, out } = await call(LIST, withKey)
  assert.equal(code, 0)
  assert.doesNotMatch(out, /[[\p{Cc}\p{Cf}]--[\n]]/v)
  assert.deepEqual(JSON.parse(out), { name: 'a\x1b[2J\u202egnp.exe\x9b' })
})

const USAGE: [name: string, argv: string[], words: RegExp][] = [
  ['no tool', [], /Name a tool/],
  ['arguments before the tool', ['module=product'], /before its arguments/],
  ['a word that is no pair', ['t', 'word'], /"word" is no argument of the form name=value/],
  ['a name twice', ['t', 'a=1', 'a=2'], /"a" is given twice/],
  ['a number that would change', ['t', 'a=12345678901234567890'], /more digits than a double holds/],
  ['pairs and --arguments', ['t', 'a=1', '--arguments', '{}'], /not both/],
  ['--arguments that is no JSON', ['t', '--arguments', '{a'], /not usable JSON/],
  ['--arguments that is no object', ['t', '--arguments', '[]'], /takes a JSON object/],
  ['a file that is not there', ['t', '--arguments', '@none'], /"none" cannot be read \(ENOENT\)/],
  ['a key file that is not there', ['t', '--key-file', 'none'], /--key-file: the file "none" cannot be read/],
  ['a header without a name', ['t', '--header', ': x'], /--header takes name:value/],
  ['a header with a line feed', ['t', '--header', 'a: b\nc: d'], /--header takes name:value/],
  ['a timeout of zero', ['t', '--timeout', '0'], /--timeout takes seconds/],
  ['--list with a tool', ['--list', 't'], /--list takes no tool/],
]
for (const [name, argv, words] of USAGE) {
  test(`${name} is wrong usage`, async () => {
    await assert.rejects(call(argv), (error: Error) => {
      assert.equal(error.constructor.name, 'UsageError')
      assert.match(error.message, words)
      return true
    })
  })
}

for (const url of ['ftp://127.0.0.1/mcp', 'not a url', 'http://user:secret@127.0.0.1/mcp']) {
  test(`--url ${url.slice(0, 12)} is wrong usage and is not repeated`, async () => {
    await assert.rejects(call(['t'], { url }), (error: Error) => {
      assert.doesNotMatch(error.message, /secret/)
      return /--url takes/.test(error.message)
    })
  })
}

type Serve = () => Promise<string>
const strange =
  (make: () => Promise<Stranger>): Serve =>
  async () => {
    const server = await make()
    strangers.push(server)
    return `${server.url}/mcp`
  }
const JSON_REFUSAL =
  '{"jsonrpc":"2.0","id":null,"error":{"code":-31003,"message":"This replica is shutting down."}}'
const FAILURES: [name: string, serve: Serve, words: RegExp][] = [
  [
    'nothing listens',
    async () => `http://127.0.0.1:${await freePort()}/mcp`,
    /cannot be reached: nothing listens there/,
  ],
  ['a wrong path', async () => `${service.url}/mpc`, /HTTP status 404: There is nothing at this path/],
  [
    'a web page',
    strange(() =>
      stranger((_request, response) => response.setHeader('content-type', 'text/html').end('<p>')),
    ),
    /does not answer like an MCP service/,
  ],
  ['another protocol', strange(() => rawStranger('220 mail\r\n')), /cannot be reached: /],
  ['a connection that ends', strange(() => rawStranger('')), /cannot be reached: it closed the connection/],
  [
    'HTTP 401',
    strange(() => stranger((_request, response) => response.writeHead(401).end())),
    /wants authentication \(HTTP status 401\)/,
  ],
  [
    'a refusal',
    strange(() => stranger((_request, response) => response.writeHead(503).end(JSON_REFUSAL))),
    /HTTP status 503: This replica is shutting down\./,
  ],
  [
    'a redirect to another origin',
    strange(() =>
      stranger((_request, response) => response.writeHead(307, { location: 'http://127.0.0.2:1/mcp' }).end()),
    ),
    /refused|cannot be reached/,
  ],
  [
    'JSON that is no JSON-RPC',
    strange(() =>
      stranger((_request, response) => response.setHeader('content-type', 'application/json').end('{"a":1}')),
    ),
    /does not answer like an MCP service/,
  ],
  [
    'a refusal that paints the terminal',
    strange(() =>
      stranger((_request, response) =>
        response.writeHead(400).end(JSON.stringify({ error: { message: '\x1b[2J\u202eboo' } })),
      ),
    ),
    /\\u001b\[2J\\u202eboo\./,
  ],
]
for (const [name, serve, words] of FAILURES) {
  test(`${name}: one sentence, exit 1`, async () => {
    const { code, out, err } = await call(['ductape_execute'], { url: await serve() })
    assert.deepEqual([code, out], [1, ''])
    assert.match(err, ONE_SENTENCE)
    assert.match(err, words)
  })
}

test('a service that does not answer in time: one sentence, exit 1', async () => {
  const silent = await stranger(() => undefined)
  strangers.push(silent)
  const { code, err } = await call(['--timeout', '0.2', 'ductape_execute'], { url: silent.url })
  assert.equal(code, 1)
  assert.match(err, ONE_SENTENCE)
  assert.match(err, /no answer within 0\.2 s/)
})

test('headers go with every request', async () => {
  const seen: (string | undefined)[] = []
  const server = await stranger((request, response) => {
    seen.push(request.headers['x-team'] as string | undefined)
    response.writeHead(401).end()
  })
  strangers.push(server)
  await call(['--header', 'X-Team: blue', 't'], { url: server.url })
  assert.deepEqual(seen, ['blue'])
})

test('as a process: the hardened flags hold, a long result reaches the pipe whole, and exit codes are right', async () => {
  const text = 'x'.repeat(3_000_000)
  service.emulator?.faults.next({ kind: 'result', value: text })
  const keyFile = files.file('key.txt', KEY)
  const done = await run(['call', '--url', service.mcp, '--key-file', keyFile, ...LIST])
  assert.equal(done.stderr, '')
  assert.equal(done.code, 0)
  assert.equal(JSON.parse(done.stdout), text)
  const usage = await run(['call', '--url', service.mcp])
  assert.equal(usage.code, 2)
  const unreachable = await run(['call', '--url', `http://127.0.0.1:${await freePort()}/mcp`, 't'])
  assert.equal(unreachable.code, 1)
  assert.match(unreachable.stderr, ONE_SENTENCE)
})

test('--help explains the arguments, the key and the exit codes', async () => {
  const { code, out } = await call(['--help'])
  assert.equal(code, 0)
  assert.equal(out, CALL_HELP)
  for (const words of ['name=value', '--key-file', 'DUCTAPE_PUBLISHABLE_KEY', 'Exit codes', 'Examples'])
    assert.ok(out.includes(words), words)
})
