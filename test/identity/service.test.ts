// Getting in with the official clients: from the 401 over the metadata to a real authorization server, a token, a call, and the scope for the next one.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  Client as Client2,
  DpopSession,
  StreamableHTTPClientTransport as Transport2,
} from '@modelcontextprotocol/client'
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as Transport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { EXECUTE, KEY } from '../lib/calls.ts'
import { PUBLIC_URL, type Secured, startSecured } from '../live/lib/secured.ts'
import { type Issuer, PERSON, PERSON_CLIENT, startIssuer } from './lib/issuer.ts'

const MCP = `${PUBLIC_URL}/mcp`
const REDIRECT = 'http://127.0.0.1/callback'
const READ = { name: 'ductape_execute', arguments: { ...EXECUTE } }
let rows = 9000
const write = (id: number): object => ({
  name: 'ductape_execute',
  arguments: {
    publishable_key: KEY,
    module: 'databases',
    method: 'insert',
    params: [
      {
        product: 'ductape:my-product',
        env: 'dev',
        database: 'main-db',
        table: 'users',
        data: { id, name: 'Grace', email: `${id}@example.com` },
      },
    ],
  },
})

let issuer: Issuer
let service: Secured

before(async () => {
  issuer = await startIssuer({ resources: [PUBLIC_URL, MCP], claims: { roles: ['all'] } })
})
after(() => issuer?.close())

/** A person at a browser who says yes to everything; the query of the address that the client is called back at. */
async function authorize(start: URL): Promise<URLSearchParams> {
  const cookies = new Map<string, string>()
  for (let next = start; ; ) {
    if (next.href.startsWith(REDIRECT)) return next.searchParams
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ')
    const answer = await fetch(next, { redirect: 'manual', headers: { cookie } })
    for (const text of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(text) ?? []
      cookies.set(name, value)
    }
    const location = answer.headers.get('location')
    assert.ok(location !== null, `${next.pathname}: ${answer.status} ${await answer.text()}`)
    next = new URL(location, next)
  }
}

/** What a client keeps between its requests; the one registered at the issuer. */
class Provider {
  readonly redirectUrl = REDIRECT
  readonly clientMetadata = {
    client_name: 'desk',
    redirect_uris: [REDIRECT],
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  }
  readonly session: DpopSession | undefined
  /** Where the person was sent, newest last. */
  readonly sentTo: URL[] = []
  #tokens: unknown
  #verifier = ''
  #discovered: unknown

  constructor(session?: DpopSession) {
    this.session = session
  }
  clientInformation(): { client_id: string } {
    return { client_id: PERSON_CLIENT }
  }
  tokens(): never {
    return this.#tokens as never
  }
  saveTokens(tokens: unknown): void {
    this.#tokens = tokens
  }
  redirectToAuthorization(url: URL): void {
    this.sentTo.push(url)
  }
  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier
  }
  codeVerifier(): string {
    return this.#verifier
  }
  saveDiscoveryState(state: unknown): void {
    this.#discovered = state
  }
  discoveryState(): never {
    return this.#discovered as never
  }
  dpop(): DpopSession | undefined {
    return this.session
  }
}

/** Stands for DNS and nginx: what is sent to publicUrl arrives at the port of the test. */
const asPublic = (async (input: string | URL, init?: RequestInit) => {
  const url = String(input)
  assert.ok(url.startsWith(`${PUBLIC_URL}/`) || url.startsWith(issuer.url), url)
  return fetch(url.replace(PUBLIC_URL, service.url), init)
}) as typeof fetch

interface Attempt {
  connect(): Promise<void>
  finish(query: URLSearchParams): Promise<void>
  call(call: object): Promise<{ isError?: boolean; content: { text?: string }[] }>
  close(): Promise<void>
}

function attempt1(provider: Provider): Attempt {
  const client = new Client1({ name: 'desk', version: '1' })
  const transport = new Transport1(new URL(MCP), { authProvider: provider, fetch: asPublic })
  return {
    connect: () => client.connect(transport as Parameters<typeof client.connect>[0]),
    finish: (query) => transport.finishAuth(query.get('code') ?? ''),
    call: async (call) => (await client.callTool(call as never)) as never,
    close: () => client.close(),
  }
}

