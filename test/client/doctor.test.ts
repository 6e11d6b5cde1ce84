// `ductape-mcp doctor` and `health`: what they find on a machine, in a configuration and at a service, and that they send no key.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import net from 'node:net'
import { after, before, test } from 'node:test'
import {
  type Check,
  checkBackend,
  checkClock,
  checkListener,
  checkNode,
  checkTelemetry,
} from '../../src/client/checks.ts'
import { DOCTOR_HELP, doctorCommand } from '../../src/client/doctor.ts'
import { HEALTH_HELP, healthCommand } from '../../src/client/health.ts'
import { startEmulator } from '../../src/emulator/index.ts'
import { configOf, startApp, type TestApp } from '../lib/app.ts'
import { freePort } from '../lib/ports.ts'
import { run } from '../lib/process.ts'
import { type Served, serve } from '../lib/serve.ts'
import { capture, rawStranger, type Stranger, stranger } from './lib.ts'

const NOW = Date.parse('2026-12-01T12:00:00Z')
const TIMEOUT = 3000

let app: TestApp
let served: Served
let backend: { requests: number; url: string; close(): Promise<void> }
const strangers: Stranger[] = []
const keep = (server: Stranger): Stranger => {
  strangers.push(server)
  return server
}

before(async () => {
  app = await startApp()
  let requests = 0
  const emulator = await startEmulator({ observe: () => requests++ })
  backend = {
    get requests() {
      return requests
    },
    url: emulator.url,
    close: () => emulator.close(),
  }
  served = await serve({ config: { backend: { url: emulator.url } } })
})
after(async () => {
  served.child.kill('SIGTERM')
  await served.exit
  await app.close()
  await backend.close()
  for (const server of strangers) await server.close()
})

const port = (url: string): string => new URL(url).port

interface Report {
  code: number
  ok: boolean
  checks: Map<string, Check>
}

async function doctor(
  config: object,
  argv: string[] = [],
  env: Record<string, string> = {},
): Promise<Report> {
  const captured = capture(env, { 'config.yaml': JSON.stringify(config) })
  const code = await doctorCommand(['--config', 'config.yaml', '--json', ...argv], captured.io)
  const { ok, checks } = JSON.parse(captured.out()) as { ok: boolean; checks: Check[] }
  return { code, ok, checks: new Map(checks.map((check) => [check.name, check])) }
}

const statuses = ({ checks }: Report): Record<string, string> =>
  Object.fromEntries([...checks].map(([name, { status }]) => [name, status]))

test('a machine on which nothing runs yet has no finding', async () => {
  const report = await doctor({
    listen: `127.0.0.1:${await freePort()}`,
    ops: `127.0.0.1:${await freePort()}`,
    backend: { url: backend.url },
  })
  assert.equal(report.code, 0)
  assert.equal(report.ok, true)
  assert.deepEqual(statuses(report), {
    node: 'ok',
    config: 'ok',
    listen: 'ok',
    ops: 'ok',
    ready: 'skipped',
    live: 'skipped',
    store: 'skipped',
    issuers: 'skipped',
    mtls: 'skipped',
    mcp: 'skipped',
    backend: 'ok',
    otel: 'ok',
    clock: 'ok',
  })
})

test('of several issuers one that can grant the scope of administrators is a finding', async () => {
  const issuer = `http://127.0.0.1:${await freePort()}`
  const trusting = async (...issuers: object[]) => {
    const report = await doctor({
      publicUrl: 'https://mcp.example.com',
      live: 'live',
      listen: `127.0.0.1:${await freePort()}`,
      ops: `127.0.0.1:${await freePort()}`,
      backend: { url: backend.url },
      auth: { oauth: { issuers } },
    })
    return report.checks.get('config')
  }
  const open = { issuer: `${issuer}/open` }
  assert.equal((await trusting(open))?.status, 'ok')
  const both = await trusting({ issuer, scopes: { write: ['ductape:write'] } }, open)
  assert.equal(both?.status, 'finding')
  assert.match(both.found, /issuers\[1\] has no scopes: .* ductape:admin too/)
})

test('a running service is found, asked and not disturbed', async () => {
  const before = backend.requests
  const captured = capture(
    {},
    {
      'config.yaml': JSON.stringify({
        listen: `127.0.0.1:${port(served.url)}`,
        ops: `127.0.0.1:${port(served.ops)}`,
        backend: { url: backend.url },
      }),
    },
  )
  const code = await doctorCommand(['--config', 'config.yaml'], captured.io)
  assert.equal(code, 0, captured.out())
  assert.match(captured.out(), /listen {3}ok {7}a service answers at/)
  assert.match(captured.out(), /ready {4}ok/)
  assert.match(captured.out(), /lists ductape_execute, ductape_generate_payload, ductape_generate_snippet/)
  assert.match(captured.out(), /Nothing found\.\n$/)
  assert.equal(backend.requests, before, 'the backend was connected to, never asked')
})

