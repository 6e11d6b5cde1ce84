// The stages in their order, with the recording between them: what the marks of a call are numbered by.
import type { StageName } from './denials.ts'

export const STAGE_NAMES: readonly StageName[] = [
  'transport',
  'identity',
  'protocol',
  'resolve',
  'validate',
  'policy',
  'guards',
  'replay',
  'limits',
  'approval',
  'record',
  'credentials',
  'backend',
  'shape',
  'scan',
]

export const RECORD = STAGE_NAMES.indexOf('record')
export const BACKEND = STAGE_NAMES.indexOf('backend')
