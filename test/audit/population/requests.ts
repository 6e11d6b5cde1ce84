// The requests of the population run: what is sent, each with an id of its own where it can carry one, and the code that the answer names.
import { randomUUID } from 'node:crypto'
import { CASES, type Case } from '../../http/cases.ts'
import { EXECUTE, GENERATE, KEY } from '../../lib/calls.ts'
import { open } from '../../lib/raw.ts'
import { type Answer, bearer, call, codeOf as codeIn, send, WAYS, type Way } from '../../live/lib/secured.ts'

export interface Target {
  url: string
  /** Those who approve: under which host, and the token of each. */
  people: { host: string; tokens: { grace: string; ada: string } }
}

/** Sends a request, or several that belong together; the code of each answer, `ok` where it went through. Rejects where no whole answer came. */
export type Request = (target: Target, random: (below: number) => number) => Promise<readonly string[]>

const scopes = ['ductape:read', 'ductape:write', 'ductape:destructive', 'ductape:configure']

export const CALLERS = {
  agent: { roles: ['all'], scopes },
  reader: { roles: ['reader'] },
  slow: { roles: ['all'] },
  // What these two ask for waits for a person.
  careful: { roles: ['careful'], scopes, tenant: 'acme', owner: 'ada' },
  eager: { roles: ['careful'], scopes, tenant: 'acme' },
  // Whom the warden switches off and on again.
  doomed: { roles: ['all'] },
  warden: { roles: ['all'], scopes: ['ductape:admin'] },
} as const

export const codeOf = (answer: Answer): string[] => {
  // What the SDK refuses has no code of ours in its answer.
  const { error } = answer.body as { error?: { data?: { code?: string } } }
  return [error !== undefined && error.data?.code === undefined ? 'mcp_refused' : codeIn(answer)]
}

export const tagged = (name: keyof typeof CALLERS, more: Record<string, string> = {}) => ({
  ...bearer(name),
  'x-request-id': randomUUID(),
  ...more,
})

export const anyWay = (random: (below: number) => number): Way => WAYS[random(WAYS.length)] as Way

export const tool =
  (
    caller: keyof typeof CALLERS,
    args: unknown,
    name?: string,
    headers: Record<string, string> = {},
  ): Request =>
  async (target, random) =>
    codeOf(
      await call(target, anyWay(random), {
        headers: tagged(caller, headers),
        args,
        ...(name !== undefined && { tool: name }),
      }),
    )

const body =
  (text: string, headers: Record<string, string> = {}): Request =>
  async (target) =>
    codeOf(await send(target, { path: '/mcp', headers: tagged('agent', headers), body: text }))

export const DB = { product: 'ductape:my-product', env: 'dev', database: 'main-db' }
export const execute = (over: Record<string, unknown>) => ({ ...EXECUTE, ...over })
export const insert = (data: Record<string, unknown>) =>
  execute({ module: 'databases', method: 'insert', params: [{ ...DB, table: 'users', data }] })
const INSERT = insert({})

/** Calls of callers who are known: each has records of its own. */
export const KNOWN: readonly Request[] = [
  // Most traffic is good, so good requests stand here more than once.
  ...Array.from({ length: 12 }, () => tool('agent', EXECUTE)),
  ...Array.from({ length: 6 }, () => tool('reader', EXECUTE)),
  ...Array.from({ length: 4 }, () => tool('agent', INSERT)),
  tool('agent', GENERATE, 'ductape_generate_payload'),
  tool('agent', { operation_family: 'databases', method: 'query', params: {} }, 'ductape_generate_snippet'),
  // Refusals.
  tool('reader', INSERT),
  tool('slow', EXECUTE),
  tool('agent', EXECUTE, 'nothing'),
  tool('agent', execute({ module: 'nothing' })),
  tool('agent', execute({ method: 'nothing' })),
  tool('agent', execute({ surprise: 1 })),
  tool('agent', execute({ module: 7 })),
  tool('agent', execute({ publishable_key: 'x' })),
  tool('agent', { module: 'product', method: 'list' }),
  tool('agent', execute({ publishable_key: `${KEY}x` })),
  tool('agent', execute({ params: ['ductape:nothing'] })),
  body('{"jsonrpc":"2.0",'),
  body('{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/list"}'),
  body('[]'),
  body('{"jsonrpc":"1.0","id":1,"method":"tools/list"}'),
  body('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}'),
  body('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ductape_execute","arguments":[]}}'),
  body('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', { 'mcp-protocol-version': '1999-01-01' }),
]

const raw =
  ({ bytes }: Case): Request =>
  async (target) => {
    const connection = await open(target.url)
    try {
      connection.send(bytes)
      const { body: text } = await connection.answer()
      const first = codeOf({
        status: 0,
        headers: {},
        text,
        body: JSON.parse(text) as Record<string, unknown>,
      })
      // What follows on the connection can be a second request.
      connection.socket.end()
      const more = await connection.closed
      return [...first, ...[...more.matchAll(/"code":"(\w+)"/g)].map(([, code = '']) => code)]
    } finally {
      connection.end()
    }
  }

// Nobody is known, so this is refused by its head; that its body is no HTTP is one more refusal then, and has no answer.
const breaksOff = (bytes: Case['bytes']): boolean =>
  /\r\nTransfer-Encoding: chunked\r\n/.test(bytes.toString())

/** Requests that are refused before anybody is known: a flood of them is counted. */
export const UNKNOWN: readonly Request[] = [
  ...Object.values(CASES)
    .flat()
    .filter(
      ({ bytes, code }) =>
        code !== undefined &&
        bytes.length < 10_000 &&
        !bytes.toString().startsWith('HEAD ') &&
        !breaksOff(bytes),
    )
    .map(raw),
  async (target) => codeOf(await call(target, 'legacy')),
  async (target) => codeOf(await call(target, 'rest', { headers: { authorization: 'Basic eA==' } })),
  async (target) =>
    codeOf(await call(target, 'legacy', { headers: { authorization: `Bearer ${'x'.repeat(54)}` } })),
  async (target) => codeOf(await call(target, 'rest', { headers: bearer('nobody') })),
  async (target) => codeOf(await call(target, 'rest', { query: '?access_token=x' })),
]
