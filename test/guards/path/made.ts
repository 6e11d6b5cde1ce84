// Paths that are made: any text, and those that cost the most.
import fc from 'fast-check'
import { MAX_PATH } from '../../../src/admission/guards/path/index.ts'

const PIECES = [
  '..',
  '.',
  '/',
  '\\',
  '%2e',
  '%2f',
  '%252e',
  '%5c',
  '\u2024',
  '\uff0f',
  '\uff0e',
  'a',
  'reports',
]
const MORE = [
  ' ',
  '\0',
  ':',
  '~',
  '%',
  '2',
  'e',
  '\u2025',
  '%c0%ae',
  '...',
  '\uff05',
  'f',
  '-',
  'nul',
  '$',
  ';',
]

/** Pieces of attacks and of honest paths. */
export const pieces: fc.Arbitrary<string> = fc
  .array(fc.constantFrom(...PIECES, ...MORE), { maxLength: 8 })
  .map((parts) => parts.join(''))

export const anyText = (): fc.Arbitrary<string> =>
  fc.oneof(pieces, fc.string({ unit: 'binary', maxLength: 200 }))

const UNITS = [
  'a',
  '/',
  'a/',
  '%',
  '%a',
  '..',
  ':',
  '1:',
  '&a',
  'a~1',
  ' ',
  '\u00e9',
  '\ufdfa',
  '$',
  'a%b',
  '+A',
  '1/',
]

/** By the piece that they repeat, up to the cap. */
export const WORST: Readonly<Record<string, string>> = Object.fromEntries(
  UNITS.map((unit) => [JSON.stringify(unit), unit.repeat(MAX_PATH / unit.length)]),
)
