// The approval page: its three texts with the policy that each is served under, and what it signs in with.
import type { HttpAnswer } from '../../core/http.ts'
import assets from './assets.json' with { type: 'json' }

/** What the page needs to sign a person in; all of it is public. */
export interface PageSettings {
  readonly issuer: string
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  readonly issParameter: boolean
  readonly clientId: string
  readonly scope: string
  readonly resource: string | undefined
  readonly redirectUri: string
}

export const PAGE_FILES = {
  '/approvals/page.js': { type: 'text/javascript; charset=utf-8', text: assets.js },
  '/approvals/text.js': { type: 'text/javascript; charset=utf-8', text: assets.text },
  '/approvals/page.css': { type: 'text/css; charset=utf-8', text: assets.css },
} as const

/** The page may talk to this service and to the one place where it gets its token; nothing else, and nobody frames it. */
const policy = (settings: PageSettings | undefined): string =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    `connect-src 'self'${settings === undefined ? '' : ` ${new URL(settings.tokenEndpoint).origin}`}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')

export const pageAnswer = (settings: PageSettings | undefined): HttpAnswer => ({
  status: 200,
  headers: {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policy(settings),
    'cross-origin-opener-policy': 'same-origin',
  },
  body: assets.html,
})

export const fileAnswer = (path: keyof typeof PAGE_FILES): HttpAnswer => ({
  status: 200,
  headers: { 'content-type': PAGE_FILES[path].type },
  body: PAGE_FILES[path].text,
})
