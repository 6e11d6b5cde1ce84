// What the command tests share: a command with its streams in memory, and servers that are not ours.
import http, { type RequestListener } from 'node:http'
import net from 'node:net'
import type { Io } from '../../src/cli/io.ts'
import { listenLocal } from '../lib/ports.ts'

export interface Captured {
  io: Io
  out(): string
  err(): string
}

export function capture(env: Record<string, string> = {}, files: Record<string, string> = {}): Captured {
  let out = ''
  let err = ''
  return {
    io: {
      out: (text) => {
        out += text
      },
      err: (text) => {
        err += text
      },
      env,
      readFile(path) {
        const text = files[path]
        if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
        return text
      },
    },
    out: () => out,
    err: () => err,
  }
}

export interface Stranger {
  url: string
  port: number
  close(): Promise<void>
}

/** An HTTP server that is no ductape-mcp. */
export async function stranger(answer: RequestListener): Promise<Stranger> {
  const server = http.createServer(answer)
  const port = await listenLocal(server)
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A server that answers every connection with these bytes. */
export async function rawStranger(bytes: string): Promise<Stranger> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end(bytes))
  })
  const port = await listenLocal(server)
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** One sentence for a person: no stack, no lower-level words. */
export const ONE_SENTENCE = /^[^\n]+\.\n$/
