// The routes beside the tool calls: other MCP messages, the documents of the REST interface, how to get in, and administration.
import type { Call, Verdict } from './core/call.ts'
import { type Denial, deny } from './core/denials.ts'
import type { HttpAnswer, HttpRequest } from './core/http.ts'
import type { Json } from './core/json.ts'
import { ADMIN_SCOPE, type Principal } from './core/principal.ts'
import type { ToolDeclaration, ToolDefinition } from './core/tool.ts'
import type { CredentialMode, Credentials } from './credentials/index.ts'
import { openApi } from './http/openapi.ts'
import type { Route } from './http/router.ts'
import { type Challenges, METADATA_PATH } from './identity/challenge.ts'
import type { SdkHandler, ToolListing } from './mcp/sdk.ts'

export interface RouteParts {
  /** The tools by the way that a tenant's credentials take. */
  tools: Readonly<Record<CredentialMode, readonly ToolDefinition[]>>
  modeOf: Credentials['modeOf']
  /** True where every caller is shown the same. */
  sharedListing: boolean
  challenges: Challenges
  sdk(): Promise<SdkHandler>
  /** Judges and stores a revocation. */
  revoke(body: Json, principal: Principal): Promise<Denial | { answer: Json }>
  /** Writes the decision of an administrative action before it takes effect, or refuses it after all. */
  decided(call: Call): Verdict | Promise<Verdict>
  /** The public keys that receipts and checkpoints are checked with, as a JWK Set. */
  receiptKeys(): string
  version: string
  publicUrl: string | undefined
}

const ok = (body: string): HttpAnswer => ({ status: 200, headers: {}, body })

export interface Routes {
  readonly list: readonly Route[]
  /** The tools that a caller is shown. */
  listing(call: Call): ToolListing
}

export function createRoutes(parts: RouteParts): Routes {
  const declarations = {
    passthrough: parts.tools.passthrough.map((tool) => tool.declaration),
    injected: parts.tools.injected.map((tool) => tool.declaration),
  }
  const describe = (tools: readonly ToolDeclaration[]): string =>
    JSON.stringify(openApi({ tools, version: parts.version, publicUrl: parts.publicUrl }))
  const descriptions = {
    passthrough: describe(declarations.passthrough),
    injected: describe(declarations.injected),
  }

  /** The same predicate as the stage `policy` (design.md 3). */
  const listing = ({ principal, runtime: { policy } }: Call): ToolListing => ({
    tools: declarations[parts.modeOf(principal.tenant)].filter(
      ({ name }) => policy?.mayUse(principal, name) === true,
    ),
    shared: parts.sharedListing,
  })

  const metadata = (path: '' | '/mcp'): Route => ({
    method: 'get',
    path: METADATA_PATH + path,
    answer: (call) => {
      const body = parts.challenges.metadata(path)
      return body === undefined ? refuse(call, deny('path_unknown')) : ok(body)
    },
  })

  const list: readonly Route[] = [
    {
      method: 'post',
      path: '/mcp',
      answer: async (call) =>
        (await parts.sdk()).answer(call.request as HttpRequest, call.other as Json, listing(call)),
    },
    {
      method: 'get',
      path: '/v1/tools',
      answer: (call) => ok(JSON.stringify({ tools: listing(call).tools })),
    },
    {
      method: 'get',
      path: '/openapi.json',
      answer: (call) => ok(descriptions[parts.modeOf(call.principal.tenant)]),
    },
    metadata(''),
    metadata('/mcp'),
    {
      method: 'get',
      path: '/.well-known/ductape-mcp/receipt-keys.json',
      answer: () => ({
        status: 200,
        headers: { 'cache-control': 'public, max-age=300' },
        body: parts.receiptKeys(),
      }),
    },
    {
      method: 'post',
      path: '/v1/admin/revocations',
      answer: async (call) => {
        call.action = 'revoke'
        if (!call.principal.scopes.includes(ADMIN_SCOPE))
          return refuse(call, parts.challenges.answer(deny('scope_insufficient', ADMIN_SCOPE), [ADMIN_SCOPE]))
        const late = await parts.decided(call)
        if (late !== undefined) return refuse(call, late)
        const done = await parts.revoke(call.other as Json, call.principal)
        if ('code' in done) return refuse(call, done)
        return ok(JSON.stringify(done.answer))
      },
    },
  ]
  return { list, listing }
}

/** A route that refuses leaves the denial in the call; the caller of the route writes it in its form. */
function refuse(call: Call, denial: Denial): undefined {
  call.denial = denial
  return undefined
}
