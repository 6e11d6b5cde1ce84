// Builds chains and receipts line by line from docs/reference/evidence.md alone, with fixed keys and times: it shares no code with the service, and can build what the service never would.
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import canonicalize from 'canonicalize'

export type Members = Record<string, unknown>

export const jcs = (value: unknown): string => canonicalize(value) as string
export const sha256 = (...parts: (Buffer | string)[]): Buffer => {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return digest.digest()
}
const b64u = (bytes: Buffer | string): string => Buffer.from(bytes).toString('base64url')

export interface TestKey {
  readonly privateKey: KeyObject
  readonly jwk: { crv: string; kty: string; x: string }
  readonly kid: string
}

/** PKCS #8 of an Ed25519 key, before its 32 bytes (RFC 8410 7). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')

/** The same key for the same number, for tests only. */
export function testKey(number: number): TestKey {
  const der = Buffer.concat([PKCS8, sha256(`ductape-mcp test key ${number}`)])
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  const { crv, kty, x } = createPublicKey(privateKey).export({ format: 'jwk' })
  const jwk = { crv: crv as string, kty: kty as string, x: x as string }
  return { privateKey, jwk, kid: b64u(sha256(jcs(jwk))) }
}

export function jws(typ: string, payload: unknown, key: TestKey, header: Members = {}): string {
  const input = `${b64u(jcs({ alg: 'EdDSA', kid: key.kid, typ, ...header }))}.${b64u(jcs(payload))}`
  return `${input}.${b64u(sign(null, Buffer.from(input), key.privateKey))}`
}

export const jwks = (...keys: (TestKey & { more?: Members })[]): string =>
  `${JSON.stringify({ keys: keys.map(({ jwk, kid, more }) => ({ alg: 'EdDSA', ...jwk, kid, use: 'sig', ...more })) })}\n`

/** RFC 9162 2.1.1, by its definition. */
export function treeHead(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256()
  if (leaves.length === 1) return sha256(Buffer.from([0]), leaves[0] as Buffer)
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return sha256(Buffer.from([1]), treeHead(leaves.slice(0, k)), treeHead(leaves.slice(k)))
}

