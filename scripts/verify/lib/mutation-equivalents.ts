// Checks that can be left out without any test noticing, each with the reason why none can.

export interface Equivalent {
  readonly file: string
  /** As the run prints it. */
  readonly text: string
  readonly reason: string
}

export const EQUIVALENTS: readonly Equivalent[] = []
