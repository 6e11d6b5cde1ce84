// The changes of the differential corpus: each makes one thing of a request different, mostly wrong.
import type { Base, Draft } from './bases.ts'
import { CAPABILITIES, CLIENT_INFO, LOG_LEVEL, type Message, VERSION } from './messages.ts'

export interface Change {
  name: string
  /** Bases that it says anything about; all of them where absent. */
  only?: (base: Base) => boolean
  apply(draft: Draft): void
}

const isObject = (value: unknown): value is Message =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const shown = (value: unknown): string => JSON.stringify(value) ?? 'absent'

const ABSENT = undefined
const isCall = (base: Base): boolean => base.method === 'tools/call'
const isModern = (base: Base): boolean => base.era === 'modern'
const isFirst = (base: Base): boolean => base.name.endsWith(' execute')

type Place = (draft: Draft) => Message | undefined
const message: Place = (draft) => (isObject(draft.message) ? draft.message : undefined)
const params: Place = (draft) => {
  const found = message(draft)?.['params']
  return isObject(found) ? found : undefined
}
const meta: Place = (draft) => {
  const parent = params(draft)
  if (parent === undefined) return undefined
  parent['_meta'] ??= {}
  return isObject(parent['_meta']) ? parent['_meta'] : undefined
}
const args: Place = (draft) => {
  const found = params(draft)?.['arguments']
  return isObject(found) ? found : undefined
}

/** One change for each value of a member. */
const values = (
  what: string,
  place: Place,
  member: string,
  list: readonly unknown[],
  only?: Change['only'],
): Change[] =>
  list.map((value) => ({
    name: `${what} ${shown(value)}`,
    ...(only !== undefined && { only }),
    apply(draft) {
      const object = place(draft)
      if (object === undefined) return
      if (value === ABSENT) delete object[member]
      else object[member] = structuredClone(value)
    },
  }))

const header = (name: string, list: readonly (string | undefined)[], only?: Change['only']): Change[] => [
  ...list.map((value) => ({
    name: `${name} ${shown(value)}`,
    ...(only !== undefined && { only }),
    apply(draft: Draft) {
      draft.headers = draft.headers.filter(([header]) => header !== name)
      if (value !== undefined) draft.headers.push([name, value])
    },
  })),
  {
    name: `${name} twice`,
    ...(only !== undefined && { only }),
    apply(draft) {
      const found = draft.headers.find(([header]) => header === name)
      if (found !== undefined) draft.headers.push([...found])
    },
  },
  {
    name: `${name} padded`,
    ...(only !== undefined && { only }),
    apply(draft) {
      for (const pair of draft.headers) if (pair[0] === name) pair[1] = ` \t${pair[1]} \t`
    },
  },
]

const raw = (
  name: string,
  body: string | Buffer | ((text: string) => string),
  only?: Change['only'],
): Change => ({
  name: `body ${name}`,
  ...(only !== undefined && { only }),
  apply(draft) {
    const text = JSON.stringify(draft.message) ?? ''
    draft.raw = Buffer.from(typeof body === 'function' ? body(text) : body)
  },
})

const ODD: readonly unknown[] = [ABSENT, null, true, 0, 1.5, '', 'text', [], [1], {}]
const BASE64 = (text: string): string => `=?base64?${Buffer.from(text).toString('base64')}?=`
const deep = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels))

