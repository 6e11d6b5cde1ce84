// Runs the service as a process of its own, sends keys in every place, and searches everything that comes out of it.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { type Child, startChild } from '../../lib/child.ts'
import { createClient, type HttpClient, type Received } from '../../lib/http-client.ts'
import { listenLocal } from '../../lib/ports.ts'
import { NO_LIMITS } from '../../lib/serve.ts'
import { LEAKY_REPLIES, type ScriptedBackend, startScriptedBackend } from './canary-backend.ts'
import {
  callRequest,
  canaryRequests,
  ERAS,
  executeArguments,
  generateArguments,
  makeKey,
  type Planted,
} from './canary-requests.ts'
import { formProblem, leakProblem } from './judge.ts'

export interface CanaryReport {
  /** Requests sent, and keys planted in them and in the backend's answers. */
  requests: number
  keys: number
  /** What came out beside the answers: bytes of each, so that an empty search is seen. */
  searched: { records: number; log: number; spans: number; metrics: number; readyz: number }
  problems: string[]
}

/** Raw, percent-encoded and base64 forms; one needle for each base64 alignment. */
function needles(key: string): string[] {
  const base64 = [0, 1, 2].map((lead) => {
    const whole = Buffer.from(`${'-'.repeat(lead)}${key}`).toString('base64')
    return whole.slice(lead === 0 ? 0 : lead + 1, Math.floor(((key.length + lead) * 4) / 3))
  })
  const percent = [...Buffer.from(key)].map((byte) => `%${byte.toString(16)}`).join('')
  return [key, key.replaceAll('_', '%5F'), percent, percent.toUpperCase(), ...base64]
}

/** The text as it stands and with JSON escapes and case undone, so that no form of writing hides a key. */
function readings(text: string): string[] {
  const unescaped = text.replace(/\\u([0-9a-fA-F]{4})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return [text, unescaped]
}

/** The beginning that all planted keys have. */
const COMMON = needles('pk_live_canary').concat(needles('pk_held_0123'))

export function findKeys(text: string, planted: readonly Planted[]): Planted[] {
  const views = readings(text)
  return COMMON.some((needle) => views.some((view) => view.includes(needle))) ? findIn(views, planted) : []
}

/** The same for secrets that begin in any way. */
export const findSecrets = (text: string, planted: readonly Planted[]): Planted[] =>
  findIn(readings(text), planted)

const findIn = (views: readonly string[], planted: readonly Planted[]): Planted[] =>
  planted.filter(({ key }) => needles(key).some((needle) => views.some((view) => view.includes(needle))))

export interface Sink {
  url: string
  bodies: string[]
  close(): Promise<void>
}

/** Takes what the OpenTelemetry exporter sends. */
export async function startSink(): Promise<Sink> {
  const bodies: string[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      bodies.push(JSON.stringify(request.headers), Buffer.concat(chunks).toString('utf8'))
      response.end('{}')
    })
  })
  const port = await listenLocal(server)
  return {
    url: `http://127.0.0.1:${port}`,
    bodies,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

export const ANY_RATE = { perMinute: 10_000_000, burst: 1_000_000 }

interface Running {
  child: Child
  url: string
  ops: string
}

async function startService(directory: string, backend: ScriptedBackend, sink: Sink): Promise<Running> {
  const config = path.join(directory, 'config.yaml')
  writeFileSync(path.join(directory, 'limits.yaml'), JSON.stringify(NO_LIMITS))
  // The records show of the arguments whatever a rule can make them show: shape, safe fields and the arguments themselves.
  const rule = { tool: '*', approval: 'none', record: 'redacted' }
  writeFileSync(
    path.join(directory, 'policy.yaml'),
    JSON.stringify({ roles: { local: { allow: [rule], deny: [] } } }),
  )
  writeFileSync(
    config,
    [
      'version: 1',
      'listen: "127.0.0.1:0"',
      'ops: "127.0.0.1:0"',
      `backend: { url: "${backend.url}" }`,
      'telemetry: { log: { level: debug } }',
      // A run is one caller, and as fast as it can be.
      `live: ${JSON.stringify(directory)}`,
      `http: { peerRate: ${JSON.stringify(ANY_RATE)} }`,
      '',
    ].join('\n'),
  )
  const child = startChild(['src/main.ts', 'serve', '--config', config], {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url },
  })
  const [, url = '', ops = ''] = await child.says(/"event":"started".*"url":"([^"]+)","ops":"([^"]+)"/)
  return { child, url, ops: `http://${ops}` }
}

/** Keys in requests: none may come back, but the id to its own caller. */
async function sendPlanted(client: HttpClient, report: CanaryReport, planted: Planted[]): Promise<void> {
  for (const { name, request, planted: own, exempt } of canaryRequests()) {
    planted.push(...own)
    const received = await client.send(request)
    report.requests++
    const shown = exempt === undefined ? received : { ...received, body: withoutId(received.body, exempt) }
    const problem =
      formProblem(new URL(request.path, 'http://x').pathname, received) ?? answerProblem(shown, own)
    if (problem !== undefined)
      report.problems.push(`${name}: ${problem}: ${received.status} ${received.body.slice(0, 300)}`)
  }
}

