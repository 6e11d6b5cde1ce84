// The file live/revocations.yaml: the durable form of revocations.
import * as z from 'zod'
import { choice, instant, kinds, list, version } from '../../config/fields.ts'
import { canonicalValue, KINDS, MAX_REVOCATIONS } from './entry.ts'

const revocationRecord = z
  .strictObject({
    kind: choice(KINDS).describe(
      'What the value is: the jti of a token, a subject, the id of an API key, or a certificate',
    ),
    value: text('the value of a token, key or certificate').describe(
      'jti or sub of a token, owner or id of an API key, or SHA-256 of a certificate in hex',
    ),
    until: instant()
      .optional()
      .describe('When it ends; a token needs one no later than its own end. Without it, never'),
    reason: text('a reason').optional().describe('For people; never shown to the caller'),
  })
  .check(({ value: { kind, value }, issues }) => {
    if (canonicalValue(kind, value) !== undefined) return
    issues.push({
      code: 'custom',
      input: value,
      path: ['value'],
      message: kind === 'fingerprint' ? 'is not a SHA-256 in hex' : 'holds a control or invisible character',
      params: { fix: 'Copy the value from the audit record or the certificate.' },
    })
  })

function text(expects: string) {
  const schema = z.string().min(1).max(512)
  kinds.add(schema, { type: 'text, 1 to 512 characters', expects, fix: 'Write it in quotes.' })
  return schema
}

/** `live/revocations.yaml`. */
export const revocationsSchema = z.strictObject({
  version: version().prefault(1).describe('Format of the file'),
  revocations: list(revocationRecord, 'revocations', MAX_REVOCATIONS)
    .prefault([])
    .describe('Credentials that are refused although they are valid'),
})
