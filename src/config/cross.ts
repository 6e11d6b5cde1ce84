// Rules that need two keys: contradictions are problems, settings without effect are warnings.
import { isLoopback } from './address.ts'
import type { Config } from './schema.ts'

export interface CrossFinding {
  readonly path: readonly string[] // the key that the finding is shown at
  readonly message: string
  readonly fix: string
}

export interface CrossCheck {
  readonly level: 'problem' | 'warning'
  readonly reads: readonly string[] // top-level keys; a check runs only when all of them are sound
  check(config: Config): CrossFinding | undefined
}

const ANY_HOST = ['0.0.0.0', '::']

export const CROSS_CHECKS: readonly CrossCheck[] = [
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
