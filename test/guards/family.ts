// The form of an attack corpus: families of texts that share one trick, and what is demanded of the guard for all of them.

export interface Family {
  readonly name: string
  /** `refused`: whatever the rules say. `unproven`: refused, or not proven read-only, so that policy and approval decide. Never `read`. */
  readonly demand: 'refused' | 'unproven'
  readonly texts: readonly string[]
}
