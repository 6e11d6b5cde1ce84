// The checks of `doctor`: each looks at one thing and says what it found and what to do about it.
import { lstatSync, type Stats, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { dirname } from 'node:path'
import type { Config } from '../config/index.ts'
import { terminalPhrase } from '../core/terminal.ts'
import { probe } from '../outbound.ts'
import { traceTarget } from '../telemetry/spans.ts'
import { ClientFailure, connectionReason } from './failure.ts'
import { get, serviceUrl } from './get.ts'
import { readiness } from './health.ts'
import { connectService, NotAdmitted } from './service.ts'

export interface Check {
  name: string
  /** `skipped`: there is nothing to look at, and that is no fault. */
  status: 'ok' | 'finding' | 'skipped'
  found: string
  /** What to do about a finding. */
  remedy?: string
}

export const ok = (name: string, found: string): Check => ({ name, status: 'ok', found })
export const skipped = (name: string, found: string): Check => ({ name, status: 'skipped', found })
export const finding = (name: string, found: string, remedy: string): Check => ({
  name,
  status: 'finding',
  found,
  remedy,
})

const NODE_MAJOR = 26

export function checkNode(version: string): Check {
  return Number.parseInt(version.slice(1), 10) >= NODE_MAJOR
    ? ok('node', version)
    : finding(
        'node',
        `${version} is older than ${NODE_MAJOR}`,
        'Run with the Node.js of this package: npm ci brings it, and npm start uses it.',
      )
}

export interface Address {
  host: string
  port: number
}

const originOf = ({ host, port }: Address): string =>
  `http://${host.includes(':') ? `[${host}]` : host}:${port}`

/** Where a wildcard listener can be asked. */
const askable = (address: Address): Address =>
  address.host === '0.0.0.0'
    ? { ...address, host: '127.0.0.1' }
    : address.host === '::'
      ? { ...address, host: '::1' }
      : address

/** A listener is free, or taken by a service that answers `path` as ours does. */
export async function checkListener(
  name: 'listen' | 'ops',
  address: Address,
  timeout: number,
): Promise<{ check: Check; running: URL | undefined }> {
  const shown = originOf(address)
  const code = await bind(address)
  if (code === undefined)
    return { check: ok(name, `${shown} is free; nothing runs there`), running: undefined }
  if (code !== 'EADDRINUSE') {
    const why =
      code === 'EADDRNOTAVAIL'
        ? 'this machine has no such address'
        : code === 'EACCES'
          ? 'this user may not use the port'
          : code
    return {
      check: finding(name, `${shown} cannot be used: ${why}`, `Change ${name} in the configuration.`),
      running: undefined,
    }
  }
  const url = new URL(originOf(askable(address)))
  if (await answersAsOurs(name, url, timeout))
    return { check: ok(name, `a service answers at ${shown}`), running: url }
  return {
    check: finding(
      name,
      `another program has ${shown}`,
      `End that program, or change ${name} in the configuration.`,
    ),
    running: undefined,
  }
}

/** Error code of an attempt to listen, undefined where it worked. */
function bind({ host, port }: Address): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'unknown reason'))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}

/** A service that wants a token first says so in a refusal of its own form. */
async function answersAsOurs(
  name: 'listen' | 'ops',
  url: URL,
  timeout: number,
  socket?: string,
): Promise<boolean> {
  try {
    const { body } = await get(new URL(name === 'listen' ? '/openapi.json' : '/readyz', url), timeout, socket)
    const value = JSON.parse(body) as { info?: { title?: unknown }; type?: unknown; ready?: unknown } | null
    if (name === 'ops') return typeof value?.ready === 'boolean'
    return value?.info?.title === 'ductape-mcp' || String(value?.type).startsWith('urn:ductape-mcp:refusal:')
  } catch {
    return false
  }
}

/** The same for a unix socket; nothing is bound, because that would put a file there. */
export async function checkSocket(path: string, timeout: number): Promise<Check> {
  const shown = `unix:${path}`
  let found: Stats | undefined
  try {
    if (!statSync(dirname(path)).isDirectory()) throw new Error('no folder')
    found = lstatSync(path, { throwIfNoEntry: false })
  } catch {
    return finding(
      'listen',
      `${shown}: its folder is not there, or this user may not look into it`,
      'Create the folder, run doctor as the user of the service, or change listen.',
    )
  }
  if (found === undefined) return ok('listen', `${shown} is free; nothing runs there`)
  if (!found.isSocket())
    return finding('listen', `${shown} is a file and no socket`, 'Remove it, or change listen.')
  const code = await connectCode(path, timeout)
  if (code === 'ECONNREFUSED') return ok('listen', `${shown} was left by a process that has ended`)
  if (code === 'EACCES')
    return finding(
      'listen',
      `${shown} may not be opened by this user`,
      'Run doctor as the user of the service, or as one of its group.',
    )
  return (await answersAsOurs('listen', new URL('http://localhost'), timeout, path))
    ? ok('listen', `a service answers at ${shown}`)
    : finding('listen', `another program has ${shown}`, 'End that program, or change listen.')
}

/** Error code of an attempt to connect, undefined where it worked. */
function connectCode(path: string, timeout: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const settle = (code: string | undefined): void => {
      socket.destroy()
      resolve(code)
    }
    socket.setTimeout(timeout, () => settle('ETIMEDOUT'))
    socket.once('connect', () => settle(undefined))
    socket.once('error', (error: NodeJS.ErrnoException) => settle(error.code ?? 'unknown reason'))
  })
}

