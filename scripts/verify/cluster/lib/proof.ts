// What a proof is: a name, a sentence, and a function that gives a figure, says that it cannot run here, or throws.
import type { Bound } from '../../report.ts'

export interface Outcome {
  /** What was seen, in a few words with figures. */
  readonly figure: string
  readonly bounds?: readonly Bound[]
}

/** Why a proof has no meaning on this cluster: the exact words of what refused. */
export interface CannotRun {
  readonly cannotRun: string
}

export interface Proof {
  readonly name: string
  /** A sentence that the figure proves. */
  readonly what: string
  readonly run: (context: Context) => Promise<Outcome | CannotRun>
}

export interface Context {
  /** Whether this is the one-node cluster of scripts/cluster, whose registry and node we may use. */
  readonly local: boolean
  /** A folder of this run. */
  readonly folder: string
  readonly images: Images
  /** How many rolling restarts; fewer than the count is for a first look. */
  readonly restarts: number
}

/** References by digest. */
export interface Images {
  readonly app: string
  readonly proxy: string
  readonly emulator: string
  readonly redis: string
}

export function check(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise)
}