test('--url names a service elsewhere', async () => {
  const config = { listen: `127.0.0.1:${await freePort()}`, ops: 'off', backend: { url: backend.url } }
  const report = await doctor(config, ['--url', `${served.url}/mcp`])
  assert.equal(report.code, 0)
  assert.equal(report.checks.get('mcp')?.status, 'ok')
  assert.equal(report.checks.get('ops')?.status, 'skipped')
  const wrong = await doctor(config, ['--url', `${served.url}/elsewhere`])
  assert.equal(wrong.code, 1)
  assert.match(wrong.checks.get('mcp')?.found ?? '', /HTTP status 404/)
})

test('findings: another program on the port, no backend, a wrong variable', async () => {
  const other = keep(await stranger((_request, response) => response.end('hello')))
  const report = await doctor(
    {
      listen: `127.0.0.1:${other.port}`,
      ops: 'off',
      backend: { url: `http://127.0.0.1:${await freePort()}` },
    },
    [],
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' },
  )
  assert.equal(report.code, 1)
  assert.equal(report.ok, false)
  for (const [name, words] of [
    ['listen', /another program has http/],
    ['backend', /cannot be reached: nothing listens there/],
    ['otel', /OTEL_EXPORTER_OTLP_ENDPOINT is no http or https URL/],
  ] as const) {
    const check = report.checks.get(name)
    assert.equal(check?.status, 'finding')
    assert.match(check?.found ?? '', words)
    assert.ok(check?.remedy, 'says what to do')
  }
})

test('a configuration that does not hold exits 2 and shows each problem', async () => {
  const report = await doctor({ listen: '0.0.0.0:3001', nope: 1 })
  assert.equal(report.code, 2)
  assert.match(
    report.checks.get('config')?.found ?? '',
    /listen is not a loopback address[\s\S]*nope is not a known key/,
  )
})

test('a unix socket without an authenticator is a finding', async () => {
  const report = await doctor({ listen: 'unix:/tmp/x.sock', ops: 'off', backend: { url: backend.url } })
  assert.equal(report.checks.get('listen')?.status, 'finding')
  assert.equal(report.code, 1)
})

test('an address that this machine does not have', async () => {
  const { check } = await checkListener('ops', { host: '198.51.100.7', port: 9464 }, TIMEOUT)
  assert.match(check.found, /this machine has no such address/)
})

test('an old Node is a finding', () => {
  assert.equal(checkNode('v26.10.0').status, 'ok')
  assert.equal(checkNode('v30.0.0').status, 'ok')
  assert.equal(checkNode('v20.19.0').status, 'finding')
})

const OTEL: [name: string, env: Record<string, string>, words: RegExp | undefined][] = [
  ['nothing set', {}, undefined],
  ['an endpoint', { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' }, undefined],
  [
    'a protocol that is not sent',
    { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4317', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
    /http\/json only/,
  ],
  ['an endpoint that is no URL', { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'x' }, /TRACES_ENDPOINT is no http/],
  ['a sampler that nobody knows', { OTEL_TRACES_SAMPLER: 'sometimes' }, /OTEL_TRACES_SAMPLER is no sampler/],
  [
    'a ratio above one',
    { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '50' },
    /from 0 to 1/,
  ],
]
for (const [name, env, words] of OTEL) {
  test(`OTEL_*: ${name}`, () => {
    const check = checkTelemetry(env)
    assert.equal(check.status, words === undefined ? 'ok' : 'finding')
    if (words !== undefined) assert.match(check.found, words)
  })
}

test('a clock in the past, and one that the service disagrees with', async () => {
  assert.equal((await checkClock(() => 0, undefined, TIMEOUT)).status, 'finding')
  const late = keep(
    await stranger((_request, response) =>
      response.setHeader('date', new Date(NOW + 60_000).toUTCString()).end(),
    ),
  )
  const skewed = await checkClock(() => NOW, new URL(late.url), TIMEOUT)
  assert.match(skewed.found, /differ by 60 s/)
  const near = keep(
    await stranger((_request, response) =>
      response.setHeader('date', new Date(NOW - 2000).toUTCString()).end(),
    ),
  )
  assert.equal((await checkClock(() => NOW, new URL(near.url), TIMEOUT)).status, 'ok')
})

test('the backend behind a proxy: the tunnel is opened and nothing is sent through it', async () => {
  const lines: string[] = []
  let through = 0
  const proxy = net.createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', (head) => {
      lines.push(head.toString().split('\r\n', 1)[0] ?? '')
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      socket.on('data', (chunk) => {
        through += chunk.length
      })
    })
  })
  await new Promise<void>((resolve) => {
    proxy.listen(0, '127.0.0.1', resolve)
  })
  const { port: proxyPort } = proxy.address() as net.AddressInfo
  const base = configOf({}, 'http://127.0.0.1:4311')
  const config = { ...base, outbound: { proxy: `http://127.0.0.1:${proxyPort}` } }
  try {
    const check = await checkBackend(config, undefined, TIMEOUT)
    assert.equal(check.status, 'ok', check.found)
    assert.deepEqual(lines, ['CONNECT 127.0.0.1:4311 HTTP/1.1'])
    assert.equal(through, 0)
    // With https the handshake goes through the tunnel, and here it finds no TLS.
    const secure = await checkBackend(
      { ...config, backend: { ...config.backend, url: 'https://127.0.0.1:4311' } },
      undefined,
      300,
    )
    assert.equal(secure.status, 'finding')
    assert.ok(through > 0)
  } finally {
    proxy.close()
  }
})

