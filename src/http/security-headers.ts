// Helmet's header set, computed once: the same on the answers that express routes and on those that never see it.
import type { IncomingMessage, ServerResponse } from 'node:http'
import helmet from 'helmet'

/** Names and values in turn. */
export function securityHeaders(): string[] {
  const headers: string[] = []
  const collect = {
    setHeader: (name: string, value: string) => headers.push(name.toLowerCase(), value),
    removeHeader: () => undefined,
  }
  // The service answers JSON only: nothing may be loaded, framed or executed in its name. Helmet's headers for documents (opener, agent cluster,
  // prefetch) and for browsers that are gone (download options, cross-domain policies, XSS auditor) say nothing about JSON and are left out.
  helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'none'"],
      },
    },
    frameguard: { action: 'deny' },
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    dnsPrefetchControl: false,
    ieNoOpen: false,
    permittedCrossDomainPolicies: false,
    xssFilter: false,
  })({} as IncomingMessage, collect as unknown as ServerResponse, () => undefined)
  return headers
}
