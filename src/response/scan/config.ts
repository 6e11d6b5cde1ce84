// The file live/scan.yaml: what is looked for in answers, and what is done where it is found.
import * as z from 'zod'
import { choice, count, faultsOf, kinds, line, list, size, version, word } from '../../config/fields.ts'

export const MODES = ['off', 'flag', 'redact', 'block'] as const

/** One mode for all calls, or one for each effect. */
function mode() {
  const schema = z.union([
    choice(MODES),
    z.strictObject({
      read: choice(MODES).optional().describe('For calls that read'),
      write: choice(MODES).optional().describe('For calls that write'),
      destructive: choice(MODES).optional().describe('For calls that destroy'),
      admin: choice(MODES).optional().describe('For calls that administer'),
    }),
  ])
  kinds.add(schema, {
    type: 'off, flag, redact or block, or a map of read, write, destructive, admin to one of them',
    expects: 'off, flag, redact or block, or a map of effects to one of them',
    fix: 'Write flag, or for example { read: flag, admin: block }.',
  })
  return schema
}

const RULE_ID = /^[a-z][a-z0-9-]{0,47}$/
const ruleId = () =>
  word(RULE_ID, {
    type: 'rule id: lower-case letters, digits, hyphens',
    expects: 'a rule id: lower-case letters, digits and hyphens, at most 48',
    fix: 'Write for example acme-token.',
  })

function ruleModes() {
  const schema = z.record(z.string(), mode()).check((context) => {
    const fault = faultsOf(context)
    for (const id of Object.keys(context.value))
      if (!RULE_ID.test(id)) fault([id], 'is not a rule id', 'docs/operate/scanning.md has the ids.')
  })
  kinds.add(schema, {
    type: 'map of rule ids to modes',
    expects: 'a map of rule ids to modes',
    fix: 'Write one rule a line, for example "email: flag".',
  })
  return schema
}

const HOST = /^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){0,8}[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

const ownRule = z.strictObject({
  id: ruleId().describe('Name of the rule in records and metrics'),
  keywords: list(
    word(/^[\x21-\x7e]{3,64}$/, {
      type: 'text of 3 to 64 visible ASCII characters',
      expects: 'a text of 3 to 64 visible ASCII characters',
      fix: 'Write a piece that every text of this form has, such as "acme_".',
    }),
    'texts',
    16,
  )
    .min(1)
    .describe(
      'Texts of which one stands in or just before everything that the pattern matches; without them it is not looked for',
    ),
  pattern: line('a regular expression of RE2', 512).describe(
    'Regular expression (RE2, linear time) that matches at most 1,000 characters; what it matches is replaced',
  ),
  detector: choice(['secret', 'personal', 'instruction', 'link'])
    .prefault('secret')
    .describe('Whose mode holds for the rule'),
})

/** `live/scan.yaml`. */
export const scanSchema = z.strictObject({
  version: version().prefault(1).describe('Format of the file'),
  secret: mode().prefault('redact').describe('Keys, tokens, passwords and private keys'),
  personal: mode()
    .prefault('flag')
    .describe('Card, bank account, social security and phone numbers, mail addresses'),
  invisible: mode().prefault('flag').describe('Characters that a person does not see and a model reads'),
  ansi: mode().prefault('flag').describe('Escape sequences of terminals'),
  instruction: mode().prefault('flag').describe('Words that address a model; a signal, no proof'),
  link: mode().prefault('flag').describe('Links that could carry data away; a signal, no proof'),
  rules: ruleModes().prefault({}).describe("Modes of single rules, in place of their detector's"),
  patterns: list(ownRule, 'rules of your own', 32).prefault([]).describe('Rules of your own'),
  links: z
    .strictObject({
      allow: list(
        word(HOST, {
          type: 'host name, or *. and a domain',
          expects: 'a host name such as "docs.example.com", or "*.example.com"',
          fix: 'Write the name in lower case, without scheme and port.',
        }),
        'host names',
        1000,
      )
        .prefault([])
        .describe('Hosts that links may go to whatever they carry'),
    })
    .prefault({})
    .describe('Links'),
  truncate: z
    .strictObject({
      maxBytes: size({ min: '1KiB', max: '100MiB' })
        .optional()
        .describe('Longer results are cut to this size and stay JSON'),
      maxTokens: count({ min: 100, max: 10_000_000 })
        .optional()
        .describe('Results of more estimated tokens are cut and stay JSON'),
    })
    .prefault({})
    .describe('Cutting of long results; response.maxResult of config.yaml refuses them'),
  provenance: z
    .boolean()
    .prefault(true)
    .describe('Whether `_meta` of a result says that its content is data of the backend'),
})

export type ScanFile = z.output<typeof scanSchema>
export type Mode = ScanFile['secret']
