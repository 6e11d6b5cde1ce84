// A call with an idempotency key in each of the ways that it can come, and what its answer says.
import { DEMO } from '../../../src/emulator/index.ts'
import type { TestApp } from '../../lib/app.ts'
import { type Answer, bearer, pathOf, send, type Way } from '../../live/lib/secured.ts'
import { modern, modernHeaders, request } from '../../mcp/lib/messages.ts'

const META = 'app.ductape/idempotency-key'

/** Sets a value of the demo cache: an effect that the emulator counts. */
export const setArgs = (value: string, key = DEMO.main.publishableKey) => ({
  ...(key !== '' && { publishable_key: key }),
  module: 'caches',
  method: 'set',
  params: [{ product: DEMO.main.product, env: 'prd', cache: 'main-cache', key: 'k', value }],
})

export interface Asked {
  way?: Way
  /** Where the key stands; the header unless given. REST has no other place. */
  at?: 'header' | 'meta'
  tool?: string
  args?: object
  caller?: string
}

export function ask(
  service: Pick<TestApp, 'url'>,
  key: string | undefined,
  {
    way = 'rest',
    at = 'header',
    tool = 'ductape_execute',
    args = setArgs('1'),
    caller = 'agent',
  }: Asked = {},
): Promise<Answer> {
  const inMeta = key !== undefined && at === 'meta' ? { [META]: key } : undefined
  const headers = {
    ...bearer(caller),
    ...(key !== undefined && at === 'header' && { 'idempotency-key': key }),
    ...(way === 'modern' && modernHeaders('tools/call', tool)),
  }
  const params = { name: tool, arguments: args }
  const body =
    way === 'rest'
      ? args
      : request('tools/call', way === 'modern' ? modern(params, inMeta) : { ...params, _meta: inMeta })
  return send(service, { path: pathOf(way, tool), headers, body: JSON.stringify(body) })
}

/** The claims of the receipt. */
export function claimsOf({ headers, body }: Answer): Record<string, unknown> {
  const { result } = body as { result?: { _meta?: Record<string, { claims: Record<string, unknown> }> } }
  const inMeta = result?._meta?.['app.ductape/receipt']
  const inHeader = headers['ductape-receipt']
  const receipt = inMeta ?? JSON.parse(Buffer.from(String(inHeader), 'base64url').toString())
  return receipt.claims
}

/** What the caller is given, without what belongs to the one answer: its receipt and id. */
export function contentsOf({ status, text, body }: Answer): unknown {
  const { result } = body as { result?: Record<string, unknown> }
  if (result === undefined) return { status, text: text.replace(/"requestId":"[^"]+"/, '') }
  const { _meta: meta, ...rest } = result
  const refusal = (meta as Record<string, unknown> | undefined)?.['app.ductape/refusal']
  return { status, rest, refusal }
}
