// Every sentence that a failed call can end with, word for word, and the code beside it.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { DenialCode } from '../../src/core/denials.ts'
import type { Fault } from '../../src/emulator/index.ts'
import { callRest, callTool, EXECUTE, GENERATE, textOf } from '../lib/calls.ts'
import { startWire, type Wire } from './lib/wire.ts'

interface Row {
  what: string
  tool?: 'ductape_execute' | 'ductape_generate_payload' | 'ductape_generate_snippet'
  args?: Record<string, unknown>
  fault?: Fault
  code: DenialCode
  text: string
  retryAfterMs?: number
}

const status = (code: number, body: unknown, headers: Record<string, string> = {}): Fault => ({
  kind: 'status',
  status: code,
  body: typeof body === 'string' ? body : JSON.stringify(body),
  headers: { 'content-type': 'application/json', ...headers },
})
const PAYLOAD = 'ductape_generate_payload'
const SNIPPET = 'ductape_generate_snippet'
const MAY_HAVE = 'The operation may have taken effect.'

const SEEDS: Row[] = [
  {
    what: 'no key',
    args: { publishable_key: undefined },
    code: 'not_authenticated',
    text: 'Not authenticated. Please provide the `publishable_key` in your tool invocation arguments.',
  },
  {
    what: 'an empty key',
    args: { publishable_key: '', module: 'nope', surplus: 1 },
    code: 'not_authenticated',
    text: 'Not authenticated. Please provide the `publishable_key` in your tool invocation arguments.',
  },
  {
    what: 'a refusal by HTTP status',
    fault: status(403, { status: false, message: 'method is not allowed' }),
    code: 'backend_refused',
    text: 'Error: Proxy request failed: 403\nmethod is not allowed',
  },
  {
    what: 'a refusal without a word',
    fault: status(400, ''),
    code: 'backend_refused',
    text: 'Error: Proxy request failed: 400',
  },
  {
    what: 'a refusal in HTML',
    fault: status(502, '<html><body>Bad gateway at 10.0.0.7</body></html>'),
    code: 'backend_refused',
    text: 'Error: Proxy request failed: 502',
  },
  {
    what: 'a failure under HTTP 200',
    fault: { kind: 'status-false', message: 'entity users not found', code: 'QUERY_ERROR' },
    code: 'backend_failed',
    text: 'Error: entity users not found',
  },
  {
    what: 'a failure under HTTP 200 without a word',
    fault: { kind: 'body', body: '{"status":false}' },
    code: 'backend_failed',
    text: 'Error: SDK operation failed',
  },
  {
    what: 'a generate call refused',
    tool: PAYLOAD,
    fault: status(401, { status: false, errors: 'Invalid key access' }),
    code: 'backend_refused',
    text: 'Payload generation request failed\nInvalid key access',
  },
  {
    what: 'a generate call refused without a word',
    tool: SNIPPET,
    fault: status(500, ''),
    code: 'backend_refused',
    text: 'Payload generation request failed',
  },
  {
    what: 'a generate call failed under HTTP 200',
    tool: SNIPPET,
    fault: { kind: 'status-false', message: 'schema is strict' },
    code: 'backend_failed',
    text: 'Payload generation request failed\nschema is strict',
  },
  {
    what: 'a pair without a snippet',
    tool: SNIPPET,
    args: { operation_family: 'health', method: 'query' },
    code: 'operation_unsupported',
    text: 'Unsupported snippet operation "health.query". Allowed methods for health: run, check, status',
  },
]

