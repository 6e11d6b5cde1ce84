// A backend that answers only when the test says so, and tells when the service gave a request up.
import http from 'node:http'
import { listenLocal } from './ports.ts'

export interface HeldRequest {
  path: string
  /** Answers with this `data` in the envelope of the path. */
  release(data: unknown): void
  /** Resolves when the service has closed the request before its answer. */
  abandoned: Promise<void>
  isAbandoned(): boolean
}

export interface HeldBackend {
  url: string
  /** The next request, whether it has come or not. */
  next(): Promise<HeldRequest>
  /** Requests that have come so far. */
  count(): number
  close(): Promise<void>
}

export async function startHeldBackend(): Promise<HeldBackend> {
  const arrived: HeldRequest[] = []
  const waiting: ((request: HeldRequest) => void)[] = []
  let count = 0
  const server = http.createServer((request, response) => {
    request.resume()
    request.on('end', () => {
      count++
      let given = false
      const { promise: abandoned, resolve } = Promise.withResolvers<void>()
      response.on('close', () => {
        if (response.writableFinished) return
        given = true
        resolve()
      })
      const held: HeldRequest = {
        path: request.url ?? '',
        abandoned,
        isAbandoned: () => given,
        release(data) {
          response.setHeader('content-type', 'application/json')
          response.end(JSON.stringify({ status: true, data }))
        },
      }
      const taker = waiting.shift()
      if (taker === undefined) arrived.push(held)
      else taker(held)
    })
  })
  const port = await listenLocal(server)
  return {
    url: `http://127.0.0.1:${port}`,
    count: () => count,
    next() {
      const held = arrived.shift()
      return held === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(held)
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
