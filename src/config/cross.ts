// Rules that need two keys: contradictions are problems, settings without effect are warnings.
import { isLoopback } from '../core/loopback.ts'
import { ADMIN_SCOPE } from '../core/principal.ts'
import type { Config } from './schema.ts'

export interface CrossFinding {
  readonly path: readonly (string | number)[] // the key that the finding is shown at
  readonly message: string
  readonly fix: string
}

export interface CrossCheck {
  readonly level: 'problem' | 'warning'
  readonly reads: readonly string[] // top-level keys; a check runs only when all of them are sound
  check(config: Config): CrossFinding | undefined
}

const SECTION_OF = { oauth: 'oauth', 'api-key': 'apiKeys', mtls: 'mtls' } as const
const ANY_HOST = ['0.0.0.0', '::']

export const CROSS_CHECKS: readonly CrossCheck[] = [
  {
    level: 'problem',
    reads: ['auth', 'publicUrl'],
    check: ({ auth, publicUrl }) =>
      auth !== undefined && publicUrl === undefined
        ? {
            path: ['auth'],
            message: 'needs publicUrl, which tokens name as their audience and clients are sent to',
            fix: 'Set publicUrl to the origin under which agents reach the service.',
          }
        : undefined,
  },
  {
    level: 'problem',
    reads: ['auth'],
    check: ({ auth }) =>
      auth !== undefined && Object.values(SECTION_OF).every((section) => auth[section] === undefined)
        ? {
            path: ['auth'],
            message: 'names no authenticator, so every local process would be let in',
            fix: 'Add auth.oauth, auth.apiKeys or auth.mtls, or remove auth.',
          }
        : undefined,
  },
  {
    level: 'problem',
    reads: ['auth', 'peopleUrl'],
    check: ({ auth, peopleUrl }) =>
      auth?.people !== undefined && peopleUrl === undefined
        ? {
            path: ['auth', 'people'],
            message: 'needs peopleUrl, where people find the page and which their tokens name as audience',
            fix: 'Set peopleUrl to the origin under which people reach the service.',
          }
        : peopleUrl !== undefined && auth?.people === undefined
          ? {
              path: ['peopleUrl'],
              message: 'needs auth.people: without it nobody can sign in to approve',
              fix: 'Set auth.people, or remove peopleUrl.',
            }
          : undefined,
  },
  {
    level: 'problem',
    reads: ['publicUrl', 'peopleUrl'],
    check: ({ publicUrl, peopleUrl }) =>
      peopleUrl !== undefined && peopleUrl === publicUrl
        ? {
            path: ['peopleUrl'],
            message: 'is publicUrl: tokens for agents and for people could not be told apart',
            fix: 'Give the people an origin of their own.',
          }
        : undefined,
  },
  {
    level: 'problem',
    reads: ['auth', 'publicUrl', 'peopleUrl'],
    check: ({ auth, publicUrl, peopleUrl }) => {
      if (auth?.people === undefined) return undefined
      const ofPeople = [peopleUrl, ...(auth.people.audience ?? [])]
      const ofAgents = [
        publicUrl,
        `${publicUrl}/mcp`,
        ...(auth.oauth?.issuers.flatMap(({ audience }) => audience ?? []) ?? []),
      ]
      return ofPeople.some((one) => one !== undefined && ofAgents.includes(one))
        ? {
            path: ['auth', 'people'],
            message: 'shares an audience with the agents, so that no token for it would count anywhere',
            fix: 'Give the people an audience of their own at the issuer.',
          }
        : undefined
    },
  },
  {
    level: 'problem',
    reads: ['auth', 'listen'],
    check: ({ auth, listen }) =>
      auth?.mtls !== undefined && listen.kind !== 'unix'
        ? {
            path: ['auth', 'mtls'],
            message:
              'needs a unix socket: on TCP anybody who reaches the port could send a certificate in a header',
            fix: 'Write listen: "unix:/run/ductape-mcp/mcp.sock" and let nginx connect to it.',
          }
        : undefined,
  },
  {
    level: 'problem',
    reads: ['auth'],
    check: ({ auth }) => {
      const missing = auth?.require.find((proof) => auth[SECTION_OF[proof]] === undefined)
      return missing === undefined
        ? undefined
        : {
            path: ['auth', 'require'],
            message: `demands ${missing}, which is not configured`,
            fix: `Add auth.${SECTION_OF[missing]}, or remove it from the list.`,
          }
    },
  },
  {
    level: 'problem',
    reads: ['auth'],
    check: ({ auth }) =>
      auth?.require.includes('oauth') && auth.require.includes('api-key')
        ? {
            path: ['auth', 'require'],
            message: 'demands a token and an API key, and one request has one Authorization header',
            fix: 'Demand one of them, alone or with mtls.',
          }
        : undefined,
  },
  {
    level: 'problem',
    reads: ['store', 'keys'],
    check: ({ store, keys }) =>
      store !== 'memory' && keys.fleet === undefined
        ? {
            path: ['store'],
            message:
              'is shared, and without keys.fleet every replica would take the entries of the others for forged',
            fix: 'Set keys.fleet: { file: ... }, the same for all replicas.',
          }
        : undefined,
  },
  {
    level: 'warning',
    reads: ['replay', 'store'],
    check: ({ replay, store }) =>
      replay.require !== 'none' && store === 'memory'
        ? {
            path: ['replay', 'require'],
            message:
              'demands keys that this process alone remembers: after a restart a repetition is executed again',
            fix: 'Configure store.redis.',
          }
        : undefined,
  },
  {
    level: 'warning',
    reads: ['auth', 'keys'],
    check: ({ auth, keys }) =>
      auth?.dpop.nonce === 'required' && keys.fleet === undefined
        ? {
            path: ['auth', 'dpop', 'nonce'],
            message: 'is made with a key of this start: another replica does not take it',
            fix: 'Set keys.fleet: { file: ... }.',
          }
        : undefined,
  },
  {
    level: 'warning',
    reads: ['auth'],
    check: ({ auth }) => {
      const issuers = auth?.oauth?.issuers ?? []
      const open = issuers.findIndex(({ scopes }) => scopes === undefined)
      // One issuer alone has to give all scopes there are; of several, one may be run by somebody who should not.
      return issuers.length < 2 || open < 0
        ? undefined
        : {
            path: ['auth', 'oauth', 'issuers', open],
            message: `has no scopes: of several issuers, this one can grant every scope, ${ADMIN_SCOPE} too`,
            fix: 'Give it scopes: a map with one row for each scope that it may grant.',
          }
    },
  },
  {
    level: 'warning',
    reads: ['auth', 'live'],
    check: ({ auth, live }) =>
      auth !== undefined && live === undefined
        ? {
            path: ['live'],
            message: 'is not set: without live/policy.yaml every call is refused',
            fix: 'Name a folder that holds policy.yaml.',
          }
        : undefined,
  },
  {
    level: 'problem',
    reads: ['credentials', 'keys'],
    check: ({ credentials, keys }) =>
      keys.fleet === undefined &&
      Object.values(credentials.tenants).some(({ credentialIds }) => credentialIds !== undefined)
        ? {
            path: ['credentials', 'tenants'],
            message: 'names credential ids, which a key made at boot gives another meaning after each start',
            fix: 'Set keys.fleet.',
          }
        : undefined,
  },
  {
    level: 'warning',
    reads: ['credentials', 'auth'],
    check: ({ credentials: { mode, tenants }, auth }) => {
      const tenant = Object.keys(tenants).find((name) => (tenants[name]?.mode ?? mode) === 'injected')
      const path = mode === 'injected' ? ['mode'] : tenant === undefined ? undefined : ['tenants', tenant]
      return auth !== undefined || path === undefined
        ? undefined
        : {
            path: ['credentials', ...path],
            message: 'has no effect but refusals: without auth no caller has a tenant',
            fix: 'Configure auth, or remove it.',
          }
    },
  },
  {
    level: 'problem',
    reads: ['listen', 'ops'],
    check: ({ listen, ops }) => {
      if (listen.kind !== 'tcp' || ops === undefined || ops.port === 0 || listen.port !== ops.port)
        return undefined
      const sameHost = listen.host === ops.host || ANY_HOST.includes(ops.host)
      const named =
        [listen.host, ops.host].includes('localhost') && isLoopback(listen.host) && isLoopback(ops.host)
      return sameHost || named
        ? {
            path: ['ops'],
            message: 'has the address of listen',
            fix: 'Give the two listeners different ports.',
          }
        : undefined
    },
  },
  {
    level: 'warning',
    reads: ['backend', 'response'],
    check: ({ backend, response }) =>
      response.maxResult > backend.maxAnswer
        ? {
            path: ['response', 'maxResult'],
            message: 'is larger than backend.maxAnswer, which cuts first',
            fix: 'Lower it, or raise backend.maxAnswer.',
          }
        : undefined,
  },
  {
    level: 'warning',
    reads: ['catalogue'],
    check: ({ catalogue }) =>
      catalogue === 'off'
        ? {
            path: ['catalogue'],
            message: 'is off: methods that this build does not know reach the backend unseen',
            fix: 'Write enforce, or warn to see them in the log.',
          }
        : undefined,
  },
  {
    level: 'warning',
    reads: ['publicUrl', 'http'],
    check: ({ publicUrl, http }) =>
      publicUrl !== undefined && http.allowedHosts.includes(new URL(publicUrl).host)
        ? {
            path: ['http', 'allowedHosts'],
            message: 'names the host of publicUrl, which is allowed anyway',
            fix: 'Remove that entry.',
          }
        : undefined,
  },
  {
    level: 'warning',
    reads: ['http'],
    check: ({ http }) =>
      http.drainTimeout === 0
        ? {
            path: ['http', 'drainTimeout'],
            message: 'is 0: calls in flight are cut when the service stops',
            fix: 'Give them time, for example "25s".',
          }
        : undefined,
  },
]