const EXECUTE_ARGUMENTS: Record<string, readonly unknown[]> = {
  publishable_key: [ABSENT, null, '', '  ', 7, 'short', 'ключ-ключ-ключ', ['pk_demo_0123456789ab']],
  module: [ABSENT, null, '', 7, 'nothing', 'Product', 'databases', 'toString', {}],
  method: [ABSENT, null, '', 7, 'nothing', 'fetch ', 'environments.list', '__proto__', 'x'.repeat(600)],
  params: [ABSENT, null, [], {}, 'text', 7, [null], [[1, { a: 'b' }]], [deep(20)]],
}
const GENERATE_ARGUMENTS: Record<string, readonly unknown[]> = {
  workspace_id: [ABSENT, null, '', 7],
  public_key: [ABSENT, null, '', 'short', {}],
  operation_family: [ABSENT, '', 'nothing', 'action', 'constructor'],
  method: [ABSENT, '', 'nothing', 'query'],
  targets: [ABSENT, null, [], 'text', { a: { b: 'c' } }],
  schema_mode: [ABSENT, 'strict', 'loose', 7],
  include_session: [ABSENT, false, 'yes', null],
  input_hint: [{}, { hint: [1, 2] }, 'text'],
  language: [ABSENT, 'typescript', 'python', 'cobol', 7],
}
const argumentChanges = (table: Record<string, readonly unknown[]>, only: Change['only']): Change[] =>
  Object.entries(table).flatMap(([name, list]) => values(`argument ${name}`, args, name, list, only))

