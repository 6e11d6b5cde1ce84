// The documented answers to a backend that fails, word for word, and the check of one on all ways in.
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { Fault } from '../../../src/emulator/index.ts'
import { startApp, type TestApp, type TestAppOptions } from '../../lib/app.ts'
import { callRest, callTool, EXECUTE, GENERATE } from '../../lib/calls.ts'

const GENERATE_FAILED = 'Payload generation request failed'

export interface Expected {
  code: string
  /** Of the execute tool. */
  text: string
  /** Of the generate tools, after their sentence and a line feed; without it they end with the sentence. */
  generate?: string
  /** Of the REST answer. */
  status: number
  /** Of the outcome record. */
  outcome: string
  retryAfterMs?: number
}

const ours = (code: string, sentence: string): Pick<Expected, 'code' | 'text' | 'generate'> => ({
  code,
  text: `Error: [${code}] ${sentence}`,
  generate: `[${code}] ${sentence}`,
})

export const MALFORMED: Expected = {
  ...ours(
    'backend_malformed',
    'The answer of the Ductape backend was not understood. The operation may have taken effect.',
  ),
  status: 502,
  outcome: 'unknown',
}
export const INTERRUPTED: Expected = {
  ...ours(
    'backend_interrupted',
    'The connection to the Ductape backend broke before its answer was complete. The operation may have taken effect.',
  ),
  status: 502,
  outcome: 'unknown',
}
export const UNREACHABLE: Expected = {
  ...ours('backend_unreachable', 'The Ductape backend could not be reached; nothing was sent.'),
  status: 502,
  outcome: 'cancelled',
}
export const TOO_LARGE: Expected = {
  ...ours(
    'backend_too_large',
    'The answer of the Ductape backend is larger than 10485760 bytes. The operation may have taken effect.',
  ),
  status: 502,
  outcome: 'unknown',
}
export const late = (seconds: number): Expected => ({
  ...ours(
    'backend_timeout',
    `The Ductape backend gave no answer within ${seconds} s. The operation may have taken effect.`,
  ),
  status: 504,
  outcome: 'unknown',
})
export const refused = (status: number, message?: string): Expected => ({
  code: 'backend_refused',
  text: `Error: Proxy request failed: ${status}${message === undefined ? '' : `\n${message}`}`,
  ...(message !== undefined && { generate: message }),
  status: 424,
  // A fault of the backend may have come after the effect.
  outcome: status >= 500 ? 'unknown' : 'failed',
})
export const failed = (message?: string): Expected => ({
  code: 'backend_failed',
  text: `Error: ${message ?? 'SDK operation failed'}`,
  ...(message !== undefined && { generate: message }),
  status: 422,
  outcome: 'failed',
})
export const busy = (status: number, message: string | undefined, retryAfterMs?: number): Expected => ({
  code: 'backend_busy',
  text: `Error: Proxy request failed: ${status}${message === undefined ? '' : `\n${message}`}`,
  generate: message ?? `[backend_busy] The Ductape backend answered with HTTP status ${status}.`,
  status: 503,
  outcome: 'failed',
  ...(retryAfterMs !== undefined && { retryAfterMs }),
})

/** Calls both kinds of tool over MCP and REST; the fault has to stand for all of them. */
export async function expectAll(app: TestApp, expected: Expected): Promise<void> {
  const generated =
    expected.generate === undefined ? GENERATE_FAILED : `${GENERATE_FAILED}\n${expected.generate}`
  for (const [tool, args, text] of [
    ['ductape_execute', EXECUTE, expected.text],
    ['ductape_generate_payload', GENERATE, generated],
    ['ductape_generate_snippet', GENERATE, generated],
  ] as const) {
    const before = app.records().length
    const answer = await callTool(app.url, tool, args)
    assert.deepEqual(answer.content, [{ type: 'text', text }])
    assert.equal(answer.isError, true)
    assert.equal(answer.structuredContent, undefined)
    const refusal = answer._meta?.['app.ductape/refusal'] as Record<string, unknown>
    assert.equal(refusal['code'], expected.code)
    assert.equal(refusal['retryAfterMs'], expected.retryAfterMs)
    const [decision, outcome] = app.records().slice(before)
    assert.equal(decision?.decision?.allowed, true)
    assert.deepEqual([outcome?.outcome?.status, outcome?.outcome?.code], [expected.outcome, expected.code])

    const rest = await callRest(app.url, tool, args)
    const problem = rest.body as Record<string, unknown>
    assert.deepEqual(
      [rest.status, problem['code'], problem['detail']],
      [expected.status, expected.code, text],
    )
    assert.equal(
      rest.headers.get('retry-after'),
      expected.retryAfterMs === undefined ? null : String(expected.retryAfterMs / 1000),
    )
  }
}

export async function withApp(t: TestContext, options: TestAppOptions): Promise<TestApp> {
  const app = await startApp(options)
  t.after(() => app.close())
  return app
}

export const json = (status: number, body: unknown, headers?: Record<string, string>): Fault => ({
  kind: 'status',
  status,
  body: JSON.stringify(body),
  ...(headers !== undefined && { headers }),
})
