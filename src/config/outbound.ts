// The config section `outbound`: the way out of the network, for every outbound connection, and where people are told of calls.
import * as z from 'zod'
import { isLoopback } from '../core/loopback.ts'
import { faultsOf, fileReference, judged, proxyUrl } from './fields.ts'

const NOTICE_URL = {
  type: 'URL: https, or http on loopback',
  expects: 'a URL such as "https://hooks.example.com/approvals"',
  fix: 'Write an https URL without user name, password and fragment.',
}

const noticeUrl = () =>
  judged(NOTICE_URL, {
    pattern: '^https?://[^#@\\\\\\s]+$',
    fault: (text) => {
      const url = URL.canParse(text) ? new URL(text) : undefined
      if (url === undefined || !/^https?:\/\/[\x21-\x7e]+$/.test(text)) return `must be ${NOTICE_URL.expects}`
      if (url.username !== '' || url.password !== '' || text.includes('#'))
        return 'holds a user name, a password or a fragment'
      return url.protocol === 'http:' && !isLoopback(url.hostname.replace(/^\[|\]$/g, ''))
        ? 'is plain http to a host that is not loopback'
        : undefined
    },
  })

const notifications = z
  .strictObject({
    url: noticeUrl().describe('Where a notice is sent by POST for each call that waits for approval'),
    path: fileReference()
      .optional()
      .describe(
        'File with the path and query of the URL, where they are a secret, as in the addresses that Slack and Teams give out; url is then the origin alone',
      ),
    ca: fileReference()
      .optional()
      .describe(
        'PEM file with the certificate authorities that may vouch for the URL, in place of the built-in ones',
      ),
    privateNetwork: z.boolean().prefault(false).describe('Whether the URL may resolve to a private address'),
  })
  .check((context) => {
    const { path, url } = context.value
    if (path === undefined || !URL.canParse(url) || new URL(url).origin === url) return
    faultsOf(context)(
      'url',
      'has a path, and path names a file with another one',
      `Write the origin alone, ${JSON.stringify(new URL(url).origin)}, or remove path.`,
    )
  })

export const outboundSection = z.strictObject({
  proxy: proxyUrl().optional().describe('Egress proxy that every outbound connection goes through'),
  notifications: notifications
    .optional()
    .describe('Whom to tell of calls that wait for approval, and of those that a rule wants to be told of'),
})