const OWN: Row[] = [
  {
    what: 'an argument that the table does not name',
    args: { paramz: [] },
    code: 'argument_unknown',
    text: '[argument_unknown] This tool has no argument named "paramz".',
  },
  {
    what: 'a missing argument',
    args: { module: undefined },
    code: 'argument_missing',
    text: '[argument_missing] The argument `module` is required.',
  },
  {
    what: 'an argument of another type',
    args: { params: {} },
    code: 'argument_invalid',
    text: '[argument_invalid] The argument `params` must be an array.',
  },
  {
    what: 'an empty argument',
    args: { method: '' },
    code: 'argument_invalid',
    text: '[argument_invalid] The argument `method` must not be empty.',
  },
  {
    what: 'a method that is too long',
    args: { method: 'm'.repeat(129) },
    code: 'argument_invalid',
    text: '[argument_invalid] The argument `method` must have at most 128 characters.',
  },
  {
    what: 'a key that is none',
    args: { publishable_key: 'short' },
    code: 'credential_malformed',
    text: '[credential_malformed] The argument `publishable_key` cannot be a Ductape key: a key has 12 to 512 visible ASCII characters.',
  },
  {
    what: 'an unknown module',
    args: { module: 'xylophone' },
    code: 'module_unknown',
    text: '[module_unknown] Ductape has no module of this name. The resource ductape://catalogue lists the modules.',
  },
  {
    what: 'an unknown method',
    args: { method: 'environments.lst' },
    code: 'method_unknown',
    text: '[method_unknown] This module has no method of this name. Near matches: environments.list, apps.webhooks.list, apps.health.list. The resource ductape://catalogue/product lists its methods.',
  },
  {
    what: 'a backend that is busy',
    fault: status(429, { message: 'slow down' }, { 'retry-after': '7' }),
    code: 'backend_busy',
    text: 'Error: Proxy request failed: 429\nslow down',
    retryAfterMs: 7000,
  },
  {
    what: 'a backend that is away for a moment',
    fault: status(503, ''),
    code: 'backend_busy',
    text: 'Error: Proxy request failed: 503',
  },
  {
    what: 'a redirect, which is not followed',
    fault: { kind: 'redirect', location: 'http://127.0.0.1:9/' },
    code: 'backend_refused',
    text: 'Error: Proxy request failed: 307',
  },
  {
    what: 'no answer in time',
    fault: { kind: 'hang' },
    code: 'backend_timeout',
    text: `Error: [backend_timeout] The Ductape backend gave no answer within 0.4 s. ${MAY_HAVE}`,
  },
  {
    what: 'no answer in time to a generate call',
    tool: PAYLOAD,
    fault: { kind: 'hang' },
    code: 'backend_timeout',
    text: `Payload generation request failed\n[backend_timeout] The Ductape backend gave no answer within 0.4 s. ${MAY_HAVE}`,
  },
  {
    what: 'a connection that breaks',
    fault: { kind: 'reset', when: 'after-headers' },
    code: 'backend_interrupted',
    text: `Error: [backend_interrupted] The connection to the Ductape backend broke before its answer was complete. ${MAY_HAVE}`,
  },
  {
    what: 'an answer that ends early',
    fault: { kind: 'truncation' },
    code: 'backend_interrupted',
    text: `Error: [backend_interrupted] The connection to the Ductape backend broke before its answer was complete. ${MAY_HAVE}`,
  },
  {
    what: 'an answer that is not JSON',
    fault: { kind: 'not-json' },
    code: 'backend_malformed',
    text: `Error: [backend_malformed] The answer of the Ductape backend was not understood. ${MAY_HAVE}`,
  },
  {
    what: 'an empty answer',
    fault: { kind: 'empty' },
    code: 'backend_malformed',
    text: `Error: [backend_malformed] The answer of the Ductape backend was not understood. ${MAY_HAVE}`,
  },
  {
    what: 'an answer that is far too large',
    fault: { kind: 'giant', bytes: 300_000 },
    code: 'backend_too_large',
    text: `Error: [backend_too_large] The answer of the Ductape backend is larger than 200000 bytes. ${MAY_HAVE}`,
  },
  {
    what: 'a result that is too large',
    fault: { kind: 'giant', bytes: 150_000 },
    code: 'result_too_large',
    text: 'Error: [result_too_large] The result is larger than 100000 bytes. The operation took effect.',
  },
]

const BASE = { ductape_execute: EXECUTE, [PAYLOAD]: GENERATE, [SNIPPET]: GENERATE } as const

