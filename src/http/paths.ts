// The public paths of the main listener: one list for routing, for 404 and for the Allow header of a 405.

import { ADMIN_SCOPE, APPROVE_SCOPE } from '../core/principal.ts'

export interface PublicPath {
  /** Exact path, or a prefix that one further segment follows. */
  path: string
  prefix?: true
  methods: readonly string[]
  /** `mcp` and `tool` carry calls; everything else goes to the router. */
  kind: 'mcp' | 'tool' | 'router'
  /** Answered before anybody has been identified: how to get in, and what receipts are checked with. */
  open?: true
  /** Scope that a path beside the tools needs. */
  scope?: typeof ADMIN_SCOPE | typeof APPROVE_SCOPE
  /** For the people who approve calls: only their tokens count here, and only their own page may ask from a browser. */
  people?: true
}

const GET = ['GET', 'HEAD']

export const PUBLIC_PATHS: readonly PublicPath[] = [
  { path: '/mcp', methods: ['POST'], kind: 'mcp' },
  { path: '/v1/tools', methods: GET, kind: 'router' },
  { path: '/v1/tools/', prefix: true, methods: ['POST'], kind: 'tool' },
  { path: '/v1/admin/revocations', methods: ['POST'], kind: 'router', scope: ADMIN_SCOPE },
  { path: '/v1/admin/kill', methods: ['POST'], kind: 'router', scope: ADMIN_SCOPE },
  { path: '/v1/approvals', methods: GET, kind: 'router', scope: APPROVE_SCOPE, people: true },
  {
    path: '/v1/approvals/',
    prefix: true,
    methods: [...GET, 'POST'],
    kind: 'router',
    scope: APPROVE_SCOPE,
    people: true,
  },
  { path: '/approvals', methods: GET, kind: 'router', open: true },
  { path: '/approvals/page.js', methods: GET, kind: 'router', open: true },
  { path: '/approvals/text.js', methods: GET, kind: 'router', open: true },
  { path: '/approvals/page.css', methods: GET, kind: 'router', open: true },
  { path: '/approvals/sign-in.json', methods: GET, kind: 'router', open: true },
  { path: '/openapi.json', methods: GET, kind: 'router' },
  { path: '/.well-known/oauth-protected-resource', methods: GET, kind: 'router', open: true },
  { path: '/.well-known/oauth-protected-resource/mcp', methods: GET, kind: 'router', open: true },
  { path: '/.well-known/ductape-mcp/receipt-keys.json', methods: GET, kind: 'router', open: true },
]

const EXACT = new Map(PUBLIC_PATHS.filter((row) => !row.prefix).map((row) => [row.path, row]))
const PREFIXES = PUBLIC_PATHS.filter((row) => row.prefix)

export function publicPath(path: string): PublicPath | undefined {
  const exact = EXACT.get(path)
  if (exact !== undefined) return exact
  return PREFIXES.find(
    (row) =>
      path.startsWith(row.path) && path.length > row.path.length && !path.includes('/', row.path.length),
  )
}

export const isForPeople = (path: string): boolean => publicPath(path)?.people === true

export const isOpen = (path: string): boolean => EXACT.get(path)?.open === true
