// The config section `auth`: who is believed, and how much has to be shown.
import * as z from 'zod'
import { choice, duration, list } from '../config/fields.ts'
import { apiKeysSection } from './apikey/config.ts'
import { mtlsSection } from './mtls/config.ts'
import { oauthSection } from './oauth/config.ts'
import { peopleSection } from './people/config.ts'

export const authSection = z.strictObject({
  require: list(choice(['oauth', 'api-key', 'mtls']), 'proofs', 2)
    .prefault([])
    .describe(
      'Proofs that every request has to bring, all of them; with none, one of those configured is enough',
    ),
  oauth: oauthSection.optional().describe('Access tokens of OAuth 2.1 authorization servers'),
  apiKeys: apiKeysSection.optional().describe('API keys, whose hashes are in live/keys.yaml'),
  mtls: mtlsSection.optional().describe('Client certificates that nginx forwards over the unix socket'),
  people: peopleSection
    .optional()
    .describe('The people who approve calls: where they sign in, and what their tokens say'),
  dpop: z
    .strictObject({
      maxAge: duration({ min: '5s', max: '5m' })
        .prefault('60s')
        .describe('How far the time of a DPoP proof may lie from now, before or after'),
      nonce: choice(['off', 'required'])
        .prefault('off')
        .describe(
          'Whether a proof has to carry a nonce of this service; then proofs cannot be made in advance, and clients repeat their first request',
        ),
    })
    .prefault({})
    .describe('Sender-constrained tokens by DPoP (RFC 9449)'),
})
