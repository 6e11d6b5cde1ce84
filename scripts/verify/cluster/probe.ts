// Runs in a pod under the image's own Node: calls the service through mutual TLS, tries connections, asks DNS. Prints one JSON line.

import { Resolver } from 'node:dns/promises'
import { existsSync, readFileSync } from 'node:fs'
import https from 'node:https'
import net from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import tls from 'node:tls'

const [command, ...args] = process.argv.slice(2)
const say = (value: object): void => {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

interface Answer {
  readonly status: number
  readonly code: string
  readonly ms: number
  /** As the header has it. */
  readonly receipt: string | undefined
  readonly body: string
}

const CALL = process.env['CALL'] ?? '{}'
/** Of an agent; a person has the authority alone. */
const credentials = (folder: string): object => ({
  ca: readFileSync(`${folder}/ca.crt`),
  ...(existsSync(`${folder}/tls.crt`) && {
    cert: readFileSync(`${folder}/tls.crt`),
    key: readFileSync(`${folder}/tls.key`),
  }),
})

interface Target {
  /** Where to connect to; the name in URL and certificate stays the service's. */
  readonly address?: { readonly host: string; readonly port: number }
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

function call(
  url: string,
  agent: https.Agent,
  { address, method = 'POST', path = '/v1/tools/ductape_execute', headers, body = CALL }: Target = {},
): Promise<Answer> {
  const started = performance.now()
  const { hostname } = new URL(url)
  return new Promise((resolve) => {
    const done = (status: number, code: string, receipt?: string, text = ''): void =>
      resolve({ status, code, ms: Math.round(performance.now() - started), receipt, body: text })
    const request = https.request({
      host: hostname,
      servername: hostname,
      ...address,
      path,
      method,
      agent,
      timeout: 10_000,
      headers: {
        host: hostname,
        ...(method !== 'GET' && {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        }),
        ...headers,
      },
    })
    request.on('timeout', () => request.destroy(new Error('timeout')))
    request.on('error', (error: NodeJS.ErrnoException) => done(0, error.code ?? error.message))
    request.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('error', (error: NodeJS.ErrnoException) => done(0, error.code ?? error.message))
      response.on('end', () => {
        const { statusCode = 0 } = response
        const code = /"code":\s*"(\w+)"/.exec(text)?.[1]
        const receipt = response.headers['ductape-receipt']
        done(
          statusCode,
          statusCode === 200 ? 'ok' : (code ?? `http ${statusCode}`),
          typeof receipt === 'string' ? receipt : undefined,
          text,
        )
      })
    })
    request.end(method === 'GET' ? undefined : body)
  })
}

const fresh = (folder: string): https.Agent =>
  new https.Agent({ keepAlive: false, maxSockets: 64, ...credentials(folder) })

/** Calls each pod on a fresh connection until all of them answer as wanted, each three times in a row; says the last code and when it began. */
async function untilAll(
  url: string,
  folder: string,
  wanted: string,
  seconds: number,
  hosts: readonly string[],
): Promise<void> {
  const started = performance.now()
  const results = await Promise.all(
    hosts.map(async (host) => {
      let since = 0
      let inRow = 0
      let code = ''
      while (inRow < 3 && performance.now() - started < seconds * 1_000) {
        const at = performance.now() - started
        // The files are read each time: what the probe presents may change as well.
        code = (await call(url, fresh(folder), { address: { host, port: 8443 } })).code
        if (code === wanted) since = inRow === 0 ? at : since
        inRow = code === wanted ? inRow + 1 : 0
        await pause(100)
      }
      return [host, { code, ms: inRow < 3 ? null : Math.round(since) }] as const
    }),
  )
  say(Object.fromEntries(results))
}

function serverCertificate(url: string, folder: string, host: string): Promise<string> {
  return new Promise((resolve) => {
    const { hostname } = new URL(url)
    const socket = tls.connect({ host, port: 8443, servername: hostname, ...credentials(folder) }, () => {
      resolve(socket.getPeerCertificate().fingerprint256 ?? '')
      socket.destroy()
    })
    socket.on('error', (error) => resolve(error.message))
  })
}

