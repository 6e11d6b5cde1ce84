// Addresses that are made: any text behind what begins one, and those that cost the most.
import fc from 'fast-check'
import { MAX_URL } from '../../../src/admission/guards/url/index.ts'

const PIECES = [
  'example.com',
  'api.',
  '127.0.0.1',
  '10.',
  '0x7f',
  '1',
  '.',
  '@',
  ':',
  '/',
  '//',
  '#',
  '?',
  '\\',
]
const MORE = ['%2e', '%40', '[::1]', 'localhost', '\uff11', '\u3002', 'user', '443', ';', ',', '-', 'xn--']
const REST = ['%00', '\t', '&', '=', '2130706433', 'host=', '://']

export const pieces: fc.Arbitrary<string> = fc
  .array(fc.constantFrom(...PIECES, ...MORE, ...REST), { minLength: 1, maxLength: 7 })
  .map((parts) => `https://${parts.join('')}`)

export const anyText = (): fc.Arbitrary<string> =>
  fc.oneof(
    pieces,
    fc
      .tuple(
        fc.constantFrom('', 'https://', 'jdbc:mysql://', 'host=', 'mongodb://a,'),
        fc.string({ unit: 'binary', maxLength: 100 }),
      )
      .map((parts) => parts.join('')),
  )

const BEGINNINGS = [
  'https://',
  'https://a.example.com/',
  'mongodb://',
  'host=',
  'jdbc:oracle:thin:',
  'postgres://a?',
  '',
]
const UNITS = [
  'a',
  'a.',
  '1.',
  '1-',
  'a,',
  '@',
  ':',
  '%25',
  '%',
  '=',
  ';',
  'a=b ',
  '&a=',
  'http://a',
  '\u00e9',
  '\ufdfa',
  '0x',
]

/** By beginning and the piece that they repeat, up to the cap. */
export const WORST: Readonly<Record<string, string>> = Object.fromEntries(
  BEGINNINGS.flatMap((before) =>
    UNITS.map((unit) => [
      JSON.stringify(`${before}${unit}...`),
      before + unit.repeat((MAX_URL - before.length) / unit.length),
    ]),
  ),
)
