// Routes what is no tools/call through express: other MCP messages and the documents of the REST interface. The rim writes the answers.
import type { IncomingMessage, ServerResponse } from 'node:http'
import express from 'express'
import type { Call } from '../core/call.ts'
import type { HttpAnswer } from '../core/http.ts'

export interface Route {
  method: 'get' | 'post'
  /** As in PUBLIC_PATHS: one that ends with a slash takes one further segment. */
  path: string
  /** Undefined where the route has left a denial in the call. */
  answer(call: Call): HttpAnswer | undefined | Promise<HttpAnswer | undefined>
}

/** Resolves with the answer, or with undefined where no route takes the request or one has refused it. */
export type Router = (
  call: Call,
  message: IncomingMessage,
  response: ServerResponse,
) => Promise<HttpAnswer | undefined>

export function createRouter(routes: readonly Route[]): Router {
  const calls = new WeakMap<object, { call: Call; resolve: (answer: HttpAnswer | undefined) => void }>()
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.set('query parser', false)
  for (const route of routes) {
    app[route.method](route.path.endsWith('/') ? `${route.path}:id` : route.path, async (request) => {
      const pending = calls.get(request)
      if (pending === undefined) throw new Error('the request did not come through the rim')
      pending.resolve(await route.answer(pending.call))
    })
  }
  return (call, message, response) =>
    new Promise((resolve, reject) => {
      calls.set(message, { call, resolve })
      app(message as never, response as never, (error?: unknown) =>
        error === undefined ? resolve(undefined) : reject(error),
      )
    })
}
