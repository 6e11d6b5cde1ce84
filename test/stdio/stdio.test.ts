// `ductape-mcp stdio` as a process: official clients, the same stages and records as HTTP, cancellation, the end of input, a slow reader, no port.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Client as Client2 } from '@modelcontextprotocol/client'
import { StdioClientTransport as Stdio2 } from '@modelcontextprotocol/client/stdio'
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport as Stdio1 } from '@modelcontextprotocol/sdk/client/stdio.js'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { EXECUTE, GENERATE, KEY } from '../lib/calls.ts'
import { type HeldBackend, startHeldBackend } from '../lib/held-backend.ts'
import { HARDENED, type Lines, MAIN, type Message, run, startLines, temporary } from '../lib/process.ts'
import { NO_LIMITS } from '../lib/serve.ts'

let emulator: Emulator
let held: HeldBackend
const files = temporary()
// The tests are not about limits.
files.file('limits.yaml', JSON.stringify(NO_LIMITS))
const open: Lines[] = []

before(async () => {
  emulator = await startEmulator({})
  held = await startHeldBackend()
})
after(async () => {
  for (const { child } of open) child.kill('SIGKILL')
  await emulator.close()
  await held.close()
  files.remove()
})

let configs = 0
const config = (backend: string, more: object = {}): string =>
  files.file(
    `config-${configs++}.yaml`,
    JSON.stringify({ backend: { url: backend }, live: files.path, ...more }),
  )

function start(backend: string, more: object = {}, options: Parameters<typeof startLines>[1] = {}): Lines {
  const lines = startLines(['--config', config(backend, more)], options)
  open.push(lines)
  return lines
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}
const call = (id: string | number, name: string, args: unknown, meta?: object): object => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: args, ...(meta !== undefined && { _meta: meta }) },
})
const cancel = (requestId: string | number): object => ({
  jsonrpc: '2.0',
  method: 'notifications/cancelled',
  params: { requestId },
})

interface RecordLine {
  type?: string
  callId?: string
  decision?: { allowed: boolean; code?: string }
  outcome?: { status: string }
  what?: Record<string, unknown>
  who?: Record<string, unknown>
}

const recordsIn = (text: string): RecordLine[] =>
  text
    .split('\n')
    .filter((line) => line.includes('"v":1'))
    .map((line) => JSON.parse(line) as RecordLine)

interface Peer {
  revision: string | undefined
  tools(): Promise<{ name: string }[]>
  call(
    name: string,
    args: object,
  ): Promise<{ content: { text?: string }[]; structuredContent?: unknown; isError?: boolean }>
  close(): Promise<void>
}

const command = (backend: string) => ({
  command: process.execPath,
  args: [...HARDENED, MAIN, 'stdio', '--config', config(backend)],
  env: {},
  stderr: 'ignore' as const,
})

async function connect1(): Promise<Peer> {
  const client = new Client1({ name: 'test', version: '1' })
  await client.connect(new Stdio1(command(emulator.url)) as Parameters<typeof client.connect>[0])
  return {
    revision: undefined,
    tools: async () => (await client.listTools()).tools,
    call: async (name, args) => (await client.callTool({ name, arguments: args as never })) as never,
    close: () => client.close(),
  }
}

