// Personal data that can be told from other numbers and words: by a checksum, by ranges, or by a form that little else has.
import { type Rule, sticky } from './rule.ts'

const D = '0123456789'
const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const times = (letters: string, count: number): string[] => new Array<string>(count).fill(letters)
const GAP = ' -'

/** The checksum of card numbers (ISO/IEC 7812-1, Luhn). */
export function isLuhn(digits: string): boolean {
  let sum = 0
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 0x30
    const twice = digit * 2
    sum += i % 2 === 0 ? digit : twice > 9 ? twice - 9 : twice
  }
  return sum % 10 === 0
}

/** The networks by their first digits, with the lengths that they give out. */
const NETWORKS: readonly (readonly [RegExp, readonly number[]])[] = [
  [/^4/, [16, 19]],
  [/^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]],
  [/^3[47]/, [15]],
  [/^(?:6011|64[4-9]|65)/, [16, 19]],
  [/^35(?:2[89]|[3-8])/, [16]],
  [/^3(?:0[0-5]|[68])/, [14]],
  [/^62/, [16, 17, 18, 19]],
]

export function isCard(text: string): boolean {
  const digits = text.replace(/[ -]/g, '')
  // One digit all through is a placeholder.
  if (/^(\d)\1*$/.test(digits)) return false
  return (
    NETWORKS.some(([first, lengths]) => lengths.includes(digits.length) && first.test(digits)) &&
    isLuhn(digits)
  )
}

/** Length of an IBAN by country (registry of ISO 13616). */
const IBAN_LENGTHS: Readonly<Record<string, number>> = Object.fromEntries(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27 GB22 ' +
    'GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 MC27 MD24 ME22 MK19 ' +
    'MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20'
  )
    .split(' ')
    .map((row) => [row.slice(0, 2), Number(row.slice(2))]),
)

/** Right length for its country, and 1 modulo 97 (ISO 7064). */
export function isIban(text: string): boolean {
  const iban = text.replaceAll(' ', '')
  if (IBAN_LENGTHS[iban.slice(0, 2)] !== iban.length) return false
  let rest = 0
  for (const letter of iban.slice(4) + iban.slice(0, 4)) {
    const value = Number.parseInt(letter, 36)
    rest = (rest * (value > 9 ? 100 : 10) + value) % 97
  }
  return rest === 1
}

/** Numbers that the Social Security Administration gives out; 078-05-1120 and 219-09-9999 stood in advertisements. */
const isSsn = (text: string): boolean =>
  !/^(?:000|666|9)|-00-|-0000$|^078-05-1120$|^219-09-9999$|^123-45-6789$/.test(text)

const digitsOf = (text: string): number => text.replace(/\D/g, '').length

const DOMAIN = /@(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?\.){1,8}[a-z]{2,24}(?![\w-])/iy
const LOCAL = /[\w.+%-]/
const MAX_LOCAL = 64

/** From the sign outwards: the name before it has no beginning that could be a trigger. */
const email: Rule['find'] = (text, at) => {
  let from = at
  while (from > 0 && at - from < MAX_LOCAL && LOCAL.test(text.charAt(from - 1))) from--
  while (from < at && text.charAt(from) === '.') from++
  if (from === at) return undefined
  DOMAIN.lastIndex = at
  const domain = DOMAIN.exec(text)
  return domain === null ? undefined : { from, to: at + domain[0].length }
}

const card = (source: string): Rule['find'] =>
  sticky(`(?<![\\w.+-])${source}(?![\\d-]|\\.\\d|[A-Za-z_])`, '', isCard)

export const PERSONAL: readonly Rule[] = [
  {
    detector: 'personal',
    id: 'card',
    triggers: [times(D, 14)],
    find: card('\\d{14,19}'),
  },
  {
    detector: 'personal',
    id: 'card-grouped',
    triggers: [
      [...times(D, 4), GAP, ...times(D, 4), GAP, D],
      [...times(D, 4), GAP, ...times(D, 6), GAP],
    ],
    find: card('(?:\\d{4} \\d{4} \\d{4} \\d{4}|\\d{4}-\\d{4}-\\d{4}-\\d{4}|\\d{4}[ -]\\d{6}[ -]\\d{4,5})'),
  },
  {
    detector: 'personal',
    id: 'iban',
    triggers: [[UPPER, UPPER, D, D]],
    find: sticky(
      '(?<![\\w+/-])[A-Z]{2}\\d{2}(?:[A-Z\\d]{11,30}|(?: [A-Z\\d]{4}){2,7}(?: [A-Z\\d]{1,3})?)(?![\\w+/])',
      '',
      isIban,
    ),
  },
  {
    detector: 'personal',
    id: 'us-ssn',
    triggers: [[...times(D, 3), '-', ...times(D, 2), '-', ...times(D, 3)]],
    find: sticky('(?<![\\w.+-])\\d{3}-\\d{2}-\\d{4}(?![\\w-]|\\.\\d)', '', isSsn),
  },
  {
    detector: 'personal',
    id: 'phone',
    triggers: [['+', '123456789', `${D} -`, `${D} -`]],
    find: sticky(
      '(?<![\\w+/=.-])\\+[1-9]\\d{0,2}(?:\\d{6,12}|(?:[ -]\\d{2,4}){2,5})(?![\\w+/=]|[ -]\\d)',
      '',
      (text) => {
        const count = digitsOf(text)
        return count >= (/[ -]/.test(text) ? 10 : 8) && count <= 15
      },
    ),
  },
  { detector: 'personal', id: 'email', triggers: ['@'], quiet: true, find: email },
]
