// The config section `replay`: how long the answer of a call with an idempotency key is kept, and which calls have to have one.
import * as z from 'zod'
import { choice, duration } from '../../config/fields.ts'

export const replaySection = z.strictObject({
  retention: duration({ min: '1m', max: '24h' })
    .prefault('1h')
    .describe(
      'Time in which a repetition of a call with the same idempotency key gets the first answer; after it, it is executed again',
    ),
  require: choice(['none', 'destructive', 'write'])
    .prefault('none')
    .describe(
      'Effects from which on a call has to have an idempotency key: destructive holds for admin as well, write for everything but read',
    ),
})
