// The checkpoints that a witness outside has kept, one JWS a line, and whether the records agree with them.
import { type Finding, finding } from './codes.ts'
import { isCheckpointPayload } from './form.ts'
import { checkJws, type Trust } from './keys.ts'

export interface Witness {
  /** Roots by size, for each chain. */
  readonly chains: ReadonlyMap<string, ReadonlyMap<number, string>>
}

export const NO_WITNESS: Witness = { chains: new Map() }

/** A fault names the line. */
export function readWitness(source: string, trust: Trust): Witness | Finding {
  const chains = new Map<string, Map<number, string>>()
  const lines = source.split('\n')
  if (lines.at(-1) === '') lines.pop()
  for (const [i, text] of lines.entries()) {
    const checked = checkJws(text, 'ductape-checkpoint+jwt', isCheckpointPayload, trust)
    if (!checked.ok) return { ...checked.finding, line: i + 1 }
    const { chain, size, root } = checked.payload as { chain: string; size: number; root: string }
    let sizes = chains.get(chain)
    if (sizes === undefined) {
      sizes = new Map()
      chains.set(chain, sizes)
    }
    const known = sizes.get(size)
    if (known !== undefined && known !== root)
      return { ...finding('witness_mismatch', `it holds two roots for ${size} records`), chain, line: i + 1 }
    sizes.set(size, root)
  }
  return { chains }
}
