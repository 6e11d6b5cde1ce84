// The successor's peer: SDK 2.x createMcpHandler, both eras, behind node:http; a server per request, schemas made once.
import http from 'node:http'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { upstream } from './upstream.ts'

const ask = upstream(process.env['BACKEND'] ?? '')
const inputSchema = z.object({
  publishable_key: z.string(),
  module: z.string(),
  method: z.string(),
  params: z.array(z.unknown()).default([]),
})

const handler = createMcpHandler(() => {
  const server = new McpServer({ name: 'successor', version: '1.0.0' })
  server.registerTool(
    'ductape_execute',
    { description: 'Runs a Ductape SDK method', inputSchema },
    async ({ publishable_key, module, method, params }) => {
      const text = await ask({ module, method, params }, publishable_key)
      return { content: [{ type: 'text', text }] }
    },
  )
  return server
})
const serve = toNodeHandler(handler)
// The cast: the adapter's own types do not meet node:http's under exactOptionalPropertyTypes.
const server = http.createServer((req, res) => void serve(req as Parameters<typeof serve>[0], res))
server.listen(Number(process.env['PORT']), '127.0.0.1')
