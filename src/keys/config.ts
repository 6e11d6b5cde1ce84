// The config section `keys`: the secret from which the service derives its own symmetric keys.
import * as z from 'zod'
import { fileReference } from '../config/fields.ts'

export const keysSection = z.strictObject({
  fleet: fileReference()
    .optional()
    .describe(
      'File with the keys that all replicas share, one "id base64" a line, the first in use, all accepted; without it one is made at each start',
    ),
})