function argumentsOf({ tool = 'ductape_execute', args = {} }: Row): Record<string, unknown> {
  return JSON.parse(JSON.stringify({ ...BASE[tool], ...args })) as Record<string, unknown>
}

describe('sentences', () => {
  let wire: Wire
  before(async () => {
    wire = await startWire({
      backend: { timeout: 400, maxAnswer: 200_000 },
      response: { maxResult: 100_000 },
    })
  })
  after(() => wire.close())

  for (const row of [...SEEDS, ...OWN]) {
    test(row.what, async () => {
      const tool = row.tool ?? 'ductape_execute'
      if (row.fault) wire.emulator?.faults.next(row.fault)
      const answer = await callTool(wire.url, tool, argumentsOf(row))
      assert.equal(answer.isError, true)
      assert.deepEqual(answer.content, [{ type: 'text', text: row.text }])
      assert.equal(answer.structuredContent, undefined)
      const refusal = answer._meta?.['app.ductape/refusal'] as Record<string, unknown>
      assert.equal(refusal['code'], row.code)
      assert.equal(refusal['retryAfterMs'], row.retryAfterMs)

      if (row.fault) wire.emulator?.faults.next(row.fault)
      const rest = await callRest(wire.url, tool, argumentsOf(row))
      const problem = rest.body as Record<string, unknown>
      assert.equal(problem['code'], row.code)
      assert.equal(rest.status, problem['status'])
      // REST has the code in a member of its own.
      assert.equal(problem['detail'], row.text.replace(/^\[\w+\] /, ''))
      if (row.retryAfterMs !== undefined) assert.equal(rest.headers.get('retry-after'), '7')
    })
  }

  test('nothing listens: nothing was sent', async () => {
    const other = await startWire()
    await other.emulator?.close()
    const answer = await callTool(other.url, 'ductape_execute', EXECUTE)
    assert.equal(
      textOf(answer),
      'Error: [backend_unreachable] The Ductape backend could not be reached; nothing was sent.',
    )
    await other.app.drain()
    await other.app.close()
  })

  test("the backend's message: where it is looked for, and in which order", async () => {
    for (const [body, message] of [
      [{ upstream_error: 'a', error: 'b', message: 'c' }, 'a'],
      [{ upstream_error: { errors: 'a', message: 'b' }, error: 'c' }, 'a'],
      [{ upstream_error: { message: 'b', error: 'c' } }, 'b'],
      [{ upstream_error: { error: 'c' } }, 'c'],
      [{ upstream_error: {}, error: 'd', message: 'e' }, 'd'],
      [{ error: '', message: 'e' }, 'e'],
      [{ errors: ['one', 2, 'two'] }, 'one; two'],
      [{ message: { deep: 'x' } }, undefined],
      [{ message: '   ' }, undefined],
      [['x'], undefined],
      ['"x"', undefined],
    ] as const) {
      wire.emulator?.faults.next(status(422, body))
      const expected = `Error: Proxy request failed: 422${message === undefined ? '' : `\n${message}`}`
      assert.equal(textOf(await callTool(wire.url, 'ductape_execute', EXECUTE)), expected)
    }
  })

  test("the backend's message: without keys, without control characters, at most 500 characters", async () => {
    const key = EXECUTE.publishable_key
    for (const [message, shown] of [
      [`the key ${key} is not known`, 'the key [REDACTED] is not known'],
      ['a\u0000b\u001b[31mc\u200bd\u202ee', 'a b [31mc d e'],
      ['line one\nline two', 'line one\nline two'],
      ['x'.repeat(600), `${'x'.repeat(499)}…`],
      // Cut after the key was replaced, never through it.
      [`${'x'.repeat(495)}${key}`, `${'x'.repeat(495)}[RED…`],
    ] as const) {
      wire.emulator?.faults.next({ kind: 'status-false', message })
      assert.equal(textOf(await callTool(wire.url, 'ductape_execute', EXECUTE)), `Error: ${shown}`)
    }
  })
})