async function connect2(mode: 'legacy' | 'auto' | { pin: string }): Promise<Peer> {
  const client = new Client2({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
  await client.connect(new Stdio2(command(emulator.url)))
  return {
    revision: client.getNegotiatedProtocolVersion(),
    tools: async () => (await client.listTools()).tools,
    call: async (name, args) => (await client.callTool({ name, arguments: args as never })) as never,
    close: () => client.close(),
  }
}

const PEERS: [name: string, revision: string | undefined, connect: () => Promise<Peer>][] = [
  ['SDK 1.x', undefined, connect1],
  ['SDK 2.x, legacy', '2025-11-25', () => connect2('legacy')],
  ['SDK 2.x, auto', '2026-07-28', () => connect2('auto')],
  ['SDK 2.x, pinned to 2026-07-28', '2026-07-28', () => connect2({ pin: '2026-07-28' })],
]

for (const [name, revision, connect] of PEERS) {
  test(`${name} lists and calls the three tools`, async () => {
    const peer = await connect()
    try {
      assert.equal(peer.revision, revision)
      assert.deepEqual(
        (await peer.tools()).map((tool) => tool.name),
        ['ductape_execute', 'ductape_generate_payload', 'ductape_generate_snippet'],
      )
      const executed = await peer.call('ductape_execute', EXECUTE)
      assert.equal(executed.isError ?? false, false)
      assert.match(executed.content[0]?.text ?? '', /"slug": "prd"/)
      for (const tool of ['ductape_generate_payload', 'ductape_generate_snippet']) {
        const generated = await peer.call(tool, GENERATE)
        assert.equal(generated.isError ?? false, false)
        assert.ok(generated.structuredContent)
      }
      const refused = await peer.call('ductape_execute', { module: 'product', method: 'fetch' })
      assert.equal(refused.isError, true)
      assert.match(refused.content[0]?.text ?? '', /^Not authenticated\./)
    } finally {
      await peer.close()
    }
  })
}

test('records go to standard error, the protocol alone to standard output, and a key to neither', async () => {
  const lines = start(emulator.url)
  lines.send(
    { jsonrpc: '2.0', id: 0, method: 'initialize', params: INITIALIZE },
    { jsonrpc: '2.0', method: 'notifications/initialized' },
  )
  assert.equal((await lines.next()).result?.['protocolVersion'], '2025-11-25')
  lines.send(call(1, 'ductape_execute', EXECUTE))
  assert.equal((await lines.next()).id, 1)
  lines.send(call(2, 'ductape_execute', { ...EXECUTE, params: 'no array' }))
  assert.equal((await lines.next()).result?.['isError'], true)
  lines.send('{"a', call(3, 'no_such_tool', {}))
  const refusals = [await lines.next(), await lines.next()]
  assert.deepEqual(
    refusals.map(({ id, error }) => [id, error?.code]).sort(),
    [
      [3, -32602],
      [null, -32700],
    ].sort(),
  )
  lines.stdin.end()
  assert.deepEqual(await lines.exit, { code: 0, signal: null })
  assert.deepEqual(lines.waiting(), [])

  const records = recordsIn(lines.stderr())
  const decisions = records.filter(({ type }) => type === 'decision')
  assert.deepEqual(decisions.map(({ decision }) => decision?.code ?? 'allowed').sort(), [
    'allowed',
    'argument_invalid',
    'json_malformed',
    'tool_unknown',
  ])
  const [executed] = decisions.filter(({ decision }) => decision?.allowed)
  assert.equal(executed?.what?.['transport'], 'stdio')
  assert.equal(executed?.what?.['revision'], '2025-11-25')
  assert.equal(executed?.what?.['module'], 'product')
  assert.deepEqual(executed?.who, {
    method: 'stdio',
    peer: 'stdio',
    principal: `local:${process.getuid?.()}`,
    roles: ['local'],
    subject: `local:${process.getuid?.()}`,
  })
  assert.deepEqual(
    records.filter(({ type }) => type === 'outcome').map(({ callId, outcome }) => [callId, outcome?.status]),
    [[executed?.callId, 'executed']],
  )
  assert.doesNotMatch(lines.stderr(), new RegExp(KEY))
})

const INITIALIZE = {
  protocolVersion: '2026-07-28',
  capabilities: {},
  clientInfo: { name: 'test', version: '1' },
}

test('records go to the audit file where one is configured', async () => {
  const directory = mkdtempSync(join(files.path, 'audit-'))
  const path = config(emulator.url, { audit: { sink: { directory } } })
  const done = await run(['stdio', '--config', path], {
    input: `${JSON.stringify(call(1, 'ductape_execute', EXECUTE))}\n`,
  })
  assert.equal(done.code, 0)
  assert.deepEqual(
    recordsIn(readFileSync(join(directory, readdirSync(directory)[0] as string), 'utf8')).map(
      ({ type }) => type,
    ),
    ['open', 'checkpoint', 'decision', 'outcome', 'close', 'checkpoint'],
  )
  assert.deepEqual(recordsIn(done.stderr), [])
})

test('the end of input lets the calls in flight finish', async () => {
  const lines = start(held.url)
  lines.send(call(1, 'ductape_execute', EXECUTE))
  const request = await held.next()
  lines.stdin.end()
  await lines.said('"reason":"end_of_input"')
  request.release({ data: ['late'] })
  assert.match(JSON.stringify((await lines.next()).result), /late/)
  assert.deepEqual(await lines.exit, { code: 0, signal: null })
})

test('SIGTERM takes no more lines, lets the call in flight finish and exits 0', async () => {
  const lines = start(held.url)
  lines.send(call(1, 'ductape_execute', EXECUTE))
  const request = await held.next()
  lines.child.kill('SIGTERM')
  await lines.said('"event":"draining"')
  lines.send(call(2, 'ductape_execute', EXECUTE))
  request.release({ data: 1 })
  assert.equal((await lines.next()).id, 1)
  assert.deepEqual(await lines.exit, { code: 0, signal: null })
  assert.deepEqual(lines.waiting(), [])
})

for (const [era, meta] of [
  ['2025-11-25', undefined],
  ['2026-07-28', META],
] as const) {
  test(`${era}: a cancelled generate call is given up at the backend and gets no answer`, async () => {
    const lines = start(held.url)
    lines.send(call('g', 'ductape_generate_payload', GENERATE, meta))
    const request = await held.next()
    lines.send(cancel('g'))
    await request.abandoned
    lines.stdin.end()
    assert.deepEqual(await lines.exit, { code: 0, signal: null })
    assert.deepEqual(lines.waiting(), [])
    const records = recordsIn(lines.stderr())
    const outcomes = records.flatMap(({ outcome }) => outcome?.status ?? [])
    assert.deepEqual(outcomes, ['cancelled'])
  })

  test(`${era}: a cancelled execute call that was sent finishes, is recorded and gets no answer`, async () => {
    const lines = start(held.url)
    lines.send(call('e', 'ductape_execute', EXECUTE, meta))
    const request = await held.next()
    lines.send(cancel('e'), call('after', 'ductape_execute', EXECUTE, meta))
    // The second call shows that the cancellation was read.
    const second = await held.next()
    assert.equal(request.isAbandoned(), false)
    request.release({ data: 'effect' })
    second.release({ data: 'second' })
    assert.equal((await lines.next()).id, 'after')
    lines.stdin.end()
    assert.deepEqual(await lines.exit, { code: 0, signal: null })
    assert.deepEqual(lines.waiting(), [])
    const outcomes = recordsIn(lines.stderr()).flatMap(({ outcome }) => outcome?.status ?? [])
    assert.deepEqual(outcomes, ['executed', 'executed'])
  })

  test(`${era}: progress goes to a client that asked for it, and only then`, async () => {
    const lines = start(emulator.url)
    lines.send(call(1, 'ductape_execute', EXECUTE, { ...meta, progressToken: 'p1' }))
    const got: Message[] = [await lines.next(), await lines.next(), await lines.next()]
    assert.deepEqual(
      got.map(({ method, params, id }) => [method ?? id, params?.['progressToken'], params?.['progress']]),
      [
        ['notifications/progress', 'p1', 1],
        ['notifications/progress', 'p1', 2],
        [1, undefined, undefined],
      ],
    )
    lines.send(call(2, 'ductape_execute', EXECUTE, meta))
    assert.equal((await lines.next()).id, 2)
    lines.stdin.end()
    await lines.exit
  })
}

test('a line over http.maxBody is refused while it is read, and the next one is served', async () => {
  const lines = start(emulator.url, { http: { maxBody: '4KiB' } })
  lines.stdin.write('x'.repeat(10_000))
  const refusal = await lines.next()
  assert.equal(refusal.id, null)
  assert.equal(refusal.error?.data?.['code'], 'body_too_large')
  lines.stdin.write(`${'x'.repeat(10_000)}\n`)
  lines.send({ jsonrpc: '2.0', id: 'p', method: 'ping' })
  assert.equal((await lines.next()).id, 'p')
  lines.stdin.end()
  assert.deepEqual(await lines.exit, { code: 0, signal: null })
})

test('a reader that pauses loses nothing', async () => {
  const rows = 'r'.repeat(100_000)
  const count = 100
  const lines = start(emulator.url, {}, { paused: true })
  emulator.faults.always({ kind: 'result', value: rows })
  try {
    // Only taken as fast as answers are read: the rest waits in the pipes.
    lines.send(...Array.from({ length: count }, (_, id) => call(id, 'ductape_execute', EXECUTE)))
    lines.stdin.end()
    await lines.said('"type":"outcome"')
    const ids = new Set<unknown>()
    for (let i = 0; i < count; i++) {
      const message = await lines.next()
      assert.ok(JSON.stringify(message.result).includes(rows))
      ids.add(message.id)
    }
    assert.equal(ids.size, count)
    assert.deepEqual(await lines.exit, { code: 0, signal: null })
  } finally {
    emulator.faults.clear()
  }
})

test('a client that is gone ends the process with a finding', async () => {
  const lines = start(emulator.url, {}, { paused: true })
  lines.stdout.destroy()
  lines.send(call(1, 'ductape_execute', EXECUTE))
  assert.equal((await lines.exit).code, 1)
})

test('nothing listens', { skip: process.platform !== 'linux' && 'needs /proc' }, async () => {
  const lines = start(emulator.url)
  lines.send(call(1, 'ductape_execute', EXECUTE))
  await lines.next()
  const listening = new Set(
    ['tcp', 'tcp6'].flatMap((family) =>
      readFileSync(`/proc/${lines.child.pid}/net/${family}`, 'utf8')
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .filter(([, , , state]) => state === '0A')
        .map((columns) => `socket:[${columns[9]}]`),
    ),
  )
  const descriptors = join('/proc', String(lines.child.pid), 'fd')
  const own = readdirSync(descriptors).map((name) => readlinkSync(join(descriptors, name)))
  assert.deepEqual(
    own.filter((target) => listening.has(target)),
    [],
  )
  lines.stdin.end()
  await lines.exit
})

test('--help and a wrong option', async () => {
  const help = await run(['stdio', '--help'])
  assert.equal(help.code, 0)
  assert.match(help.stdout, /Standard output carries the protocol only/)
  const wrong = await run(['stdio', '--nope'])
  assert.equal(wrong.code, 2)
  assert.doesNotMatch(wrong.stderr, /\n\s+at /)
})
