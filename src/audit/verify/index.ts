// Verifies records offline: files in, a report out. The only public face of the verifier; commands and the evidence bundle use it.
import { createHash, hash } from 'node:crypto'
import type { JsonObject } from '../../core/json.ts'
import type { ChainState } from './chain.ts'
import type { Finding } from './codes.ts'
import type { Trust } from './keys.ts'
import { createLineCutter } from './lines.ts'
import { inOrder, type Source } from './order.ts'
import { createTally, type Population } from './population.ts'
import { indexReceipts, type ReceiptIndex } from './receipts.ts'
import { readState, type Saved, saveState } from './state.ts'
import { createVerifier, type Verifier } from './verifier.ts'
import { NO_WITNESS, readWitness, type Witness } from './witness.ts'

export { CODES, type Code, type Finding } from './codes.ts'
export { type KnownKey, readKeySet, type Trust } from './keys.ts'
export { readLine } from './line.ts'
export { createLineCutter } from './lines.ts'
export { inOrder, type Source } from './order.ts'
export { type Counts, createTally, type Population } from './population.ts'
export {
  checkDisclosed,
  checkReceipt,
  compareDecision,
  compareOutcome,
  findReceipt,
  type Receipt,
} from './receipt.ts'

export interface VerifyInput {
  readonly trust: Trust
  /** Texts of the files, and the names under which findings mention them. */
  readonly witness?: { readonly name: string; readonly text: string } | undefined
  readonly receipts?: { readonly name: string; readonly text: string } | undefined
  /** Milliseconds since the epoch: chains that began before need not be given. */
  readonly from?: number | undefined
  /** The records of all replicas are given: an approval that was used and is not in them is a fault. */
  readonly allReplicas?: boolean | undefined
}

export interface VerifyHooks {
  /** Sees every good record. */
  onRecord?(record: JsonObject): void
  /** So many bytes of this file have been read. */
  onProgress?(file: string, bytes: number): void
  /** Text of the state after each file. */
  onState?(text: string): void
}

export interface ChainReport {
  readonly id: string
  readonly instance: string
  /** Signed by a key that was made at its start: whoever forges records can make such a key too. */
  readonly selfAsserted: boolean
  readonly mode: 'strict' | 'best-effort'
  readonly opened: string
  /** Time of the last record. */
  readonly last: string
  readonly records: number
  readonly checkpoints: number
  /** Records at the end that no checkpoint covers: they could have been cut or replaced unseen. */
  readonly uncovered: number
  /** False = it ended in a crash, or goes on. */
  readonly closed: boolean
  /** Allowed calls without an outcome: whether they took effect is not known. */
  readonly unknown: number
  readonly lost: number
}

export interface Report {
  readonly ok: boolean
  readonly finding?: Finding
  /** A witness vouches for the ends of the chains, and for those that are not here. */
  readonly witnessed: boolean
  readonly files: number
  readonly chains: readonly ChainReport[]
  /** Last lines that a crash tore. */
  readonly torn: readonly { file: string; line: number }[]
  /** Receipts that were found again. */
  readonly receipts: number
  /** Approvals that calls used, and how many of them were given in records that are not here. */
  readonly approvals: { readonly used: number; readonly notShown: number }
  readonly population: Population
}

/** The state cannot be gone on from; the message says why. */
export class StateError extends Error {}

