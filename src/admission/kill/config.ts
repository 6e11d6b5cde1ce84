// The file live/kill.yaml: the durable form of the kill switch.
import * as z from 'zod'
import { choice, faultsOf, instant, line, list, version } from '../../config/fields.ts'
import { KINDS, MAX_KILLS } from './entry.ts'

const killRecord = z
  .strictObject({
    kind: choice(KINDS).describe('What is off'),
    value: line('a name', 512)
      .optional()
      .describe(
        'Name of the tool or module, the tenant, or the id of the principal as records show it; none for everything',
      ),
    reason: line('a reason', 512).describe('For people; never shown to a caller'),
    until: instant()
      .optional()
      .describe('When it is on again by itself; without it, when the entry is taken away'),
  })
  .check((context) => {
    const fault = faultsOf(context)
    const { kind, value } = context.value
    if (kind === 'everything' && value !== undefined)
      fault('value', 'has no place beside everything', 'Remove it, or write which kind is meant.')
    if (kind !== 'everything' && value === undefined)
      fault('value', 'is missing', `Write which ${kind} is off.`)
  })

/** `live/kill.yaml`. */
export const killSchema = z.strictObject({
  version: version().prefault(1).describe('Format of the file'),
  kill: list(killRecord, 'things that are off', MAX_KILLS)
    .prefault([])
    .describe('What is refused until the entry is taken away'),
})
