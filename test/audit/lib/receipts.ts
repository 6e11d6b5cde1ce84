// Single receipts, as `receipt verify` reads them: alone, in a group, in an answer, with what their holder discloses.

import type { Code } from '../../../src/audit/verify/codes.ts'
import {
  ARGS,
  ChainBuilder,
  claimsOf,
  jcs,
  jwks,
  jws,
  type Members,
  REFUSED,
  RESULT,
  receiptsOf,
  SALTS,
  sha256,
} from './builder.ts'
import { FOREIGN_KEY, KEY, KEYS, type ReceiptVector, withMore } from './vector.ts'

const encoded = (value: unknown): string => Buffer.from(jcs(value)).toString('base64url')

export function receiptVectors(): ReceiptVector[] {
  const chain = new ChainBuilder()
  const call = chain.call()
  const refused = chain.refusal()
  const iat = Math.floor(chain.time / 1000)
  const claims = claimsOf(chain, call)
  const group = [
    claims,
    claimsOf(chain, refused, REFUSED),
    ...[1, 2, 3, 4, 5].map((n) => claimsOf(chain, call, { sub: `s${n}` })),
  ]
  const grouped = receiptsOf(group, KEY, iat)
  const [lone] = receiptsOf([claims], KEY, iat)
  const [ofRefusal] = receiptsOf([claimsOf(chain, refused, REFUSED)], KEY, iat)
  const again = chain.callId()
  const record = chain.decision(again, { allowed: true, replayOf: call.callId, rule: 'reader/allow/1' })
  chain.outcome(again, { status: 'replayed' })
  const replayed = (over: Members = {}) =>
    receiptsOf(
      [claimsOf(chain, { callId: again, record }, { replay_of: call.callId, status: 'replayed', ...over })],
      KEY,
      iat,
    )[0]
  const records = chain.text()
  const vector = (
    name: string,
    receipt: unknown,
    expect: ReceiptVector['expect'] = { ok: true },
    more: Partial<ReceiptVector> = {},
  ): ReceiptVector => ({ name, keys: KEYS, receipt: jcs({ receipt, salts: SALTS }), ...more, expect })
  const fails = (name: string, code: Code, receipt: unknown, more: Partial<ReceiptVector> = {}) =>
    vector(name, receipt, { code }, more)
  const path = (steps: unknown[]): Members => ({ ...grouped[2], path: steps })
  const own = grouped[2]?.path as string[]
  const flip = (step: string): string => (step.startsWith('L') ? 'R' : 'L') + step.slice(1)

  return [
    vector('a lone call', lone),
    ...grouped.map((receipt, i) => vector(`the call ${i + 1} of a group of ${grouped.length}`, receipt)),
    vector('a refusal', ofRefusal, { ok: true }, { records }),
    vector('with its record', lone, { ok: true }, { records }),
    vector('of an answer that was given before', replayed(), { ok: true }, { records }),
    fails(
      'of an answer that was given before, which does not say so',
      'receipt_mismatch',
      replayed({ replay_of: undefined }),
      { records },
    ),
    fails('of an answer of a call that is no UUIDv7', 'receipt_mismatch', replayed({ replay_of: 'x' })),
    vector('with arguments and result', lone, { ok: true }, { args: ARGS, result: RESULT }),
    {
      ...vector('in the answer of MCP', lone),
      receipt: jcs({
        id: 1,
        jsonrpc: '2.0',
        result: {
          _meta: { 'app.ductape/receipt': lone, 'app.ductape/receipt-salts': SALTS },
          content: [{ text: '[]', type: 'text' }],
        },
      }),
    },
    {
      ...vector('in the headers of an answer', lone),
      receipt: `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDuctape-Receipt: ${encoded(lone)}\r\nDuctape-Receipt-Salts: ${encoded(SALTS)}\r\n`,
    },
    { ...vector('alone, without its salts', lone), receipt: jcs(lone) },
    vector(
      'of a key made at boot, accepted',
      lone,
      { ok: true },
      { keys: jwks(withMore(KEY, { 'ductape-origin': 'boot' })), selfAsserted: true },
    ),
    fails('of a key made at boot, not accepted', 'self_asserted', lone, {
      keys: jwks(withMore(KEY, { 'ductape-origin': 'boot' })),
    }),
    fails('of a foreign key', 'key_unknown', receiptsOf([claims], FOREIGN_KEY, iat)[0]),
    fails('of a key that had ended', 'key_time', lone, { keys: jwks(withMore(KEY, { exp: iat })) }),
    fails('of a key that had not begun', 'key_time', lone, { keys: jwks(withMore(KEY, { nbf: iat + 1 })) }),
    fails(
      'whose claims are older than its signature',
      'key_time',
      receiptsOf([claimsOf(chain, call, { iat: iat - 301 })], KEY, iat)[0],
    ),
    vector(
      'whose claims are 300 s older than its signature',
      receiptsOf([claimsOf(chain, call, { iat: iat - 300 })], KEY, iat)[0],
    ),
    fails(
      'signed as a checkpoint',
      'signature_bad',
      receiptsOf([claims], KEY, iat, 'ductape-checkpoint+jwt')[0],
    ),
    fails('whose head is a checkpoint', 'signature_bad', { ...lone, head: chain.witness[0] }),
    fails('whose head has one more member', 'signature_bad', {
      ...lone,
      head: jws('ductape-receipt+jwt', { iat, root: 'A'.repeat(43), size: 1 }, KEY),
    }),
    fails('with another claim', 'receipt_path', {
      ...lone,
      claims: { ...claims, tool: 'ductape_generate_payload' },
    }),
    fails('with a claim that there is not', 'receipt_mismatch', {
      ...lone,
      claims: { ...claims, admin: true },
    }),
    fails('without a claim that there has to be', 'receipt_mismatch', {
      ...lone,
      claims: { ...claims, jti: undefined },
    }),
    fails('with one more member', 'receipt_mismatch', { ...lone, note: 'x' }),
    fails('with a path for a lone call', 'receipt_path', { ...lone, path: own }),
    fails('of a group, without its path', 'receipt_path', path([])),
    fails('with a step on the wrong side', 'receipt_path', path([flip(own[0] as string), ...own.slice(1)])),
    fails('with two steps swapped', 'receipt_path', path([own[1], own[0], ...own.slice(2)])),
    fails('with a step too few', 'receipt_path', path(own.slice(1))),
    fails('with a step of the wrong form', 'receipt_path', path([own[0]?.slice(1), ...own.slice(1)])),
    fails('with 21 steps', 'receipt_path', path(Array.from({ length: 21 }, () => own[0]))),
    fails('with a path of the next call', 'receipt_path', path(grouped[3]?.path ?? [])),
    fails('with a path that is no list', 'receipt_path', { ...lone, path: {} }),
    fails('with other arguments', 'digest_mismatch', lone, { args: ARGS.replace('product', 'workspace') }),
    fails('with another result', 'digest_mismatch', lone, { result: '[{"text":"[1]","type":"text"}]' }),
    fails('with arguments and another salt', 'digest_mismatch', lone, {
      args: ARGS,
      receipt: jcs({ receipt: lone, salts: { ...SALTS, args: SALTS.result } }),
    }),
    fails('with arguments and a salt that is too short', 'digest_mismatch', lone, {
      args: ARGS,
      receipt: jcs({ receipt: lone, salts: { args: 'AAAA' } }),
    }),
    fails('with arguments and no salt', 'digest_mismatch', lone, {
      args: ARGS,
      receipt: jcs({ receipt: lone }),
    }),
    fails('with a result that a refusal has not', 'digest_mismatch', ofRefusal, { result: RESULT }),
    fails(
      'of a record that is not there',
      'receipt_mismatch',
      receiptsOf([claimsOf(chain, { ...call, record: sha256('x').toString('base64url') })], KEY, iat)[0],
      { records },
    ),
    fails(
      'that says something else than its record',
      'receipt_mismatch',
      receiptsOf([claimsOf(chain, call, { tenant: 'other' })], KEY, iat)[0],
      { records },
    ),
    { ...fails('in a text that holds none', 'receipt_mismatch', lone), receipt: '{"result":{}}' },
  ]
}
