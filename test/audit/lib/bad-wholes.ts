// What no single line shows: cut ends, forks, chains that were left out, and receipts that do not fit the records.
import {
  ChainBuilder,
  claimsOf,
  jcs,
  type Members,
  REFUSED,
  receiptsOf,
  START,
  sha256,
  uuid7,
} from './builder.ts'
import { closedChain, goodChain, restartChains } from './good.ts'
import { bad, FOREIGN_KEY, KEY, KEYS, linesFile, type Vector, witnessText } from './vector.ts'

export const badWholeVectors = (): Vector[] => [...wholes(), ...receipts()]

function wholes(): Vector[] {
  const chain = closedChain()
  const witness = witnessText(chain)
  const fork = goodChain()
  const forked = `${fork.witness[0]}\n${fork.checkpointJws({ root: sha256('another').toString('base64url'), size: 7 })}\n`
  const [first, second] = restartChains() as [ChainBuilder, ChainBuilder]
  const shorter = new ChainBuilder({
    number: 2,
    start: START + 60_000,
    open: { previous: { chain: first.id, checkpoint: first.checkpointJws() } },
  })
  const registered = new ChainBuilder({ open: { registered: [uuid7(START - 1000, 77)] } })
  const other = closedChain(2)
  const inWitness = { code: 'witness_mismatch', file: 'witness', line: 3 } as const
  return [
    bad('the end cut off, with a witness', 'witness_truncated', chain.lines.slice(0, 9), undefined, {
      witness,
    }),
    bad(
      'only the last checkpoint cut off, with a witness',
      'witness_truncated',
      chain.lines.slice(0, -1),
      undefined,
      { witness },
    ),
    bad('the witness saw another root', 'witness_mismatch', chain.lines, 8, { witness: forked }),
    {
      ...bad('the witness holds two roots', 'witness_mismatch', chain.lines, 3, {
        witness: `${witness.split('\n')[1]}\n${forked}`,
      }),
      expect: inWitness,
    },
    bad('a whole chain left out, with a witness', 'chain_missing', chain.lines, undefined, {
      witness: witness + witnessText(other),
    }),
    bad('the chain of the start before left out', 'chain_missing', second.lines, 1),
    bad('a registered chain left out', 'chain_missing', registered.lines, 1),
    bad(
      'the chain of the start before cut off',
      'witness_truncated',
      [...first.lines.slice(0, 9), ...second.lines],
      10,
    ),
    bad(
      'the start before had signed more',
      'witness_truncated',
      [...first.lines, ...shorter.lines],
      first.lines.length + 1,
    ),
  ]
}

function receipts(): Vector[] {
  const chain = new ChainBuilder()
  const call = chain.call()
  const refused = chain.refusal()
  const iat = Math.floor(chain.time / 1000)
  chain.close()
  const made = (claims: Members, over: Members = {}): string =>
    `${jcs({ receipt: { ...receiptsOf([claims], KEY, iat)[0], ...over } })}\n`
  const one = (name: string, code: Vector['expect'] & object, text: string): Vector => ({
    name,
    files: [linesFile(chain.lines)],
    keys: KEYS,
    receipts: text,
    expect: code,
  })
  const good = made(claimsOf(chain, call))
  const mismatch = { code: 'receipt_mismatch', file: 'receipts', line: 2 } as const
  return [
    one(
      'a receipt of no record',
      mismatch,
      good + made(claimsOf(chain, { ...call, record: 'A'.repeat(43) })),
    ),
    one(
      'a receipt of another tool',
      mismatch,
      good + made(claimsOf(chain, call, { tool: 'ductape_generate_payload' })),
    ),
    one(
      'a receipt with a claim that the record has not',
      mismatch,
      good + made(claimsOf(chain, refused, { ...REFUSED, policy_digest: 'f'.repeat(64) })),
    ),
    one('a receipt of another status', mismatch, good + made(claimsOf(chain, call, { status: 'failed' }))),
    one(
      'a receipt of another result',
      mismatch,
      good + made(claimsOf(chain, call, { result_digest: 'A'.repeat(43) })),
    ),
    one('a receipt that says refused', mismatch, good + made(claimsOf(chain, call, REFUSED))),
    one('a receipt of another call', mismatch, good + made(claimsOf(chain, call, { jti: refused.callId }))),
    one('a line that holds no receipt', mismatch, `${good}{}\n`),
    one(
      'a receipt with a path that leads elsewhere',
      { code: 'receipt_path', file: 'receipts', line: 2 },
      good + made(claimsOf(chain, call), { path: [`L${'A'.repeat(43)}`] }),
    ),
    one(
      'a receipt of a foreign key',
      { code: 'key_unknown', file: 'receipts', line: 1 },
      `${jcs({ receipt: receiptsOf([claimsOf(chain, call)], FOREIGN_KEY, iat)[0] })}\n`,
    ),
  ]
}
