// The verifier itself: takes lines one by one and says what is wrong with the first that is not as it has to be. No clock, no files, constant memory.
import type { JsonObject } from '../../core/json.ts'
import { readJws } from '../jws.ts'
import {
  type ApprovalState,
  copyApprovals,
  newApprovals,
  settleApprovals,
  takeApproval,
} from './approvals.ts'
import { type ChainState, copyChain, openChain, type Place, settle, takeRecord } from './chain.ts'
import { type Finding, finding } from './codes.ts'
import { isCheckpointPayload, timeOfId } from './form.ts'
import type { Trust } from './keys.ts'
import { readLine } from './line.ts'
import type { ReceiptIndex } from './receipts.ts'
import type { Witness } from './witness.ts'

export interface VerifierInput {
  readonly trust: Trust
  readonly witness: Witness
  readonly receipts?: ReceiptIndex | undefined
  /** Milliseconds since the epoch: chains that began before need not be given. */
  readonly from?: number | undefined
  /** The records of all replicas are given, so an approval that is not in them was never given. */
  readonly allReplicas?: boolean | undefined
  /** Sees every record that was good. */
  readonly onRecord?: ((record: JsonObject) => void) | undefined
}

/** A chain that a record names, and for `previous` what it had signed last. */
interface Named extends Place {
  readonly chain: string
  readonly covered?: { readonly size: number; readonly root: string }
}

export interface VerifierState {
  chains: Map<string, ChainState>
  /** Keyed by what is demanded, so that each demand is kept once. */
  named: Map<string, Named>
  /** Last lines that a crash tore. */
  torn: Place[]
  approvals: ApprovalState
}

export const newState = (): VerifierState => ({
  chains: new Map(),
  named: new Map(),
  torn: [],
  approvals: newApprovals(),
})

export const copyState = ({ approvals, chains, named, torn }: VerifierState): VerifierState => ({
  approvals: copyApprovals(approvals),
  chains: new Map([...chains].map(([id, chain]) => [id, copyChain(chain)])),
  named: new Map(named),
  torn: torn.slice(),
})

export interface Verifier {
  readonly state: VerifierState
  /** One line without its line feed. */
  take(bytes: Buffer, at: Place): Finding | undefined
  /** The end of a file that has no line feed. */
  rest(bytes: Buffer, at: Place): Finding | undefined
  /** What only the whole can show. */
  end(): Finding | undefined
  /** Approvals that calls used, and how many of them somebody gave in records that are not here. */
  approvals(): { readonly used: number; readonly notShown: number }
}

export function createVerifier(input: VerifierInput, state: VerifierState = newState()): Verifier {
  const { trust, witness, receipts } = input

  const check = (bytes: Buffer, at: Place, isTorn: boolean): Finding | undefined => {
    const read = readLine(bytes)
    if (!read.ok) {
      if (!isTorn || read.code !== 'line_malformed') return { ...at, ...finding(read.code) }
      state.torn.push(at)
      return undefined
    }
    const { record } = read
    const found = takeIn(record, at)
    if (found === undefined) input.onRecord?.(record)
    // What the finding names itself is more exact: the line of a receipt, or of an earlier outcome.
    return found && { ...at, chain: record['chain'] as string, seq: record['seq'] as number, ...found }
  }

  const takeIn = (record: JsonObject, at: Place): Finding | undefined => {
    const id = record['chain'] as string
    const type = record['type']
    let chain = state.chains.get(id)
    if (chain === undefined) {
      if (type !== 'open') return finding('chain_unopened')
      if (record['seq'] !== 0) return finding('seq_gap', '0 is expected')
      chain = openChain(record)
      state.chains.set(id, chain)
      const bad = nameOthers(record, at)
      if (bad !== undefined) return bad
    }
    const found = takeRecord(chain, record, at, trust)
    if (found !== undefined) return found
    if (type === 'checkpoint') {
      const root = witness.chains.get(id)?.get(chain.covered.size)
      if (root !== undefined) {
        if (root !== chain.covered.root) return finding('witness_mismatch')
        chain.witnessed++
      }
    }
    return receipts?.compare(record, chain.policies) ?? takeApproval(state.approvals, record, at)
  }

  const nameOthers = (record: JsonObject, at: Place): Finding | undefined => {
    const { previous, registered } = record as { previous?: JsonObject; registered?: string[] }
    if (previous !== undefined) {
      const { chain, checkpoint } = previous as { chain: string; checkpoint: string }
      const jws = readJws(checkpoint, 'ductape-checkpoint+jwt')
      if (!jws.ok || !isCheckpointPayload(jws.payload) || jws.payload['chain'] !== chain)
        return finding('record_schema', 'previous.checkpoint is no checkpoint of that chain')
      const { size, root } = jws.payload as { size: number; root: string }
      state.named.set(`${chain} ${size} ${root}`, { ...at, chain, covered: { size, root } })
    }
    for (const chain of registered ?? [])
      if (!state.named.has(chain)) state.named.set(chain, { ...at, chain })
    return undefined
  }

  const isDue = (chain: string): boolean => input.from === undefined || timeOfId(chain) >= input.from

  const checkNamed = ({ chain: id, covered, file, line }: Named): Finding | undefined => {
    const chain = state.chains.get(id)
    const at = { file, line, chain: id }
    if (chain === undefined) return isDue(id) ? { ...at, ...finding('chain_missing') } : undefined
    if (covered === undefined) return undefined
    if (chain.covered.size < covered.size)
      return { ...at, ...finding('witness_truncated', `the next start saw ${covered.size} records`) }
    if (chain.covered.size === covered.size && chain.covered.root !== covered.root)
      return { ...at, ...finding('witness_mismatch') }
    return undefined
  }

  const approvals = () => {
    // What was lost in best-effort mode may have been an approval.
    const lost = [...state.chains.values()].some((chain) => chain.lost > 0)
    return settleApprovals(state.approvals, input.allReplicas === true && !lost)
  }

  return {
    state,
    take: (bytes, at) => check(bytes, at, false),
    rest: (bytes, at) => check(bytes, at, true),
    end() {
      for (const chain of state.chains.values()) {
        const found = chain.closed ? undefined : settle(chain)
        if (found !== undefined) return { chain: chain.id, ...found }
        const unseen = (witness.chains.get(chain.id)?.size ?? 0) - chain.witnessed
        if (unseen > 0)
          return {
            ...finding('witness_truncated', `${unseen} of its checkpoints are not here`),
            chain: chain.id,
          }
      }
      for (const named of state.named.values()) {
        const found = checkNamed(named)
        if (found !== undefined) return found
      }
      for (const chain of witness.chains.keys())
        if (!state.chains.has(chain) && isDue(chain))
          return { ...finding('chain_missing', 'the witness names it'), chain }
      return approvals().finding ?? receipts?.end()
    },
    approvals: () => {
      const { notShown, used } = approvals()
      return { notShown, used }
    },
  }
}
