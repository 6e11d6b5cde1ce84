// The floor: what a Node process cannot do without to forward a tools/call. No SDK, no validation, no control.
import http from 'node:http'
import { upstream } from './upstream.ts'

const ask = upstream(process.env['BACKEND'] ?? '')

async function answer(body: string): Promise<string> {
  const { id, params } = JSON.parse(body)
  const { publishable_key, module, method, params: positional } = params.arguments
  try {
    const text = await ask({ module, method, params: positional }, publishable_key)
    return JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } })
  } catch (error) {
    const text = `Error: ${(error as Error).message}`
    return JSON.stringify({
      jsonrpc: '2.0',
      id,
      result: { content: [{ type: 'text', text }], isError: true },
    })
  }
}

const server = http.createServer((req, res) => {
  const parts: Buffer[] = []
  req.on('data', (chunk) => parts.push(chunk))
  req.on('end', () => {
    answer(String(parts.length === 1 ? parts[0] : Buffer.concat(parts))).then(
      (text) => {
        res.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
        res.end(text)
      },
      () => res.writeHead(400).end(),
    )
  })
})
server.listen(Number(process.env['PORT']), '127.0.0.1')
