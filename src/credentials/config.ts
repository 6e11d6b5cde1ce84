// The config section `credentials`: whether callers bring their Ductape keys or the service holds one for each tenant.
import * as z from 'zod'
import { choice, faultsOf, fileReference, kinds, list, word } from '../config/fields.ts'

const MAX_TENANTS = 1000
/** A tenant is compared with the claim of a token or a key record character by character; nothing is folded or trimmed. */
const TENANT = /^[^\p{C}\p{Z}](?:[^\p{C}\p{Zl}\p{Zp}]{0,126}[^\p{C}\p{Z}])?$/u

const mode = () => choice(['passthrough', 'injected'])

const copied = (noun: string, pattern: RegExp, source: string) =>
  word(pattern, { type: noun, expects: `a ${noun}`, fix: `Write it as ${source}.` })

const ductapeId = (noun: string) =>
  copied(noun, /^[\x21-\x7e]{1,512}$/, 'the Ductape console shows it, in quotes')

const credentialIds = list(
  copied(
    'credential id',
    /^[a-z0-9]{1,16}\.[A-Za-z0-9_-]{43}$/,
    '`ductape-mcp key id --file FILE` prints it',
  ),
  'credential ids',
  64,
)

const tenant = z.strictObject({
  mode: mode().optional().describe('In place of credentials.mode, for this tenant'),
  publishableKey: fileReference()
    .optional()
    .describe('injected: file with the key of ductape_execute; re-read when its bytes change'),
  publicKey: fileReference()
    .optional()
    .describe('injected: file with the key of the generate tools; needs workspaceId and userId'),
  workspaceId: ductapeId('workspace id').optional().describe('injected: workspace of the public key'),
  userId: ductapeId('user id').optional().describe('injected: user of the public key'),
  credentialIds: credentialIds
    .optional()
    .describe('passthrough: the tenant may present only keys with these ids'),
})
kinds.add(tenant, {
  type: 'map of the keys of one tenant',
  expects: 'a map of keys',
  fix: 'Write its keys below it, for example: publishableKey: { file: "/path/of/the/key" }.',
})

type Tenant = z.output<typeof tenant>

const INJECTED_ONLY = ['publishableKey', 'publicKey', 'workspaceId', 'userId'] as const

/** What contradicts itself: the member it is shown at, and a sentence. */
function contradictions(one: Tenant, injected: boolean): [keyof Tenant | undefined, string, string][] {
  if (!injected) {
    return INJECTED_ONLY.filter((name) => one[name] !== undefined).map((name) => [
      name,
      'has no effect in mode passthrough, where the caller brings the key',
      'Set mode: injected for this tenant, or remove it.',
    ])
  }
  const found: [keyof Tenant | undefined, string, string][] = []
  if (one.credentialIds !== undefined) {
    found.push([
      'credentialIds',
      'has no effect in mode injected, where the caller cannot present a key',
      'Remove it, or set mode: passthrough for this tenant.',
    ])
  }
  if (one.publishableKey === undefined && one.publicKey === undefined) {
    found.push([
      undefined,
      'has no key, so every call of this tenant would be refused',
      'Add publishableKey: { file: "/path/of/the/key" }, publicKey, or both.',
    ])
  }
  for (const name of ['workspaceId', 'userId'] as const) {
    if ((one.publicKey === undefined) === (one[name] === undefined)) continue
    found.push(
      one.publicKey === undefined
        ? [
            name,
            'has no effect without publicKey',
            'Add publicKey: { file: "/path/of/the/key" }, or remove it.',
          ]
        : ['publicKey', `needs ${name} beside it`, `Add ${name} as the Ductape console shows it.`],
    )
  }
  return found
}

const tenants = z.record(z.string(), tenant)
kinds.add(tenants, {
  type: `map of tenant to { mode, publishableKey, publicKey, workspaceId, userId, credentialIds }, at most ${MAX_TENANTS}`,
  expects: 'a map of tenants',
  fix: 'Write one tenant a line, exactly as its tokens name it, and its keys below it.',
})

export const credentialsSection = z
  .strictObject({
    mode: mode()
      .prefault('passthrough')
      .describe(
        'passthrough: callers send Ductape keys as arguments; injected: the service holds them and refuses any that is sent',
      ),
    tenants: tenants
      .prefault({})
      .describe(
        'What differs for single tenants: their own mode, the files of their keys, the key ids they may present',
      ),
  })
  .check((context) => {
    const { value } = context
    const report = faultsOf(context)
    const names = Object.keys(value.tenants)
    if (names.length > MAX_TENANTS)
      report(['tenants'], `has more than ${MAX_TENANTS} tenants`, 'Run a second service for the others.')
    for (const name of names) {
      const one = value.tenants[name] as Tenant
      if (!TENANT.test(name)) {
        report(
          ['tenants', name],
          'is not the name of a tenant',
          'Write 1 to 128 visible characters, without a space at either end.',
        )
      }
      const injected = (one.mode ?? value.mode) === 'injected'
      for (const [member, message, fix] of contradictions(one, injected))
        report(member === undefined ? ['tenants', name] : ['tenants', name, member], message, fix)
    }
  })