export const CHANGES: readonly Change[] = [
  ...argumentChanges(EXECUTE_ARGUMENTS, isFirst),
  ...argumentChanges(GENERATE_ARGUMENTS, (base) => isCall(base) && !base.name.includes('execute')),
  ...values('unnamed argument', args, 'surplus', [1, 'text'], isCall),
  ...values('argument __proto__', args, 'constructor', [{}], isCall),

  ...values('id', message, 'id', [...ODD, -1, 'a-1', 9_007_199_254_740_991, 'x'.repeat(300)]),
  ...values('jsonrpc', message, 'jsonrpc', [ABSENT, null, '1.0', '2', 2, 2.1, [], '2.0 ']),
  ...values('method', message, 'method', [...ODD, 'tools/CALL', 'tools/call ', 'constructor']),
  ...values('params', message, 'params', ODD),
  ...values('extra member', message, 'extra', [1, {}]),
  ...values('result beside the method', message, 'result', [{}]),
  ...values('error beside the method', message, 'error', [{ code: 1, message: 'x' }]),

  ...values(
    'name',
    params,
    'name',
    [...ODD, 'ductape_unknown', 'Ductape_Execute', ' ductape_execute', 'toString'],
    isCall,
  ),
  ...values('arguments', params, 'arguments', ODD, isCall),
  ...values('extra param', params, 'surplus', [1, {}]),
  ...values('task', params, 'task', [{}, { ttl: 1000 }], isCall),
  ...values(
    'inputResponses',
    params,
    'inputResponses',
    [...ODD, { a: { action: 'accept' } }, { a: 5 }],
    isCall,
  ),
  ...values('requestState', params, 'requestState', [...ODD, 'state'], isCall),
  ...values('cursor', params, 'cursor', ['next', 7], (base) => base.method.endsWith('/list')),
  ...values(
    'uri',
    params,
    'uri',
    [...ODD, 'ductape://catalogue', 'ductape://nothing', 'file:///etc/passwd'],
    (base) => base.method === 'resources/read',
  ),
  ...values(
    'protocolVersion',
    params,
    'protocolVersion',
    [...ODD, '2026-07-28', '2025-06-18', '2024-11-05', '1999-01-01'],
    (base) => base.method === 'initialize',
  ),

  ...values('_meta', params, '_meta', [null, true, 0, '', 'text', [], {}]),
  ...values('progressToken', meta, 'progressToken', [...ODD, 'token', -3]),
  ...values(
    'traceparent',
    meta,
    'traceparent',
    ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 7, 'junk'],
    isCall,
  ),
  ...values('envelope version', meta, VERSION, [...ODD, '2025-11-25', '2026-07-28', '2031-01-01']),
  ...values(
    'capabilities',
    meta,
    CAPABILITIES,
    [...ODD, { elicitation: {} }, { sampling: 'x' }, { extensions: {} }],
    isModern,
  ),
  ...values(
    'client info',
    meta,
    CLIENT_INFO,
    [
      ...ODD,
      { name: 'c', version: '1' },
      { name: 'c' },
      { name: 'c', version: 1 },
      { name: 'c', version: '1', title: 7 },
    ],
    isModern,
  ),
  ...values('log level', meta, LOG_LEVEL, [...ODD, 'debug', 'loud'], isModern),

  ...header('mcp-protocol-version', [
    ABSENT,
    '',
    '2024-10-07',
    '2024-11-05',
    '2025-03-26',
    '2025-06-18',
    '2025-11-25',
    '2026-07-28',
    '1999-01-01',
    '2031-01-01',
    'junk',
  ]),
  ...header('mcp-method', [ABSENT, '', 'tools/call', 'tools/list', 'TOOLS/CALL']),
  ...header(
    'mcp-name',
    [
      ABSENT,
      '',
      'ductape_execute',
      'ductape_unknown',
      BASE64('ductape_execute'),
      BASE64('other'),
      '=?base64?!?=',
      '=?base64?ZHVj?',
      '=?base64?//79?=',
      '=?base64??=',
      '=?BASE64?ZHVj?=',
    ],
    (base) => isModern(base) && base.target !== undefined,
  ),
  ...header('mcp-session-id', ['s-1', ''], isFirst),
  ...header(
    'accept',
    [
      ABSENT,
      'application/json',
      'text/event-stream',
      '*/*',
      'application/*',
      'text/html',
      'application/json;q=0, text/event-stream',
    ],
    isFirst,
  ),
  ...header(
    'content-type',
    [
      ABSENT,
      'text/plain',
      'application/json; charset=utf-8',
      'application/json; charset=latin1',
      'APPLICATION/JSON',
      'application/jsonx',
      'application/problem+json',
    ],
    isFirst,
  ),

  raw('empty', '', isFirst),
  raw('blank', ' \n', isFirst),
  raw('null', 'null', isFirst),
  raw('a number', '7', isFirst),
  raw('a text', '"text"', isFirst),
  raw('an empty object', '{}', isFirst),
  raw('an empty batch', '[]', isFirst),
  raw('a batch of junk', '[1,null]', isFirst),
  raw('a batch of itself', (text) => `[${text}]`),
  raw('a batch of two', (text) => `[${text},${text}]`),
  raw('a batch with junk', (text) => `[${text},1]`),
  raw('cut short', (text) => text.slice(0, -1)),
  raw('with text behind it', (text) => `${text}x`),
  raw('with a second value', (text) => `${text}${text}`),
  raw('with a byte order mark', (text) => `\u{feff}${text}`),
  raw('with space around it', (text) => ` \r\n\t${text}\n`),
  raw('with a comment', (text) => `${text}/* x */`, isFirst),
  raw('with single quotes', (text) => text.replaceAll('"', "'"), isFirst),
  raw('with a control character', (text) => text.replace('jsonrpc', 'json\u0001rpc'), isFirst),
  raw('not UTF-8', Buffer.from([0x22, 0xff, 0xfe, 0x22]), isFirst),
  raw('with a repeated member', (text) => text.replace('{', '{"jsonrpc":"2.0",')),
  raw('with a repeated id', (text) => text.replace('{', '{"id":1,'), isFirst),
  raw('with an integer too long', (text) => text.replace('"id":1', '"id":9007199254740993')),
  raw('with a number too large', (text) => text.replace('"id":1', '"id":1e999')),
  raw('with an id in scientific form', (text) => text.replace('"id":1', '"id":1e0'), isFirst),
  raw('with a lone surrogate', (text) => text.replace('"id":1', '"id":"\\ud800"')),
  raw(
    'nested deeply',
    `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${'['.repeat(80)}${']'.repeat(80)}}}`,
    isFirst,
  ),
  raw('with a member __proto__', (text) => text.replace('{', '{"__proto__":{"a":1},')),
  raw('a response', '{"jsonrpc":"2.0","id":1,"result":{}}', isFirst),
  raw('an error response', '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}', isFirst),
  raw('a response without an id', '{"jsonrpc":"2.0","result":{}}', isFirst),

  ...['GET', 'DELETE', 'PUT', 'PATCH'].map((http) => ({
    name: http,
    only: isFirst,
    apply: (draft: Draft) => {
      draft.http = http
    },
  })),
]