export async function verify(
  sources: readonly Source[],
  input: VerifyInput,
  hooks: VerifyHooks = {},
  savedText?: string,
): Promise<Report> {
  const saved = savedText === undefined ? undefined : goOnFrom(savedText, input)
  const given = readGiven(input, saved)
  const tally = createTally(saved?.population)
  const files: Record<string, string> = { ...saved?.files }
  const report = (verifier: Verifier | undefined, found: Finding | undefined): Report => ({
    ok: found === undefined,
    ...(found !== undefined && { finding: found }),
    witnessed: input.witness !== undefined,
    files: sources.length,
    chains: [...(verifier?.state.chains.values() ?? [])].map(reportChain),
    torn: verifier?.state.torn ?? [],
    approvals: verifier?.approvals() ?? { used: 0, notShown: 0 },
    receipts: found === undefined && given.ok ? (given.receipts?.count ?? 0) : 0,
    population: tally.result(),
  })
  if (!given.ok) return report(undefined, given.finding)
  const { receipts, witness } = given
  const verifier = createVerifier(
    {
      ...input,
      witness,
      receipts,
      onRecord(record) {
        tally.add(record)
        hooks.onRecord?.(record)
      },
    },
    saved?.state,
  )

  for (const source of await inOrder(sources)) {
    const before = files[source.name]
    if (before !== undefined) {
      await checkUnchanged(source, before)
      continue
    }
    const { found, digest } = await readSource(source, verifier, hooks)
    if (found !== undefined) return report(verifier, found)
    files[source.name] = digest
    hooks.onState?.(
      saveState({
        inputs: digestOf(input),
        files,
        state: verifier.state,
        population: tally.result(),
        receipts: receipts?.save(),
      }),
    )
  }
  return report(verifier, verifier.end())
}

type Given =
  | { readonly ok: true; readonly witness: Witness; readonly receipts: ReceiptIndex | undefined }
  | { readonly ok: false; readonly finding: Finding }

function readGiven({ receipts, trust, witness }: VerifyInput, saved: Saved | undefined): Given {
  const seen = witness === undefined ? NO_WITNESS : readWitness(witness.text, trust)
  if ('code' in seen) return { ok: false, finding: { ...seen, file: witness?.name ?? '' } }
  const index =
    receipts === undefined ? undefined : indexReceipts(receipts.text, receipts.name, trust, saved?.receipts)
  if (index !== undefined && 'code' in index) return { ok: false, finding: index }
  return { ok: true, witness: seen, receipts: index }
}

async function readSource(
  source: Source,
  verifier: Verifier,
  hooks: VerifyHooks,
): Promise<{ found: Finding | undefined; digest: string }> {
  const file = source.name
  const digest = createHash('sha256')
  let found: Finding | undefined
  let bytes = 0
  const cutter = createLineCutter({
    line(text, line) {
      found ??= verifier.take(text, { file, line })
    },
    rest(text, line) {
      found ??= verifier.rest(text, { file, line })
    },
  })
  for await (const chunk of source.read()) {
    digest.update(chunk)
    cutter.feed(chunk)
    bytes += chunk.length
    hooks.onProgress?.(file, bytes)
    if (found !== undefined) break
  }
  if (found === undefined) cutter.end()
  return { found, digest: digest.digest('hex') }
}

async function checkUnchanged(source: Source, sha256: string): Promise<void> {
  const digest = createHash('sha256')
  for await (const chunk of source.read()) digest.update(chunk)
  if (digest.digest('hex') !== sha256)
    throw new StateError(`${source.name} has changed since it was verified; remove the state to begin anew`)
}

function goOnFrom(text: string, input: VerifyInput): Saved {
  const saved = readState(text)
  if (typeof saved === 'string') throw new StateError(`the state ${saved}; remove it to begin anew`)
  if (saved.inputs !== digestOf(input))
    throw new StateError(
      'the state was made with other keys, witness, receipts or options; remove it to begin anew',
    )
  return saved
}

function digestOf({ allReplicas, from, receipts, trust, witness }: VerifyInput): string {
  const keys = [...trust.keys.values()].map(({ boot, kid, notAfter, notBefore }) => [
    kid,
    notBefore,
    notAfter,
    boot,
  ])
  const given = [keys, trust.selfAsserted, from, allReplicas, witness?.text, receipts?.text]
  return hash('sha256', JSON.stringify(given))
}

const reportChain = (chain: ChainState): ChainReport => ({
  id: chain.id,
  instance: chain.instance,
  selfAsserted: chain.origin === 'boot',
  mode: chain.mode,
  opened: chain.opened,
  last: chain.time,
  records: chain.edge.size,
  checkpoints: chain.checkpoints,
  uncovered: chain.uncovered,
  closed: chain.closed,
  unknown: chain.unknown,
  lost: chain.lost,
})
