// The config section `response`: how large a tool result may be.
import * as z from 'zod'
import { size } from '../config/fields.ts'

export const responseSection = z.strictObject({
  maxResult: size({ min: '1KiB', max: '100MiB' })
    .prefault('10MiB')
    .describe('Largest tool result given to a caller; a larger one becomes an error'),
})
