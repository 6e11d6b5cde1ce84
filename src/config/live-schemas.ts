// What each file of live/ may hold, composed of the features' own sections.
import type * as z from 'zod'
import { killSchema } from '../admission/kill/config.ts'
import { limitsSchema } from '../admission/limits/config.ts'
import { policySchema } from '../admission/policy/config.ts'
import { keysSchema } from '../identity/apikey/config.ts'
import { revocationsSchema } from '../identity/revocations/config.ts'
import { scanSchema } from '../response/scan/config.ts'
import type { LiveFile } from './live-files.ts'

/** File name to schema; a new live file is its section and a line here. */
export const LIVE_SCHEMAS = {
  'policy.yaml': policySchema,
  'keys.yaml': keysSchema,
  'limits.yaml': limitsSchema,
  'revocations.yaml': revocationsSchema,
  'kill.yaml': killSchema,
  'scan.yaml': scanSchema,
} as const satisfies Record<LiveFile, z.ZodType>

export type LiveValue<File extends LiveFile> = z.output<(typeof LIVE_SCHEMAS)[File]>
