// What the backend says in a failure is shown redacted, visible and at most 500 characters long.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callTool, EXECUTE, KEY, textOf } from '../lib/calls.ts'
import { json, withApp } from './lib/expected.ts'

const HOSTILE: readonly (readonly [what: string, message: string, shown: string])[] = [
  ['the key of the call', `no access for ${KEY}.`, 'no access for [REDACTED].'],
  [
    'the key in base64',
    `token ${Buffer.from(`user:${KEY}`).toString('base64')}`,
    'token dXNlcjp[REDACTED]g==',
  ],
  ['the key percent-encoded', `?key=${KEY.replaceAll('_', '%5f')}`, '?key=[REDACTED]'],
  ['control characters', 'a\u0000b\u001b[31mc\rd\u0085e', 'a b [31mc d e'],
  [
    'invisible and bidi characters',
    'a\u200bb\u202ec\u2066d\u00ade\ufefff\u2028g\u{e0041}h',
    'a b c d e f g h',
  ],
  ['half a surrogate pair', 'a\ud800b', 'a\ufffdb'],
  ['line feeds stay', 'first\nsecond', 'first\nsecond'],
  ['500 characters stay', 'x'.repeat(500), 'x'.repeat(500)],
  ['501 are cut', 'x'.repeat(501), `${'x'.repeat(499)}…`],
  ['no pair is cut in half', `${'x'.repeat(498)}\u{1f600}\u{1f600}`, `${'x'.repeat(498)}\ufffd…`],
  ['a key over the cut', `${'x'.repeat(495)}${KEY}${'y'.repeat(100)}`, `${'x'.repeat(495)}[RED…`],
]

for (const [what, message, shown] of HOSTILE) {
  test(`a message of the backend is made safe to show: ${what}`, async (t) => {
    const app = await withApp(t, {})
    for (const [fault, text] of [
      [{ kind: 'status-false', message }, `Error: ${shown}`],
      [json(422, { upstream_error: { errors: [message] } }), `Error: Proxy request failed: 422\n${shown}`],
      [json(503, { error: message }), `Error: Proxy request failed: 503\n${shown}`],
    ] as const) {
      app.emulator?.faults.next(fault)
      assert.equal(textOf(await callTool(app.url, 'ductape_execute', EXECUTE)), text)
    }
  })
}
