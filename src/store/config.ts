// The config section `store`: where the state lives that replicas share.
import * as z from 'zod'
import { count, duration, faultsOf, fileReference, kinds, word } from '../config/fields.ts'
import { isLoopback } from '../core/loopback.ts'

const URL_FIX =
  'Write "rediss://host:6379/0": a lower-case host, a port, a database number, no user and no password; those have keys of their own.'
// The host is captured whole, an IPv6 address in its brackets.
const STORE_URL =
  /^(rediss?):\/\/(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)(?::([1-9][0-9]{0,4}))?(?:\/(?:0|[1-9][0-9]{0,2}))?$/

const url = z
  .string()
  .max(2048)
  .check((context) => {
    const match = STORE_URL.exec(context.value)
    const [, scheme, host = '', port] = match ?? []
    const fault = (message: string, fix: string): void =>
      void context.issues.push({ code: 'custom', input: context.value, message, params: { fix } })
    if (match === null || !URL.canParse(context.value) || Number(port ?? 1) > 65_535) {
      fault('must be the address of a Redis or Valkey server', URL_FIX)
    } else if (scheme === 'redis' && !isLoopback(host)) {
      fault(
        'is plain redis to a host that is not loopback: who listens there reads and forges what replicas share',
        'Write "rediss://" and let the server speak TLS.',
      )
    }
  })
  .meta({ pattern: STORE_URL.source })
kinds.add(url, {
  type: 'rediss://host:port/database, or redis:// on loopback',
  expects: 'the address of a Redis or Valkey server',
  fix: URL_FIX,
})

const username = word(/^[!-~]{1,128}$/, {
  type: 'name of an ACL user',
  expects: 'the name of an ACL user',
  fix: 'Write a name of 1 to 128 visible ASCII characters.',
})

const prefix = word(/^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/, {
  type: 'lower-case name, at most 64 characters',
  expects: 'a lower-case name',
  fix: 'Write 1 to 64 of the characters a-z, 0-9, ".", "_" and "-", beginning and ending with a letter or digit.',
})

const redis = z
  .strictObject({
    url: url.describe('Address of the server: rediss (TLS), or redis on loopback only'),
    username: username.optional().describe('ACL user; the default user where only a password is given'),
    password: fileReference()
      .optional()
      .describe(
        'File with the password, read again for each connection; a line feed at its end is not part of it',
      ),
    ca: fileReference()
      .optional()
      .describe(
        'PEM file with the certificate authorities that may vouch for the server, in place of the built-in ones',
      ),
    cert: fileReference()
      .optional()
      .describe('PEM file with the client certificate, where the server asks for one'),
    key: fileReference().optional().describe('PEM file with the key of that certificate'),
    prefix: prefix
      .prefault('ductape-mcp')
      .describe('First part of every key and channel; releases that share a server have different ones'),
    timeout: duration({ min: '50ms', max: '10s' })
      .prefault('500ms')
      .describe('Time that one operation may take; after it the store counts as lost'),
  })
  .check((context) => {
    const { url, username, password, ca, cert, key } = context.value
    const fault = faultsOf(context)
    // Without a password the library would connect as the default user.
    if (username !== undefined && password === undefined)
      fault('username', 'has no password', 'Name the file of the password: password: { file: ... }.')
    if ((cert === undefined) !== (key === undefined)) {
      const [given, missing] = cert === undefined ? ['key', 'cert'] : ['cert', 'key']
      fault(given, `needs ${missing}`, 'Name both files, or neither.')
    }
    if (url.startsWith('redis://') && (ca ?? cert ?? key) !== undefined)
      fault(
        'url',
        'is without TLS, but certificates are configured',
        'Write "rediss://", or remove ca, cert and key.',
      )
  })

const shared = z.strictObject({
  redis: redis.describe('Redis 7 or Valkey 8, or newer, that all replicas use'),
  maxReplicas: count({ min: 1, max: 100 })
    .prefault(3)
    .describe(
      'Most replicas that run at one time; while the store is lost, each of them grants that part of every quota',
    ),
})

/** `memory`: each replica has its own state, which ends with it. */
export const storeSection = z.union([z.literal('memory'), shared])
kinds.add(storeSection, {
  type: 'memory, or { redis: { url, username, password, ca, cert, key, prefix, timeout }, maxReplicas }',
  expects: 'memory or a server',
  fix: 'Write memory, or { redis: { url: "rediss://host:6379/0" } }.',
})
