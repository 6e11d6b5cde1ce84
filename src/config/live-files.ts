// The names of the files of live/, apart from their schemas: those bring the condition language with them, and a service without live files starts without it.

/** In the order in which they are read. */
export const LIVE_FILES = [
  'policy.yaml',
  'keys.yaml',
  'limits.yaml',
  'revocations.yaml',
  'kill.yaml',
  'scan.yaml',
] as const

export type LiveFile = (typeof LIVE_FILES)[number]
