// All Cypher attacks, by family.
import type { Family } from '../family.ts'
import { HIDDEN } from './corpus/hidden.ts'
import { WRITES } from './corpus/writes.ts'

export const FAMILIES: readonly Family[] = [...WRITES, ...HIDDEN]
