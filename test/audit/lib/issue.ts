// Receipts of calls that tests make up, and what a verifier does with them.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import canonicalize from 'canonicalize'
import { publicKeyOf, readJws } from '../../../src/audit/jws.ts'
import { bootSigningKey, type SigningKey } from '../../../src/audit/keys.ts'
import { createReceipts, type ReceiptParts } from '../../../src/audit/receipt.ts'
import { climbPath } from '../../../src/audit/verify/tree.ts'
import { type Call, openCall, type Receipt } from '../../../src/core/call.ts'
import { makePrincipal } from '../../../src/core/principal.ts'
import { CHAIN } from '../../lib/app.ts'
import { RUNTIME } from '../../lib/runtime.ts'

interface Claims {
  [name: string]: string | number | undefined
  iat: number
  jti: string
  record?: string
  status: string
}
export interface Shown {
  claims: Claims
  head: string
  path: string[]
}

export const parse = (receipt: Receipt | undefined): Shown => JSON.parse(receipt?.text ?? 'null') as Shown

/** What a verifier does: the path leads to the signed root. */
export function check({ claims, head, path }: Shown, key: SigningKey): { root: string; iat: number } {
  const root = climbPath(canonicalize(claims) ?? '', path)
  const jws = readJws(head, 'ductape-receipt+jwt')
  assert.ok(jws.ok, head)
  assert.equal(jws.kid, key.kid)
  assert.ok(jws.verify(publicKeyOf(key.jwk)), 'the signature holds')
  assert.equal(jws.payload['root'], root)
  assert.deepEqual(Object.keys(jws.payload), ['iat', 'root'])
  return jws.payload as { root: string; iat: number }
}

const AGENT = makePrincipal({
  method: 'oauth',
  id: 'x',
  subject: 'agent "7" é',
  client: 'c',
  tenant: 'acme',
})
export const OTHER = makePrincipal({ method: 'oauth', id: 'y', subject: 'other' })

let ids = 0
export const call = (more: Partial<Call> = {}): Call =>
  Object.assign(
    openCall({
      id: `018f0000-0000-7000-8000-${(++ids).toString(16).padStart(12, '0')}`,
      startedAt: 0,
      startedTick: 0,
      channel: 'http',
      peer: 'p',
      principal: AGENT,
      runtime: RUNTIME,
    }),
    { decided: true, method: 'm', module: 'n', recordHash: 'r'.repeat(43), ...more },
  )

export function start(more: Partial<ReceiptParts> = {}) {
  const key = bootSigningKey()
  const counted = { signatures: 0, failed: 0 }
  const signer: SigningKey = {
    ...key,
    signNow: (typ, payload) => {
      counted.signatures++
      return key.signNow(typ, payload)
    },
  }
  const receipts = createReceipts({
    signer: () => signer,
    issuer: 'https://mcp.example.com',
    chain: CHAIN,
    now: () => 1_800_000_000_900,
    random: randomBytes,
    onFailure: (count) => {
      counted.failed += count
    },
    ...more,
  })
  return { receipts, key, counted }
}
