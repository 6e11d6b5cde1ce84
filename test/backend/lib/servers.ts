// Backends for tests: one that keeps what it was sent, one on a plain socket that can break every rule, and a CONNECT proxy.
import http from 'node:http'
import https from 'node:https'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Issued } from '../../lib/certificate.ts'
import { listenLocal } from '../../lib/ports.ts'

export interface Kept {
  method: string
  path: string
  /** Names and values in turn, as they were on the wire. */
  rawHeaders: string[]
  body: string
}

export interface TestServer {
  url: string
  port: number
  close(): Promise<void>
}

export interface KeepingServer extends TestServer {
  requests: Kept[]
  /** Connections that were opened. */
  connections(): number
}

type Answer = (kept: Kept, response: http.ServerResponse) => void

export const SUCCESS =
  '{"status":true,"data":{"data":{"ok":true},"payload":{},"meta":{},"execution_time_ms":1,"request_id":"req_1"}}'

const succeed: Answer = (_kept, response) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(SUCCESS)
}

async function listening(server: Server, sockets: Set<Socket>, scheme: string): Promise<TestServer> {
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
  })
  const port = await listenLocal(server)
  return {
    url: `${scheme}://127.0.0.1:${port}`,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

/** Answers every request with `answer` and keeps it; with a certificate over https. */
export async function startKeeping(answer: Answer = succeed, tls?: Issued): Promise<KeepingServer> {
  const requests: Kept[] = []
  let connections = 0
  const listener: http.RequestListener = (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const kept = {
        method: request.method ?? '',
        path: request.url ?? '',
        rawHeaders: request.rawHeaders,
        body: Buffer.concat(chunks).toString('utf8'),
      }
      requests.push(kept)
      answer(kept, response)
    })
  }
  const server =
    tls === undefined
      ? http.createServer(listener)
      : https.createServer({ cert: tls.certificate, key: tls.key }, listener)
  server.on(tls === undefined ? 'connection' : 'secureConnection', () => connections++)
  server.on('tlsClientError', () => undefined)
  const base = await listening(server, new Set(), tls === undefined ? 'http' : 'https')
  return { ...base, requests, connections: () => connections }
}

/** Hands each connection with the bytes of each whole request to `answer`. */
export async function startRaw(
  answer: (socket: Socket, request: string, count: number) => void,
): Promise<TestServer & { requests(): number; connections(): number }> {
  let requests = 0
  let connections = 0
  const server = createServer((socket) => {
    connections++
    let text = ''
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk
      for (;;) {
        const head = text.indexOf('\r\n\r\n')
        if (head < 0) return
        const end = head + 4 + Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)
        if (text.length < end) return
        const request = text.slice(0, end)
        text = text.slice(end)
        answer(socket, request, ++requests)
      }
    })
  })
  const base = await listening(server, new Set(), 'http')
  return { ...base, requests: () => requests, connections: () => connections }
}

export interface TestProxy extends TestServer {
  /** Targets of the CONNECT requests. */
  targets: string[]
  /** Everything that went through, both ways. */
  seen(): string
}

/** A CONNECT proxy; `refuse` answers with this status instead of a tunnel, or 0 to hang up. */
export async function startProxy(refuse?: number): Promise<TestProxy> {
  const targets: string[] = []
  const chunks: Buffer[] = []
  const sockets = new Set<Socket>()
  const server = http.createServer((_request, response) => {
    response.writeHead(405).end()
  })
  server.on('connect', (request: http.IncomingMessage, socket: Socket) => {
    targets.push(request.url ?? '')
    chunks.push(Buffer.from(JSON.stringify(request.rawHeaders)))
    if (refuse === 0) {
      socket.destroy()
      return
    }
    if (refuse !== undefined) {
      socket.end(`HTTP/1.1 ${refuse} No\r\n\r\n`)
      return
    }
    const [host = '', port = ''] = (request.url ?? '').split(':')
    const onward = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      for (const [from, to] of [
        [socket, onward],
        [onward, socket],
      ] as const) {
        from.on('data', (chunk: Buffer) => chunks.push(chunk))
        from.pipe(to)
      }
    })
    sockets.add(onward)
    onward.on('error', () => socket.destroy())
    socket.on('error', () => onward.destroy())
  })
  const base = await listening(server, sockets, 'http')
  return { ...base, targets, seen: () => Buffer.concat(chunks).toString('latin1') }
}
