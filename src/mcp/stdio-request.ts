// A message of stdio as the request that the SDK handler expects: stdio has no headers, so they are made from the message itself.
import type { HttpRequest } from '../core/http.ts'
import { isObject, type Json } from '../core/json.ts'

export function stdioRequest(body: Json | undefined): HttpRequest {
  const headers: Record<string, string> = {}
  const params = isObject(body) && isObject(body['params']) ? body['params'] : {}
  const meta = isObject(params['_meta']) ? params['_meta'] : {}
  const version = meta['io.modelcontextprotocol/protocolVersion']
  const method = isObject(body) ? body['method'] : undefined
  if (typeof version === 'string' && typeof method === 'string') {
    headers['mcp-protocol-version'] = version
    headers['mcp-method'] = method
    const name = params['name'] ?? params['uri']
    if (typeof name === 'string') headers['mcp-name'] = `=?base64?${Buffer.from(name).toString('base64')}?=`
  }
  return {
    method: 'POST',
    path: '/mcp',
    query: '',
    headers,
    raw: [],
    read: async () => ({ ok: false, reason: 'incomplete' }),
  }
}