function attempt2(provider: Provider, mode: 'legacy' | 'auto'): Attempt {
  const client = new Client2({ name: 'desk', version: '1' }, { versionNegotiation: { mode } })
  const transport = new Transport2(new URL(MCP), { authProvider: provider, fetch: asPublic })
  return {
    connect: () => client.connect(transport),
    finish: (query) => transport.finishAuth(query),
    call: async (call) => (await client.callTool(call as never)) as never,
    close: () => client.close(),
  }
}

const CLIENTS: Readonly<Record<string, (provider: Provider) => Attempt>> = {
  'SDK 1.x': attempt1,
  'SDK 2.x, 2025-11-25': (provider) => attempt2(provider, 'legacy'),
  'SDK 2.x, 2026-07-28': (provider) => attempt2(provider, 'auto'),
}

/** Connects; where the client is sent to the issuer, goes there and connects again. */
async function getIn(make: (provider: Provider) => Attempt, provider: Provider): Promise<Attempt> {
  const first = make(provider)
  await assert.rejects(first.connect())
  assert.equal(provider.sentTo.length, 1)
  await first.finish(await authorize(provider.sentTo[0] as URL))
  await first.close()
  const second = make(provider)
  await second.connect()
  return second
}

const callers = (from: Secured) =>
  from
    .records()
    .filter(({ what }) => what?.['tool'] !== undefined)
    .map(({ who }) => who)

describe('authorization code with PKCE', () => {
  before(async () => {
    service = await startSecured({ auth: { oauth: { issuers: [{ issuer: issuer.url }] } } })
  })
  after(() => service.close())

  for (const [name, make] of Object.entries(CLIENTS)) {
    test(`${name}: discovers, gets a token for this service, and calls`, async () => {
      const provider = new Provider()
      const client = await getIn(make, provider)
      const asked = provider.sentTo[0]?.searchParams
      assert.equal(asked?.get('resource'), MCP)
      assert.equal(asked?.get('scope'), 'ductape:read')
      assert.equal(asked?.get('code_challenge_method'), 'S256')
      const answer = await client.call(READ)
      assert.notEqual(answer.isError, true, JSON.stringify(answer))
      const who = callers(service).at(-1)
      assert.deepEqual(
        [who?.['method'], who?.['subject'], who?.['clientId'], who?.['issuer']],
        ['oauth', PERSON, PERSON_CLIENT, issuer.url],
      )
      await client.close()
    })

    test(`${name}: asked for more scope, it gets it and the call goes through`, async () => {
      const provider = new Provider()
      const client = await getIn(make, provider)
      const insert = write(++rows)
      await assert.rejects(client.call(insert))
      const asked = provider.sentTo[1] as URL
      assert.ok(asked.searchParams.get('scope')?.split(' ').includes('ductape:write'), asked.href)
      await client.finish(await authorize(asked))
      const answer = await client.call(insert)
      assert.notEqual(answer.isError, true, JSON.stringify(answer))
      await client.close()
    })
  }
})

describe('DPoP, with a nonce of the service', () => {
  before(async () => {
    service = await startSecured({
      auth: {
        oauth: { issuers: [{ issuer: issuer.url, requireBinding: 'dpop' }] },
        dpop: { nonce: 'required' },
      },
    })
  })
  after(() => service.close())

  test('SDK 2.x: takes the nonce, proves each request anew, and calls', async () => {
    const provider = new Provider(await DpopSession.create({ alg: 'ES256' }))
    const client = await getIn((own) => attempt2(own, 'auto'), provider)
    for (let i = 0; i < 3; i++) assert.notEqual((await client.call(READ)).isError, true)
    assert.equal(callers(service).at(-1)?.['binding'], 'dpop')
    assert.ok(service.records().some(({ decision }) => decision?.code === 'proof_nonce'))
    await client.close()
  })

  test('a token that is bound to nobody is not enough', async () => {
    const token = await issuer.clientCredentials({ resource: PUBLIC_URL })
    const answer = await fetch(`${service.url}/v1/tools`, { headers: { authorization: `Bearer ${token}` } })
    assert.equal(answer.status, 401)
    assert.match(await answer.text(), /not bound to its sender in the way that this service demands/)
  })
})
