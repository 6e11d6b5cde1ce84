// The section `approvals` of live/policy.yaml: how long a call waits for a person.
import * as z from 'zod'
import { duration } from '../../config/fields.ts'

/** Milliseconds; where no policy file says anything, as in the built-in policy. */
export const DEFAULT_EXPIRY = 15 * 60_000

export const approvalsSection = z.strictObject({
  expiry: duration({ min: '10s', max: '15m' })
    .prefault('15m')
    .describe('How long after a call was asked for it can be approved, and the approved call be made'),
})
