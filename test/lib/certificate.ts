// Certificates of servers for tests, so that none has to be committed or made by a tool.
import { alternativeNames, basicConstraints, DAY, type Made, make } from '../identity/mtls/lib/x509.ts'

export interface Issued {
  /** PEM. */
  certificate: string
  key: string
}

export interface Authority extends Issued {
  /** A server certificate for the names and addresses. */
  issue(names: readonly string[]): Issued
}

const issued = ({ pem, key }: Made): Issued => ({
  certificate: pem,
  key: key.export({ type: 'pkcs8', format: 'pem' }) as string,
})

/** Valid from a day ago until tomorrow. */
export function createAuthority(): Authority {
  const now = Date.now()
  const dates = { notBefore: now - DAY, notAfter: now + DAY }
  const authority = make({ subject: 'Test authority', extensions: [basicConstraints(true)], ...dates })
  return {
    ...issued(authority),
    issue(names) {
      const wanted = names.map((name) =>
        /^[\d.]+$/.test(name)
          ? (['ip', Buffer.from(name.split('.').map(Number))] as const)
          : (['dns', name] as const),
      )
      const subject = names[0] ?? 'server'
      return issued(make({ subject, issuer: authority, extensions: [alternativeNames(...wanted)], ...dates }))
    },
  }
}