/** Calls at a steady pace until standard input ends: kept connections and fresh ones in turn, so that both ways of losing a call are met. */
async function load(url: string, folder: string, perSecond: number, keepsReceipts: boolean): Promise<void> {
  const kept = new https.Agent({ keepAlive: true, maxSockets: 8, ...credentials(folder) })
  const unkept = fresh(folder)
  const codes = new Map<string, number>()
  const failures: object[] = []
  const times: number[] = []
  const receipts: string[] = []
  let going = true
  let sent = 0
  process.stdin.resume().on('end', () => {
    going = false
  })
  const open = new Set<Promise<void>>()
  const started = performance.now()
  while (going) {
    const onKept = sent % 2 === 0
    const at = new Date().toISOString()
    const one = call(url, onKept ? kept : unkept).then(({ code, ms, receipt }) => {
      if (keepsReceipts && receipt !== undefined) receipts.push(receipt)
      codes.set(code, (codes.get(code) ?? 0) + 1)
      times.push(ms)
      if (code !== 'ok' && failures.length < 20)
        failures.push({ at, code, ms, connection: onKept ? 'kept' : 'fresh' })
    })
    open.add(one)
    one.finally(() => open.delete(one))
    sent += 1
    // By the clock of the start, so that a slow moment is followed by catching up, up to a bounded number of open calls.
    const due = started + (sent * 1_000) / perSecond
    while (going && (performance.now() < due || open.size > 64)) await pause(2)
  }
  await Promise.all(open)
  times.sort((a, b) => a - b)
  const at = (share: number): number =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN
  say({
    sent,
    codes: Object.fromEntries(codes),
    failures,
    p50: at(0.5),
    p99: at(0.99),
    max: at(1),
    seconds: (performance.now() - started) / 1_000,
    receipts,
  })
}

function connect(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, timeout: 2_000 })
    const end = (how: string): void => {
      socket.destroy()
      resolve(how)
    }
    socket.on('connect', () => end('open'))
    socket.on('timeout', () => end('timeout'))
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
  })
}

async function resolve(name: string): Promise<string> {
  const resolver = new Resolver({ timeout: 1_500, tries: 1 })
  try {
    return (await resolver.resolve4(name)).join(',')
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'failed'
  }
}

switch (command) {
  case 'call': {
    const [url = '', folder = '/tls', times = '1'] = args
    for (let done = 0; done < Number(times); done++) say(await call(url, fresh(folder)))
    break
  }
  case 'ask': {
    const [url = '', folder = '', target = '{}'] = args
    say(await call(url, fresh(folder), JSON.parse(target) as Target))
    break
  }
  case 'post': {
    const [url = '', folder = '', path = '', body = ''] = args
    say(await call(url, fresh(folder), { path, body }))
    break
  }
  case 'until': {
    const [url = '', folder = '', wanted = '', seconds = '60', ...hosts] = args
    await untilAll(url, folder, wanted, Number(seconds), hosts)
    break
  }
  case 'certificates': {
    const [url = '', folder = '', ...hosts] = args
    say(
      Object.fromEntries(
        await Promise.all(
          hosts.map(async (host) => [host, await serverCertificate(url, folder, host)] as const),
        ),
      ),
    )
    break
  }
  case 'metric': {
    const [name = '', ...hosts] = args
    const value = async (host: string): Promise<string | undefined> => {
      const text = await (await fetch(`http://${host}:9464/metrics`)).text()
      return text
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.slice(name.length + 1)
    }
    say(Object.fromEntries(await Promise.all(hosts.map(async (host) => [host, await value(host)] as const))))
    break
  }
  case 'load': {
    const [url = '', folder = '/tls', perSecond = '20', receipts] = args
    await load(url, folder, Number(perSecond), receipts === 'receipts')
    break
  }
  case 'connect': {
    const results: Record<string, string> = {}
    for (const target of args) {
      const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(target) ?? []
      results[target] = await connect(host, Number(port))
    }
    say(results)
    break
  }
  case 'resolve':
    say(Object.fromEntries(await Promise.all(args.map(async (name) => [name, await resolve(name)] as const))))
    break
  case 'listen':
    // A peer for connections that policies let through or not.
    // Who only looks whether it is open goes away without reading.
    for (const port of args)
      net.createServer((socket) => socket.on('error', () => undefined).end('here\n')).listen(Number(port))
    break
  case 'issuer': {
    // An authorization server as far as a resource server sees it: its metadata and its keys.
    const [port = '', folder = '', metadata = '', keys = ''] = args
    const pair = { cert: readFileSync(`${folder}/tls.crt`), key: readFileSync(`${folder}/tls.key`) }
    https
      .createServer(pair, (request, response) => {
        const known = request.url?.startsWith('/.well-known/') ? metadata : keys
        response.setHeader('content-type', 'application/json').end(known)
      })
      .listen(Number(port))
    break
  }
  default:
    process.stderr.write('probe call|ask|issuer|post|until|certificates|metric|load|connect|resolve|listen\n')
    process.exitCode = 2
}
