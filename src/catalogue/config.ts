// The config key `catalogue`: what happens to a call whose method the built-in catalogue does not know.
import { choice } from '../config/fields.ts'

export const catalogueKey = choice(['enforce', 'warn', 'off'])
  .prefault('enforce')
  .describe('A method outside the catalogue is refused (enforce), logged (warn) or passed on (off)')
