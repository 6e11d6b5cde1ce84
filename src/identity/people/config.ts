// The config section `auth.people`: where the people who approve calls sign in, and what their tokens say.
import * as z from 'zod'
import { line, list, word } from '../../config/fields.ts'
import { audiences, issuerFields, oneTenant, scopesMap } from '../oauth/config.ts'

const clientId = () => line('a client id', 255)

// RFC 6749 3.3.
const scopeToken = () =>
  word(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, {
    type: 'scope',
    expects: 'a scope of 1 to 128 visible ASCII characters without quotes and spaces',
    fix: 'Write it as the issuer has it.',
  })

export const peopleSection = z
  .strictObject({
    ...issuerFields,
    clientId: clientId().describe(
      'Client of the approval page at the issuer: public, authorization code with PKCE, redirect URI peopleUrl/approvals',
    ),
    clients: list(clientId(), 'client ids', 8)
      .prefault([])
      .describe(
        'Further clients whose tokens count, for the commands for one. No client that gets tokens without a person',
      ),
    audience: audiences()
      .optional()
      .describe(
        'Values of aud that mean the approvals, none of them one for agents; without it peopleUrl alone',
      ),
    requestScopes: list(scopeToken(), 'scopes', 8)
      .prefault(['openid', 'ductape:approve'])
      .describe('Scopes that the page asks the issuer for'),
    resource: z
      .boolean()
      .prefault(true)
      .describe(
        'Whether the page names the audience to the issuer (RFC 8707); Entra ID refuses the parameter',
      ),
    scopes: scopesMap(),
  })
  .superRefine(oneTenant)
