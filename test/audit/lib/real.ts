// Chains as the service itself writes them, for the verifier: its own chain over a writer that hands every line on.
import { type Chain, type ChainOptions, createChain } from '../../../src/audit/chain.ts'
import { createSigningKey } from '../../../src/audit/keys.ts'
import { POLICY, START, sha256, type TestKey, uuid7 } from './builder.ts'

export const signingKey = ({ privateKey }: TestKey, origin: 'file' | 'boot' = 'file') =>
  createSigningKey(privateKey, origin)

export interface RealOptions extends Partial<Pick<ChainOptions, 'mode' | 'witness'>> {
  key: TestKey
  number?: number
  onLine(line: string): void
  open?: Partial<ChainOptions['open']>
}

export interface RealChain extends Chain {
  /** Two records of a call, of the size that a service writes. */
  call(number: number): void
}

/** The clock goes on by a millisecond with every record. */
export function realChain({ key, number = 1, onLine, open, ...options }: RealOptions): RealChain {
  let time = START
  const now = (): number => time++
  const id = uuid7(START, number)
  const take = (line: string): boolean => {
    onLine(line)
    return true
  }
  const chain = createChain({
    id,
    instance: `ductape-mcp-6d5f8c9b7-${number}`,
    mode: 'strict',
    key: signingKey(key),
    now,
    tick: () => time - START,
    onEvent: () => undefined,
    writer: {
      write: take,
      insert: (before, after, pieceOf) => take(before + pieceOf(Buffer.from(before + after)) + after),
      flush: async () => undefined,
      taken: async () => true,
      hasRoom: () => true,
      fault: () => undefined,
      stats: () => ({ written: 0, lost: 0, pendingBytes: 0 }),
    },
    open: {
      configDigest: sha256('config').toString('hex'),
      policyDigest: POLICY,
      service: { name: 'ductape-mcp', version: '0.1.0' },
      ...open,
    },
    ...options,
  })
  return {
    ...chain,
    call(n) {
      const callId = uuid7(time, number * 100_000_000 + n)
      const digest = sha256(callId).toString('base64url')
      chain.append('decision', {
        callId,
        head: '"decision":{"allowed":true,"rule":"reader/allow/3"},',
        tail: `,"what":{"argsDigest":"${digest}","credentialId":"k1.${digest}","effect":"read","mcpMethod":"tools/call","method":"environments.list","module":"product","requestDigest":"k1.${digest}","requestId":"${callId}","revision":"2026-07-28","rpcId":${n},"safe":{"env":"prd","product":"my-product"},"shape":{"method":"string","module":"string","params":["string",1]},"surface":"mcp","tool":"ductape_execute","toolDigest":"${digest}","traceId":"4bf92f3577b34da6a3ce929d0e0e4736","transport":"http"},"who":{"clientId":"agent-7","issuer":"https://login.example","method":"oauth","peer":"192.0.2.7","principal":"oauth:https://login.example#agent-${n % 50}","roles":["reader"],"subject":"agent-${n % 50}","tenant":"acme","tokenId":"${digest}"}`,
      })
      chain.append('outcome', {
        callId,
        body: `"outcome":{"backendStatus":200,"bytesIn":412,"bytesOut":1890,"durationMs":12.375,"httpStatus":200,"resultDigest":"${digest}","status":"executed"},`,
      })
    },
  }
}