test('a backend that speaks no TLS, and a certificate authority that is none', async () => {
  const plain = keep(await rawStranger('HTTP/1.1 400 Bad Request\r\n\r\n'))
  const config = configOf({}, plain.url.replace('http:', 'https:'))
  const check = await checkBackend(config, undefined, TIMEOUT)
  assert.match(check.found, /cannot be reached: it does not speak TLS/)
  const { publicKey } = generateKeyPairSync('ed25519')
  const noAuthority = publicKey.export({ type: 'spki', format: 'pem' }) as string
  assert.equal((await checkBackend(config, noAuthority, TIMEOUT)).status, 'finding')
})

test('as a process: exit codes, hardened flags, and no stack', async () => {
  const wrong = await run(['doctor', '--nope'])
  assert.equal(wrong.code, 2)
  assert.doesNotMatch(wrong.stderr, /\n\s+at /)
  const done = await run(['doctor', '--url', `${served.url}/mcp`, '--config', '/does/not/exist'])
  assert.equal(done.code, 2)
  assert.match(done.stdout, /config {3}finding .*does not exist/)
  assert.match(done.stdout, /mcp {6}ok/)
})

const healthOf = async (argv: string[]): Promise<{ code: number; out: string; err: string }> => {
  const captured = capture()
  const code = await healthCommand(argv, captured.io)
  return { code, out: captured.out(), err: captured.err() }
}

test('health: ready, not ready, not there', async () => {
  assert.deepEqual(await healthOf(['--url', served.ops]), { code: 0, out: 'ready\n', err: '' })
  const draining = keep(
    await stranger((_request, response) =>
      response.writeHead(503).end(JSON.stringify({ ready: false, reasons: ['draining', 'a\x1b[2Jb'] })),
    ),
  )
  assert.deepEqual(await healthOf(['--url', draining.url]), {
    code: 1,
    out: '',
    err: 'not ready: draining, a\\u001b[2Jb\n',
  })
  const gone = await healthOf(['--url', `http://127.0.0.1:${await freePort()}`])
  assert.equal(gone.code, 1)
  assert.match(gone.err, /^not ready: http:\/\/127\.0\.0\.1:\d+ cannot be reached: nothing listens there\n$/)
  const json = await healthOf(['--json', '--url', draining.url])
  assert.deepEqual(JSON.parse(json.out), {
    ready: false,
    reasons: ['draining', 'a\\u001b[2Jb'],
    warnings: [],
  })
})

test('health gives up in time on a service that is silent, drips or never ends', async () => {
  const silent = keep(await stranger(() => undefined))
  const dripping = keep(
    await stranger((_request, response) => {
      response.writeHead(200)
      const timer = setInterval(() => response.write('.'), 20)
      response.on('close', () => clearInterval(timer))
    }),
  )
  const endless = keep(
    await stranger((_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      }
      response.on('drain', more)
      more()
    }),
  )
  for (const { url } of [silent, dripping])
    assert.match((await healthOf(['--url', url, '--timeout', '0.2'])).err, /did not answer within 0\.2 s/)
  assert.match((await healthOf(['--url', endless.url])).err, /answers without end/)
})

test('health loads neither an SDK nor undici', async () => {
  const loaded = await run(['health', '--url', served.ops], { env: { NODE_DEBUG: 'esm' } })
  assert.equal(loaded.code, 0)
  assert.match(loaded.stderr, /client.health\.ts/, 'the debug output names what is loaded')
  assert.doesNotMatch(loaded.stderr, /node_modules.(?:@modelcontextprotocol|undici|zod)/)
})

test('both have a --help worth reading', async () => {
  assert.equal((await healthOf(['--help'])).out, HEALTH_HELP)
  const captured = capture()
  assert.equal(await doctorCommand(['--help'], captured.io), 0)
  assert.equal(captured.out(), DOCTOR_HELP)
  const listed = [...DOCTOR_HELP.matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map(([, name]) => name)
  const config = { listen: `127.0.0.1:${await freePort()}`, ops: 'off', backend: { url: backend.url } }
  assert.deepEqual(listed, [...(await doctor(config)).checks.keys()])
})
