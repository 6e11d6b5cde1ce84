// Where a verification stands between two files, as text that can be kept and gone on from; only for the same inputs.
import { hash } from 'node:crypto'
import { canonical } from '../../core/canonical.ts'
import { isObject, type Json, parseObject } from '../../core/json.ts'
import type { ApprovalState } from './approvals.ts'
import type { ChainState } from './chain.ts'
import type { Population } from './population.ts'
import type { ReceiptIndex } from './receipts.ts'
import type { VerifierState } from './verifier.ts'

export interface Saved {
  /** Digest of keys, witness, receipts and options. */
  inputs: string
  /** Files that were read to their end, with the SHA-256 of their bytes (hex). */
  files: Record<string, string>
  state: VerifierState
  population: Population
  receipts: ReturnType<ReceiptIndex['save']> | undefined
}

/** Sets and buffers as JSON has them. */
type SavedChain = Omit<ChainState, 'edge' | 'pending' | 'decided' | 'decidedBefore'> & {
  edge: { size: number; nodes: string[] }
  pending: string[]
  decided: string[]
  decidedBefore: string[]
}

interface Body extends Omit<Saved, 'state'> {
  v: number
  chains: SavedChain[]
  named: [string, MapValue<VerifierState['named']>][]
  torn: VerifierState['torn']
  approvals: { [Name in keyof ApprovalState]: [string, MapValue<ApprovalState[Name]>][] }
}

type MapValue<Kept> = Kept extends Map<string, infer Value> ? Value : never

const VERSION = 2

export function saveState({ inputs, files, state, population, receipts }: Saved): string {
  const body: Body = {
    v: VERSION,
    inputs,
    files,
    chains: [...state.chains.values()].map((chain) => ({
      ...chain,
      edge: { size: chain.edge.size, nodes: chain.edge.nodes.map((node) => node.toString('base64url')) },
      pending: [...chain.pending],
      decided: [...chain.decided],
      decidedBefore: [...chain.decidedBefore],
    })),
    named: [...state.named],
    torn: state.torn,
    approvals: {
      given: [...state.approvals.given],
      used: [...state.approvals.used],
      waiting: [...state.approvals.waiting],
    },
    population,
    receipts,
  }
  const text = canonical(body as unknown as Json)
  // Against a file that was cut or edited by mistake; who can write it on purpose can write the digest too.
  return `{"body":${text},"sha256":"${hash('sha256', text)}"}\n`
}

/** A sentence where the text is no state of this version. */
export function readState(text: string): Saved | string {
  const whole = parseObject(text)
  const found = whole?.['body']
  if (!isObject(found)) return 'is no state of audit verify'
  if (hash('sha256', canonical(found)) !== whole?.['sha256']) return 'was changed or cut'
  if (found['v'] !== VERSION) return 'was written by another version'
  const { approvals, inputs, files, chains, named, torn, population, receipts } = found as unknown as Body
  const state = {
    chains: new Map(chains.map((chain) => [chain.id, readChain(chain)])),
    named: new Map(named),
    torn,
    approvals: {
      given: new Map(approvals.given),
      used: new Map(approvals.used),
      waiting: new Map(approvals.waiting),
    },
  }
  return { inputs, files, population, receipts, state }
}

const readChain = (chain: SavedChain): ChainState => ({
  ...chain,
  edge: { size: chain.edge.size, nodes: chain.edge.nodes.map((node) => Buffer.from(node, 'base64url')) },
  pending: new Set(chain.pending),
  decided: new Set(chain.decided),
  decidedBefore: new Set(chain.decidedBefore),
})
