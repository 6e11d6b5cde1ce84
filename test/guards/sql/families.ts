// All SQL attacks, by family.
import type { Family } from '../family.ts'
import { CLASSIC } from './corpus/classic.ts'
import { HIDDEN } from './corpus/hidden.ts'
import { REACH } from './corpus/reach.ts'

export const FAMILIES: readonly Family[] = [...CLASSIC, ...REACH, ...HIDDEN]
