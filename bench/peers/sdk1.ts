// The stock peer: the stateless example of SDK 1.x, a server and a transport per POST behind its express app.
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { z } from 'zod'
import { upstream } from './upstream.ts'

const ask = upstream(process.env['BACKEND'] ?? '')

/** The example registers its tools, schemas included, anew for every request. */
function getServer(): McpServer {
  const server = new McpServer({ name: 'stock', version: '1.0.0' }, { capabilities: { logging: {} } })
  server.registerTool(
    'ductape_execute',
    {
      description: 'Runs a Ductape SDK method',
      inputSchema: {
        publishable_key: z.string(),
        module: z.string(),
        method: z.string(),
        params: z.array(z.unknown()).default([]),
      },
    },
    async ({ publishable_key, module, method, params }) => {
      const text = await ask({ module, method, params }, publishable_key)
      return { content: [{ type: 'text', text }] }
    },
  )
  return server
}

const app = createMcpExpressApp()
app.post('/mcp', async (req, res) => {
  const server = getServer()
  // The cast: the SDK's own types do not meet under exactOptionalPropertyTypes.
  const transport = new StreamableHTTPServerTransport()
  await server.connect(transport as Parameters<typeof server.connect>[0])
  await transport.handleRequest(req, res, req.body)
  res.on('close', () => {
    void transport.close()
    void server.close()
  })
})
app.listen(Number(process.env['PORT']), '127.0.0.1')
