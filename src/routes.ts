// The routes beside the tool calls: other MCP messages, the documents of the REST interface, how to get in, and administration.

import { type Approvals, RISKS } from './admission/approval/index.ts'
import type { KillSwitch } from './admission/kill/index.ts'
import type { Call, Verdict } from './core/call.ts'
import { type Denial, deny } from './core/denials.ts'
import { type HttpAnswer, type HttpRequest, header } from './core/http.ts'
import type { Json } from './core/json.ts'
import { ADMIN_SCOPE, type Principal } from './core/principal.ts'
import type { ToolDeclaration, ToolDefinition } from './core/tool.ts'
import type { CredentialMode, Credentials } from './credentials/index.ts'
import { approvalRoutes } from './http/approvals/routes.ts'
import { openApi } from './http/openapi.ts'
import type { Route } from './http/router.ts'
import { METADATA_PATH } from './identity/challenge.ts'
import type { Identity, Origins } from './identity/index.ts'
import type { SdkHandler, ToolListing } from './mcp/sdk.ts'

export interface RouteParts {
  /** The tools by the way that a tenant's credentials take. */
  tools: Readonly<Record<CredentialMode, readonly ToolDefinition[]>>
  modeOf: Credentials['modeOf']
  /** True where every caller is shown the same. */
  sharedListing: boolean
  identity: Pick<Identity, 'challenges' | 'people'>
  approvals: Approvals
  sdk(): Promise<SdkHandler>
  /** Judges and stores a revocation. */
  revoke(body: Json, principal: Principal): Promise<Denial | { answer: Json }>
  killSwitch: Pick<KillSwitch, 'killed' | 'request'>
  /** Writes the decision of an administrative action before it takes effect, or refuses it after all. */
  decided(call: Call): Verdict | Promise<Verdict>
  /** The public keys that receipts and checkpoints are checked with, as a JWK Set. */
  receiptKeys(): string
  version: string
  origins: Origins
  /** Milliseconds since the epoch. */
  now(): number
}

const ok = (body: string): HttpAnswer => ({ status: 200, headers: {}, body })

export interface Routes {
  readonly list: readonly Route[]
  /** The tools that a caller is shown. */
  listing(call: Call): ToolListing
}

export function createRoutes(parts: RouteParts): Routes {
  const { challenges, people } = parts.identity
  const { publicUrl, peopleUrl } = parts.origins
  const declarations = {
    passthrough: parts.tools.passthrough.map((tool) => tool.declaration),
    injected: parts.tools.injected.map((tool) => tool.declaration),
  }
  const describe = (tools: readonly ToolDeclaration[]): string =>
    JSON.stringify(openApi({ tools, version: parts.version, publicUrl }))
  const descriptions = {
    passthrough: describe(declarations.passthrough),
    injected: describe(declarations.injected),
  }

  /** The same predicate as the stage `policy` (design.md 3). */
  const listing = ({ principal, runtime: { policy } }: Call): ToolListing => {
    const all = declarations[parts.modeOf(principal.tenant)]
    const tools = all.filter(
      ({ name }) =>
        policy?.mayUse(principal, name) === true &&
        parts.killSwitch.killed({ toolName: name, module: undefined, principal }) === undefined,
    )
    // What is off for now is not kept for long.
    return { tools, shared: parts.sharedListing && tools.length === all.length }
  }

  /** What a caller with the scope for it does, after it was recorded. */
  const administer = async (
    call: Call,
    act: () => Promise<Denial | { answer: Json }>,
  ): Promise<HttpAnswer | undefined> => {
    if (!isAdmin(call.principal))
      return refuse(call, challenges.answer(deny('scope_insufficient', ADMIN_SCOPE), [ADMIN_SCOPE]))
    const late = await parts.decided(call)
    if (late !== undefined) return refuse(call, late)
    const done = await act()
    return 'code' in done ? refuse(call, done) : ok(JSON.stringify(done.answer))
  }

  const peopleHost = peopleUrl === undefined ? undefined : new URL(peopleUrl).host
  /** Each of the two origins is a resource of its own, with its documents at the same paths (RFC 9728 3.1). */
  const isForPeople = ({ request }: Call): boolean =>
    people !== undefined && request !== undefined && header(request, 'host') === peopleHost

  const metadata = (path: '' | '/mcp'): Route => ({
    method: 'get',
    path: METADATA_PATH + path,
    answer: (call) => {
      const body = isForPeople(call)
        ? path === ''
          ? people?.challenges.metadata('')
          : undefined
        : challenges.metadata(path)
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
    ...approvalRoutes({ ...parts, people, risks: RISKS }),
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
      answer: (call) => {
        call.action = 'revoke'
        return administer(call, () => parts.revoke(call.other as Json, call.principal))
      },
    },
    {
      method: 'post',
      path: '/v1/admin/kill',
      answer: (call) => {
        const request = parts.killSwitch.request(call.other as Json)
        const wrong = 'code' in request
        call.action = wrong ? 'kill' : request.action
        // What somebody names who may not do it does not get into the records.
        if (!wrong && isAdmin(call.principal)) call.target = request.target
        return administer(call, async () => (wrong ? request : request.run(call.principal)))
      },
    },
  ]
  return { list, listing }
}

const isAdmin = ({ scopes }: Principal): boolean => scopes.includes(ADMIN_SCOPE)

/** A route that refuses leaves the denial in the call; the caller of the route writes it in its form. */
function refuse(call: Call, denial: Denial): undefined {
  call.denial = denial
  return undefined
}
