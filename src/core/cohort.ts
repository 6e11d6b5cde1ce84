// Lets calls that are under way together take each stage one after the other: the code of all stages is larger than the caches of a core, and
// every call by itself would load all of it anew (cohort scheduling; measured: a fifth of a call's CPU at 64 connections).

export interface Cohort {
  /** Resolves for all who wait when the sockets of this turn of the event loop have been read; undefined where there is nobody to wait for, or no room. */
  gather(): Promise<void> | undefined
  /** Lets the others of the turn go as far as this call has come; undefined likewise. */
  step(): Promise<void> | undefined
}

/** As many wait at most: sockets can bring more in a turn than there is memory for, and more would gain nothing. */
const MAX_GATHERED = 256

/** Promises settle in the order in which they were awaited, so calls that were gathered stay side by side with one wait a stage. */
const BEHIND_THE_OTHERS = Promise.resolve()

/** `several` is true while more than one call is under way: a lone one waits for nobody. */
export function createCohort(several: () => boolean): Cohort {
  let gathering: Promise<void> | undefined
  let gathered = 0
  return {
    gather() {
      if (!several() || gathered >= MAX_GATHERED) return undefined
      gathered++
      gathering ??= new Promise((resolve) => {
        setImmediate(() => {
          gathering = undefined
          gathered = 0
          resolve()
        })
      })
      return gathering
    },
    step: () => (several() ? BEHIND_THE_OTHERS : undefined),
  }
}

/** Nobody waits. */
export const ALONE: Cohort = { gather: () => undefined, step: () => undefined }