const withoutId = (body: string, key: string): string =>
  body.replace(`"id":${JSON.stringify(key)}`, '"id":null')

function answerProblem(received: Received, planted: readonly Planted[]): string | undefined {
  const inside = leakProblem(received, [])
  if (inside !== undefined) return inside
  const found = findKeys(`${JSON.stringify(received.headers)}\n${received.body}`, planted)
  return found.length === 0 ? undefined : `the answer holds the key of: ${found[0]?.place}`
}

/** Keys in the backend's answers: the call's own is replaced. */
async function sendLeaky(
  client: HttpClient,
  backend: ScriptedBackend,
  report: CanaryReport,
  planted: Planted[],
): Promise<void> {
  for (const reply of LEAKY_REPLIES) {
    for (const era of ERAS) {
      for (const tool of ['ductape_execute', 'ductape_generate_snippet']) {
        const place = `${era} ${tool}, backend answers with ${reply.name}`
        const own = { place, key: makeKey() }
        const foreign = { place: `${place} (foreign)`, key: makeKey() }
        planted.push(own, foreign)
        backend.script.set(own.key, reply.make(own.key, foreign.key))
        const args = tool === 'ductape_execute' ? executeArguments(own.key) : generateArguments(own.key)
        const received = await client.send(callRequest(era, { tool, arguments: args }))
        report.requests++
        const problem =
          answerProblem(received, [own]) ??
          (reply.marks && !received.body.includes('[REDACTED]')
            ? 'nothing shows that a key was taken out'
            : undefined)
        if (problem !== undefined)
          report.problems.push(`${place}: ${problem}: ${received.status} ${received.body.slice(0, 400)}`)
      }
    }
  }
}

/** What is no HTTP at all, and the other listener. */
async function sendOdd(running: Running, report: CanaryReport, planted: Planted[]): Promise<void> {
  for (const [origin, text] of [
    [running.url, (key: string) => `POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\n${key}\r\n\r\n`],
    [running.url, (key: string) => `GET /${key} HTTP/1.1\r\nhost: ${key}.example\r\n\r\n`],
    [running.url, (key: string) => `${key} / HTTP/9.9\r\n\r\n`],
    [
      running.url,
      (key: string) => `POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ${key}${'x'.repeat(20_000)}\r\n\r\n`,
    ],
    [
      running.ops,
      (key: string) => `GET /${key}?${key} HTTP/1.1\r\nhost: ${key}\r\nconnection: close\r\n\r\n`,
    ],
    [
      running.ops,
      (key: string) =>
        `${key} /metrics HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\nconnection: close\r\n\r\n`,
    ],
  ] as const) {
    const own = {
      place: `raw bytes to ${origin === running.ops ? 'the ops listener' : 'the main listener'}`,
      key: makeKey(),
    }
    planted.push(own)
    const body = await exchange(origin, text(own.key))
    report.requests++
    if (findKeys(body, [own]).length > 0)
      report.problems.push(`${own.place}: the answer holds the key: ${body.slice(0, 300)}`)
  }
}

function exchange(origin: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(origin)
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = connect(Number(port), hostname, () => socket.end(bytes))
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text
    })
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' ? resolve(received) : reject(error),
    )
    socket.on('close', () => resolve(received))
  })
}

export async function runCanary(): Promise<CanaryReport> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'ductape-mcp-canary-'))
  const backend = await startScriptedBackend()
  const sink = await startSink()
  const report: CanaryReport = {
    requests: 0,
    keys: 0,
    searched: { records: 0, log: 0, spans: 0, metrics: 0, readyz: 0 },
    problems: [],
  }
  const planted: Planted[] = [{ place: 'the key of many calls', key: 'pk_held_0123456789abcdef' }]
  const running = await startService(directory, backend, sink)
  try {
    const client = createClient(running.url, 1)
    await sendPlanted(client, report, planted)
    await sendLeaky(client, backend, report, planted)
    await sendOdd(running, report, planted)
    client.close()
    const metrics = await (await fetch(`${running.ops}/metrics`)).text()
    const readyz = await (await fetch(`${running.ops}/readyz`)).text()
    const code = await running.child.stop()
    if (code !== 0) report.problems.push(`the service ended with ${code}`)
    const outputs = {
      records: running.child.stdout(),
      log: running.child.stderr(),
      spans: sink.bodies.join('\n'),
      metrics,
      readyz,
    }
    for (const member of ['args', 'safe', 'shape'])
      if (!outputs.records.includes(`"${member}":{`)) report.problems.push(`no record has ${member}`)
    for (const [name, text] of Object.entries(outputs)) {
      report.searched[name as keyof typeof outputs] = text.length
      for (const { place } of findKeys(text, planted))
        report.problems.push(`${name} hold the key planted in: ${place}`)
    }
    report.keys = planted.length
    return report
  } finally {
    await running.child.stop('SIGKILL')
    await Promise.all([backend.close(), sink.close()])
    rmSync(directory, { recursive: true, force: true })
  }
}
