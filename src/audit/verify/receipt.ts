// Checks one receipt: its path and signature, what its holder discloses, and that it says what the records say.
import { hash } from 'node:crypto'
import { canonical } from '../../core/canonical.ts'
import { isObject, type Json, type JsonObject, member, parseExact } from '../../core/json.ts'
import { decode } from '../jws.ts'
import { type Finding, finding } from './codes.ts'
import { isClaims, isHeadPayload, isSalt } from './form.ts'
import { checkJws, type Trust } from './keys.ts'
import { climbPath } from './tree.ts'

export interface Receipt {
  readonly receipt: JsonObject
  /** Salts of the digests, where they were handed over with it. */
  readonly salts: JsonObject
}

const MAX_SKEW = 300
const META = 'app.ductape/receipt'
const HEADER = /^ductape-receipt(-salts)?:[ \t]*([\w-]+)[ \t]*$/gim

/** Finds the receipt in what people keep: `{receipt, salts}`, an MCP answer or result, the receipt alone, or the headers of an answer. */
export function findReceipt(source: string): Receipt | undefined {
  const headers = new Map<string, Json>()
  for (const [, salts, value] of source.matchAll(HEADER)) {
    const parsed = parseExact(decode(value ?? '')?.toString('utf8') ?? '')
    if (parsed.ok) headers.set(salts === undefined ? 'receipt' : 'salts', parsed.value)
  }
  const parsed =
    headers.size > 0 ? ({ ok: true, value: Object.fromEntries(headers) } as const) : parseExact(source)
  if (!parsed.ok) return undefined
  const result = member(parsed.value, 'result') ?? parsed.value
  const meta = member(result, '_meta')
  const receipt = member(meta, META) ?? member(result, 'receipt') ?? result
  const salts = member(meta, `${META}-salts`) ?? member(result, 'salts') ?? {}
  return isObject(receipt) && 'claims' in receipt && isObject(salts) ? { receipt, salts } : undefined
}

export type CheckedReceipt =
  | { readonly ok: true; readonly claims: JsonObject; readonly selfAsserted: boolean }
  | { readonly ok: false; readonly finding: Finding }

export function checkReceipt({ receipt }: Receipt, trust: Trust): CheckedReceipt {
  const fail = (found: Finding): CheckedReceipt => ({ ok: false, finding: found })
  const { claims, head, path } = receipt
  if (!isClaims(claims) || typeof head !== 'string' || Object.keys(receipt).length !== 3)
    return fail(finding('receipt_mismatch', 'it is not of the form of a receipt'))
  const checked = checkJws(head, 'ductape-receipt+jwt', isHeadPayload, trust)
  if (!checked.ok) return fail(checked.finding)
  const { iat, root } = checked.payload as { iat: number; root: string }
  if (climbPath(canonical(claims), path) !== root) return fail(finding('receipt_path'))
  if (Math.abs((claims['iat'] as number) - iat) > MAX_SKEW)
    return fail(finding('key_time', `claims and signature are more than ${MAX_SKEW} s apart`))
  return { ok: true, claims, selfAsserted: checked.selfAsserted }
}

/** Whether salt and text give a digest of the claims; `what` says which. */
export function checkDisclosed(
  claims: JsonObject,
  salts: JsonObject,
  what: 'args' | 'result',
  text: string,
): Finding | undefined {
  const digest = claims[`${what}_digest`]
  const salt = salts[what]
  if (digest === undefined) return finding('digest_mismatch', `the receipt has no ${what}_digest`)
  if (!isSalt(salt)) return finding('digest_mismatch', `there is no salt for ${what}`)
  const input = Buffer.concat([Buffer.from(salt, 'base64url'), Buffer.from(text)])
  return hash('sha256', input, 'base64url') === digest ? undefined : finding('digest_mismatch', what)
}

/** Claims of a receipt and the members of the decision that say the same. */
const SAME: readonly [claim: string, group: 'what' | 'who', name: string][] = [
  ['args_digest', 'what', 'argsDigest'],
  ['client_id', 'who', 'clientId'],
  ['method', 'what', 'method'],
  ['module', 'what', 'module'],
  ['sub', 'who', 'subject'],
  ['tenant', 'who', 'tenant'],
  ['tool', 'what', 'tool'],
]

const differs = (claim: string): Finding =>
  finding('receipt_mismatch', `${claim} is not what the record says`)

/** Whether the claims say what the decision record says. */
export function compareDecision(claims: JsonObject, record: JsonObject): Finding | undefined {
  if (claims['chain'] !== record['chain']) return differs('chain')
  if (claims['jti'] !== record['callId']) return differs('jti')
  for (const [claim, group, name] of SAME)
    if (claims[claim] !== member(record[group], name)) return differs(claim)
  const { allowed, code, replayOf } = record['decision'] as JsonObject
  if (claims['replay_of'] !== replayOf) return differs('replay_of')
  if ((claims['status'] === 'refused') === allowed) return differs('status')
  return allowed === true || claims['code'] === code ? undefined : differs('code')
}

/** Whether the claims say what the outcome record says. */
export function compareOutcome(claims: JsonObject, record: JsonObject): Finding | undefined {
  const { code, resultDigest, status } = record['outcome'] as JsonObject
  if (claims['status'] !== status) return differs('status')
  if (claims['code'] !== code) return differs('code')
  return claims['result_digest'] === resultDigest ? undefined : differs('result_digest')
}