/** UUIDv7 of a time and a number. */
export function uuid7(time: number, number: number): string {
  const hex = time.toString(16).padStart(12, '0')
  const tail = sha256(`id ${number}`).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7${tail.slice(0, 3)}-8${tail.slice(3, 6)}-${tail.slice(6, 18)}`
}

export const START = Date.parse('2026-11-21T12:00:00.000Z')

export interface BuilderOptions {
  /** Tells chains and their calls apart. */
  number?: number
  key?: TestKey
  origin?: 'file' | 'boot'
  mode?: 'strict' | 'best-effort'
  start?: number
  /** Milliseconds from one record to the next. */
  step?: number
  /** Members of `open` over the usual ones. */
  open?: Members
}

export class ChainBuilder {
  readonly id: string
  readonly lines: string[] = []
  readonly witness: string[] = []
  readonly records: Members[] = []
  time: number
  key: TestKey
  private readonly number: number
  private readonly step: number
  private readonly hashes: Buffer[] = []
  private calls = 0

  constructor(options: BuilderOptions = {}) {
    this.number = options.number ?? 1
    this.key = options.key ?? testKey(1)
    this.time = options.start ?? START
    this.step = options.step ?? 10
    this.id = uuid7(this.time, this.number * 1_000_000)
    this.add('open', {
      configDigest: sha256('config').toString('hex'),
      key: this.key.jwk,
      keyOrigin: options.origin ?? 'file',
      mode: options.mode ?? 'strict',
      policyDigest: POLICY,
      service: { name: 'ductape-mcp', version: '0.1.0' },
      ...options.open,
    })
    this.checkpoint()
  }

  /** The next record; `over` replaces or, where it is undefined, takes away. */
  add(type: string, members: Members, over: Members = {}): string {
    const record: Members = {
      chain: this.id,
      instance: `pod-${this.number}`,
      ...(this.hashes.length > 0 && { prev: this.hashes.at(-1)?.toString('base64url') }),
      seq: this.hashes.length,
      time: new Date(this.time).toISOString(),
      type,
      v: 1,
      ...members,
      ...over,
    }
    this.time += this.step
    const hash = sha256(jcs(record))
    record['hash'] = b64u(hash)
    this.hashes.push(hash)
    this.records.push(record)
    this.lines.push(jcs(record))
    return record['hash'] as string
  }

  callId(): string {
    this.calls++
    return uuid7(this.time, this.number * 1_000_000 + this.calls)
  }

  decision(
    callId: string,
    decision: Members = { allowed: true, rule: 'reader/allow/1' },
    what: Members = {},
    who: Members = {},
  ): string {
    return this.add('decision', {
      callId,
      decision,
      what: {
        argsDigest: b64u(sha256(ARGS_SALT, ARGS)),
        effect: 'read',
        method: 'environments.list',
        module: 'product',
        requestId: callId,
        rpcId: this.calls,
        surface: 'mcp',
        tool: 'ductape_execute',
        transport: 'http',
        ...what,
      },
      who: { ...WHO, ...who },
    })
  }

  outcome(callId: string, outcome: Members = {}): string {
    return this.add('outcome', {
      callId,
      outcome: {
        bytesIn: 412,
        bytesOut: 1890,
        durationMs: 12.375,
        httpStatus: 200,
        resultDigest: b64u(sha256(RESULT_SALT, RESULT)),
        status: 'executed',
        ...outcome,
      },
    })
  }

  /** Both records of one call; the hash of the decision. */
  call(outcome: Members = {}): { callId: string; record: string } {
    const callId = this.callId()
    const record = this.decision(callId)
    this.outcome(callId, outcome)
    return { callId, record }
  }

  refusal(code = 'policy_denied', stage = 'policy'): { callId: string; record: string } {
    const callId = this.callId()
    return { callId, record: this.decision(callId, { allowed: false, code, stage }) }
  }

  checkpointJws(over: Members = {}, key = this.key, typ = 'ductape-checkpoint+jwt'): string {
    const payload = {
      chain: this.id,
      iat: Math.floor(this.time / 1000),
      root: b64u(treeHead(this.hashes)),
      size: this.hashes.length,
      ...over,
    }
    return jws(typ, payload, key)
  }

  checkpoint(signed = this.checkpointJws()): void {
    this.add('checkpoint', { checkpoint: signed })
    this.witness.push(signed)
  }

  rotate(next: TestKey, by = this.key, over: Members = {}): void {
    const payload = { chain: this.id, iat: Math.floor(this.time / 1000), jwk: next.jwk, ...over }
    this.add('key', { key: { jwk: next.jwk, jws: jws('ductape-key+jwt', payload, by) } })
    this.key = next
  }

  close(over: Members = {}): void {
    const records: Record<string, number> = { close: 1 }
    for (const { type } of this.records) records[type as string] = (records[type as string] ?? 0) + 1
    this.add('close', { close: { records: { ...records, ...over } } })
    this.checkpoint()
  }

  text(): string {
    return this.lines.map((line) => `${line}\n`).join('')
  }
}

export const POLICY = sha256('policy').toString('hex')
export const ARGS = '{"method":"environments.list","module":"product","params":["ductape:my-product"]}'
export const RESULT = '[{"text":"[]","type":"text"}]'
export const ARGS_SALT = sha256('salt of arguments').subarray(0, 16)
export const RESULT_SALT = sha256('salt of the result').subarray(0, 16)
export const SALTS = { args: b64u(ARGS_SALT), result: b64u(RESULT_SALT) }
const WHO = {
  clientId: 'agent-7',
  issuer: 'https://login.example',
  method: 'oauth',
  peer: '192.0.2.7',
  principal: 'oauth:https://login.example#agent-7',
  roles: ['reader'],
  subject: 'agent-7',
  tenant: 'acme',
}

/** Claims of the receipt of a call of `ChainBuilder.call` or, with a code, `refusal`. */
export function claimsOf(
  chain: ChainBuilder,
  call: { callId: string; record: string },
  over: Members = {},
): Members {
  const claims: Members = {
    args_digest: b64u(sha256(ARGS_SALT, ARGS)),
    chain: chain.id,
    client_id: 'agent-7',
    iat: Math.floor(chain.time / 1000),
    iss: 'https://tools.example',
    jti: call.callId,
    method: 'environments.list',
    module: 'product',
    policy_digest: POLICY,
    record: call.record,
    result_digest: b64u(sha256(RESULT_SALT, RESULT)),
    status: 'executed',
    sub: 'agent-7',
    tenant: 'acme',
    tool: 'ductape_execute',
    ...over,
  }
  for (const name of Object.keys(claims)) if (claims[name] === undefined) delete claims[name]
  return claims
}

export const REFUSED: Members = { code: 'policy_denied', result_digest: undefined, status: 'refused' }

export interface BuiltReceipt {
  claims: Members
  head: string
  path: string[]
}

/** Receipts of one group under one signature. */
export function receiptsOf(
  group: readonly Members[],
  key: TestKey,
  iat: number,
  typ = 'ductape-receipt+jwt',
): BuiltReceipt[] {
  const leaves = group.map((claims) => sha256(Buffer.from([0]), 'ductape-receipt/1', jcs(claims)))
  const { root, paths } = climb(leaves)
  const head = jws(typ, { iat, root: b64u(root) }, key)
  return group.map((claims, i) => ({ claims, head, path: paths[i] as string[] }))
}

/** Root and paths by the recursion of RFC 9162 2.1.3.1. */
function climb(leaves: readonly Buffer[]): { root: Buffer; paths: string[][] } {
  if (leaves.length === 1) return { root: leaves[0] as Buffer, paths: [[]] }
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  const left = climb(leaves.slice(0, k))
  const right = climb(leaves.slice(k))
  return {
    root: sha256(Buffer.from([1]), left.root, right.root),
    paths: [
      ...left.paths.map((path) => [...path, `R${b64u(right.root)}`]),
      ...right.paths.map((path) => [...path, `L${b64u(left.root)}`]),
    ],
  }
}