export async function checkReady(ops: URL | undefined, timeout: number): Promise<Check> {
  if (ops === undefined) return skipped('ready', 'no ops listener runs')
  const { ready, reasons, warnings } = await readiness(ops, timeout)
  if (!ready)
    return finding(
      'ready',
      `not ready: ${[...reasons, ...warnings].join(', ')}`,
      'Read the log of the service; `draining` ends with a restart.',
    )
  return warnings.length === 0
    ? ok('ready', `${ops.origin}/readyz says ready`)
    : finding(
        'ready',
        `ready, and warns: ${warnings.join(', ')}`,
        'Mend it; the log of the service says more.',
      )
}

export async function checkMcp(
  url: URL | undefined,
  headers: Readonly<Record<string, string>>,
  timeout: number,
): Promise<Check> {
  if (url === undefined)
    return skipped(
      'mcp',
      'no service can be asked here; start one with `ductape-mcp serve`, or name one with --url',
    )
  try {
    const service = await connectService({ url, headers, timeout })
    try {
      const tools = await service.tools()
      const names = tools.map(({ name }) => terminalPhrase(name)).join(', ')
      return tools.length > 0
        ? ok('mcp', `${url.href} lists ${names}`)
        : finding(
            'mcp',
            `${url.href} lists no tools`,
            'Check that the URL is that of ductape-mcp, and that its policy gives this caller a role.',
          )
    } finally {
      await service.close()
    }
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    // A service that keeps strangers out does what it should.
    if (error instanceof NotAdmitted && error.status === 401 && !('authorization' in headers))
      return skipped('mcp', error.message)
    return finding(
      'mcp',
      error.message,
      error instanceof NotAdmitted
        ? 'Check the token, and the policy of the service.'
        : 'Check the URL, and that the service runs and its proxy lets MCP through.',
    )
  }
}

/** Connects and, for https, shakes hands; no request and no key is sent. */
export async function checkBackend(config: Config, ca: string | undefined, timeout: number): Promise<Check> {
  const { url } = config.backend
  const { proxy } = config.outbound
  const way = proxy === undefined ? url : `${url} through ${serviceUrl(proxy)?.origin ?? 'the proxy'}`
  try {
    await probe('backend', { origin: url, connections: 1, ca, proxy, connectTimeout: timeout })
    return ok('backend', `${way} accepts connections`)
  } catch (error) {
    const reason =
      connectionReason(error) ?? terminalPhrase(error instanceof Error ? error.message : 'unknown reason')
    return finding(
      'backend',
      `${way} cannot be reached: ${reason}`,
      'Check backend.url, backend.ca and outbound.proxy, the name service, and the egress rules of the network.',
    )
  }
}

const SAMPLERS = new Set([
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
])

/** A typing error in one of these variables would else be silence. */
export function checkTelemetry(env: Readonly<Record<string, string | undefined>>): Check {
  const target = traceTarget(env)
  const problem = target.ok ? (endpointProblem(env) ?? samplerProblem(env)) : target.problem
  if (problem !== undefined)
    return finding('otel', problem, 'Correct the variable; the OpenTelemetry specification documents it.')
  const endpoint = target.ok ? target.endpoint : undefined
  if (endpoint === undefined) return ok('otel', 'off: no OTLP endpoint, or switched off')
  return ok('otel', `spans go to ${new URL(endpoint).origin}`)
}

function endpointProblem(env: Readonly<Record<string, string | undefined>>): string | undefined {
  for (const name of ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']) {
    const value = env[name]
    if (!value) continue
    const url = URL.canParse(value) ? new URL(value) : undefined
    if (url?.protocol !== 'http:' && url?.protocol !== 'https:') return `${name} is no http or https URL`
  }
  return undefined
}

function samplerProblem(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const sampler = env['OTEL_TRACES_SAMPLER']
  if (sampler && !SAMPLERS.has(sampler)) return 'OTEL_TRACES_SAMPLER is no sampler that OpenTelemetry knows'
  const ratio = env['OTEL_TRACES_SAMPLER_ARG']
  if (sampler?.endsWith('traceidratio') && ratio && !(Number(ratio) >= 0 && Number(ratio) <= 1))
    return 'OTEL_TRACES_SAMPLER_ARG is no number from 0 to 1'
  return undefined
}

/** The day of the protocol revision that this build speaks: a clock before it is wrong. */
const EARLIEST = Date.parse('2026-07-28T00:00:00Z')
const MAX_SKEW = 5000

/** Tokens, records and certificates depend on the clock; a running service's Date header is a second opinion. */
export async function checkClock(
  now: () => number,
  running: URL | undefined,
  timeout: number,
): Promise<Check> {
  const before = now()
  if (before < EARLIEST)
    return finding(
      'clock',
      `${new Date(before).toISOString()} is before this program was written`,
      'Set the clock of this machine.',
    )
  if (running === undefined) return ok('clock', new Date(before).toISOString())
  try {
    const { headers } = await get(new URL('/readyz', running), timeout)
    const theirs = Date.parse(headers.date ?? '')
    if (Number.isNaN(theirs)) return ok('clock', new Date(before).toISOString())
    // A Date header has whole seconds, and the answer took a while.
    const skew = theirs > now() ? theirs - now() : before - (theirs + 999)
    if (skew > MAX_SKEW)
      return finding(
        'clock',
        `the clocks of this machine and of ${running.origin} differ by ${Math.round(skew / 1000)} s`,
        'Synchronise both machines (NTP).',
      )
    return ok('clock', `${new Date(before).toISOString()}, as the service has it`)
  } catch (error) {
    if (!(error instanceof ClientFailure)) throw error
    return ok('clock', new Date(before).toISOString())
  }
}
