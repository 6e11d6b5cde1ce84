// The intended differences between this service and the stock SDK, each with its reason; the differential test allows no other.
import type { Answer, Difference, Read } from './lib/compare.ts'

export interface DifferenceRow {
  id: string
  reason: string
  matches(difference: Difference): boolean
}

const refused = (answer: Answer, status: number, code: number): boolean =>
  answer.status === status && answer.code === code
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const member = (value: unknown, name: string): unknown =>
  isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined

const message = ({ json }: Read, name: string): unknown => member(json, name)
const params = (sent: Read, name: string): unknown => member(message(sent, 'params'), name)
const meta = (sent: Read, name: string): unknown =>
  member(params(sent, '_meta'), `io.modelcontextprotocol/${name}`)
const isCall = (sent: Read): boolean => message(sent, 'method') === 'tools/call'
const isModern = (sent: Read): boolean => meta(sent, 'protocolVersion') !== undefined

const repeats = ({ headers }: Read): boolean => new Set(headers.map(([name]) => name)).size < headers.length
const served = (answer: Answer): boolean => answer.status === 200 && answer.result !== undefined

// What the corpus plants: a long integer, a huge number, half a surrogate pair, deep nesting, a first member that comes again.
const INEXACT = /9007199254740993|1e999|\\ud800|\[{65}|^\s*\{"(jsonrpc|id)":[^,]*,.*"\1":/s

export const DIFFERENCES: readonly DifferenceRow[] = [
  {
    id: 'http-method',
    reason: 'Same 405 and Allow; our own codes start at -31000, the SDK uses -32000 for its transport.',
    matches: ({ sent, ours, theirs }) =>
      sent.method !== 'POST' && refused(ours, 405, -31005) && refused(theirs, 405, -32000),
  },
  {
    id: 'header-twice',
    reason:
      'A header that decides how a request is read may occur once; the SDK sees the two values joined by a comma, or one of them.',
    matches: ({ sent, ours }) => repeats(sent) && refused(ours, 400, -32600),
  },
  {
    id: 'media-type',
    reason: 'Same 415 for what is no application/json, with our own code, and before Accept is looked at.',
    matches: ({ ours, theirs }) =>
      refused(ours, 415, -31008) && (refused(theirs, 415, -32000) || refused(theirs, 406, -32000)),
  },
  {
    id: 'charset',
    reason: 'JSON is UTF-8 (RFC 8259 8.1): a body that says otherwise would be read wrongly.',
    matches: ({ sent, ours }) =>
      /charset=latin1/.test(sent.header('content-type') ?? '') && refused(ours, 415, -31008),
  },
  {
    id: 'accept-lenient',
    reason:
      'Every answer but a stream can be JSON, so Accept has to leave room for JSON only; the SDK wants both types named in the older era.',
    matches: ({ sent, ours, theirs }) =>
      !/text\/event-stream/.test(sent.header('accept') ?? '') &&
      ours.status !== 406 &&
      refused(theirs, 406, -32000),
  },
  {
    id: 'accept-none',
    reason:
      'A client that takes no JSON gets 406 in both eras; the SDK does not look at Accept in 2026-07-28, nor at q=0.',
    matches: ({ sent, ours }) =>
      /^(?:text\/|application\/json;q=0)/.test(sent.header('accept') ?? '') && refused(ours, 406, -31010),
  },
  {
    id: 'byte-order-mark',
    reason: 'JSON on the wire must not begin with a byte order mark (RFC 8259 8.1); the SDK drops it.',
    matches: ({ sent, ours }) => sent.text.startsWith('\u{feff}') && refused(ours, 400, -32700),
  },
  {
    id: 'not-utf-8',
    reason: 'Bytes that are not UTF-8 are no JSON; the SDK puts replacement characters in their place.',
    matches: ({ sent, ours }) => sent.text.includes('\u{fffd}') && refused(ours, 400, -32700),
  },
  {
    id: 'not-exact',
    reason:
      'A body that two readers could understand differently (a member twice, a number no double holds, half a surrogate pair, too deep) is refused; JSON.parse guesses.',
    matches: ({ sent, ours }) => INEXACT.test(sent.text) && refused(ours, 400, -31012),
  },
  {
    id: 'batch',
    reason:
      'Batches are not part of the protocol since 2025-06-18; the SDK still serves them in the older era.',
    matches: ({ sent, ours }) => Array.isArray(sent.json) && refused(ours, 400, -32600) && ours.id === null,
  },
  {
    id: 'handshake-header',
    reason:
      'An initialize that names the newest revision in its header as well goes on with 2025-11-25, as one that names it in the body: rmcp relies on it (parts.md).',
    matches: ({ sent, ours, theirs }) =>
      message(sent, 'method') === 'initialize' && ours.status === 200 && refused(theirs, 400, -32020),
  },
  {
    id: 'version-id',
    reason:
      'A refused version of the older era echoes the id of the request where it is known; the SDK sends null.',
    matches: ({ sent, ours, theirs }) =>
      isCall(sent) &&
      refused(ours, 400, -32000) &&
      refused(theirs, 400, -32000) &&
      ours.id === message(sent, 'id') &&
      theirs.id === null,
  },
  {
    id: 'unused-envelope-members',
    reason:
      'What is inside the client capabilities and beside name and version of the client is used by nobody here, so it is not judged.',
    matches: ({ sent, ours, theirs }) =>
      isCall(sent) &&
      (Object.values(meta(sent, 'clientCapabilities') ?? {}).some((value) => !isObject(value)) ||
        Object.keys(meta(sent, 'clientInfo') ?? {}).some((name) => name !== 'name' && name !== 'version')) &&
      !refused(ours, 400, -32602) &&
      refused(theirs, 400, -32602),
  },
  {
    id: 'input-responses',
    reason: 'inputResponses is an object in the schema of 2026-07-28; the SDK takes anything else for none.',
    matches: ({ sent, ours, theirs }) =>
      isCall(sent) &&
      isModern(sent) &&
      params(sent, 'inputResponses') !== undefined &&
      !isObject(params(sent, 'inputResponses')) &&
      refused(ours, 200, -32602) &&
      served(theirs),
  },
  {
    id: 'request-state',
    reason: 'requestState is no member of the older revisions, so there it is ignored whatever it holds.',
    matches: ({ sent, ours, theirs }) =>
      isCall(sent) &&
      !isModern(sent) &&
      params(sent, 'requestState') !== undefined &&
      typeof params(sent, 'requestState') !== 'string' &&
      served(ours) &&
      refused(theirs, 200, -32602),
  },
]
