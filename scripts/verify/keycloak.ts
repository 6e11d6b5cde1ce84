// `npm run verify keycloak`: a real Keycloak as the issuer, with the configuration that docs/operate/identity.md gives for it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { generateProof } from 'dpop'
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { randomDPoPKeyPair } from 'openid-client'
import { parse } from 'yaml'
import { REASONS, type Reason } from '../../src/identity/oauth/reasons.ts'
import { EXECUTE } from '../../test/lib/calls.ts'
import {
  type Answer,
  call,
  codeOf,
  PUBLIC_URL,
  pathOf,
  type Secured,
  startSecured,
} from '../../test/live/lib/secured.ts'
import { audience, claim, type Keycloak, realmOf, startKeycloak, VERSION } from './lib/keycloak.ts'
import { publish } from './report.ts'

const PAGE = join(import.meta.dirname, '../../docs/operate/identity.md')
const MINUTE = 60_000
const STRICT = { 'access.token.header.type.rfc9068': 'true', 'access.token.signed.response.alg': 'ES256' }
const OURS = [audience(PUBLIC_URL), claim('tenant', 'acme')]
const READER = { mappers: OURS, roles: ['reader'] }

const REALM = realmOf({
  planner: { mappers: OURS, roles: ['reader', 'writer'] },
  strict: { ...READER, attributes: STRICT },
  // RFC 9068 asks for client_id, which Keycloak gives to service accounts only.
  desk: {
    mappers: [...OURS, claim('client_id', 'desk')],
    people: true,
    roles: ['reader'],
    attributes: STRICT,
  },
  office: { ...READER, people: true },
  bound: { ...READER, attributes: { 'dpop.bound.access.tokens': 'true' } },
  brief: { ...READER, attributes: { 'access.token.lifespan': '60' } },
  elsewhere: { ...READER, mappers: [audience('https://other.example.com'), claim('tenant', 'acme')] },
  nowhere: { ...READER, mappers: [claim('tenant', 'acme')] },
  tenantless: { ...READER, mappers: [audience(PUBLIC_URL)] },
  stranger: { mappers: OURS },
})
const SCOPES = { planner: ['ductape:read', 'ductape:write'] }

const POLICY = {
  roles: {
    reader: { allow: [{ effect: 'read' }] },
    writer: { allow: [{ effect: ['read', 'write'], approval: 'none' }] },
  },
}

const WRITE = {
  ...EXECUTE,
  module: 'databases',
  method: 'insert',
  params: [
    {
      ...{ product: 'ductape:my-product', env: 'dev', database: 'main-db', table: 'users' },
      data: { id: 'ada', name: 'Ada', email: 'ada@example.com' },
    },
  ],
}

/** The section `auth` of the page, with the issuer of this run. */
function documented(issuer: string, changes: object = {}): object {
  const [, text = ''] = /### Keycloak[\s\S]*?```yaml\n([\s\S]*?)```/.exec(readFileSync(PAGE, 'utf8')) ?? []
  const { auth } = parse(text) as { auth: { oauth: { issuers: [object] } } }
  return { ...auth, oauth: { ...auth.oauth, issuers: [{ ...auth.oauth.issuers[0], issuer, ...changes }] } }
}

/** Milliseconds by which the services' two clocks run ahead. */
const ahead = { now: 0, tick: 0 }

const start = (auth: object): Promise<Secured> =>
  startSecured({
    callers: {},
    auth,
    live: { 'policy.yaml': POLICY },
    app: {
      ports: { now: () => Date.now() + ahead.now, tick: () => performance.now() + ahead.tick },
    },
  })

const facts: [string, string][] = []
const cases: { name: string; wanted: string; got: string; same: boolean }[] = []

/** `wanted` is status and code; `reason` is why a token is invalid. */
function expect(name: string, answer: Answer, wanted: string, reason?: Reason): void {
  const sentence = reason === undefined ? '' : REASONS[reason]
  const got = `${answer.status} ${codeOf(answer)}`
  const same = got === wanted && answer.text.includes(sentence)
  cases.push({
    name,
    wanted: sentence === '' ? wanted : `${wanted}: ${sentence}`,
    got: same ? 'the same' : `${got}: ${answer.text.slice(0, 300)}`,
    same,
  })
}

const invalid = (name: string, answer: Answer, reason: Reason): void =>
  expect(name, answer, '401 token_invalid', reason)

const bearer = (service: Secured, token: string, args: unknown = EXECUTE): Promise<Answer> =>
  call(service, 'rest', { args, headers: { authorization: `Bearer ${token}` } })

/** What the records say of the caller of the last call. */
function caller({ records }: Secured): string {
  const who = records().findLast(({ type }) => type === 'decision')?.who ?? {}
  return ['client', 'tenant', 'roles', 'scopes']
    .map((name) => `${name} ${JSON.stringify(who[name])}`)
    .join(', ')
}

const headerOf = (token: string): string => JSON.stringify({ ...decodeProtectedHeader(token), kid: '...' })

async function judgeTypes(keycloak: Keycloak, plain: Secured, rfc9068: Secured): Promise<void> {
  const token = await keycloak.clientCredentials('planner')
  facts.push(['header of a token', headerOf(token)])
  expect('client credentials, tokenType jwt', await bearer(plain, token), '200 ok')
  facts.push(['its caller in the record', caller(plain)])
  invalid('the same token, tokenType at+jwt', await bearer(rfc9068, token), 'type')
  const strict = await keycloak.clientCredentials('strict')
  facts.push(['header with the RFC 9068 type on, ES256', headerOf(strict)])
  expect('RFC 9068 header type, tokenType at+jwt', await bearer(rfc9068, strict), '200 ok')
  invalid('the same token, tokenType jwt', await bearer(plain, strict), 'type')

  const office = await keycloak.logIn('office')
  expect('authorization code with PKCE, tokenType jwt', await bearer(plain, office.accessToken), '200 ok')
  invalid('the ID token of that login', await bearer(plain, office.idToken), 'idToken')
  invalid('its refresh token, HS512', await bearer(plain, office.refreshToken), 'algorithm')
  const desk = await keycloak.logIn('desk')
  const answer = await bearer(rfc9068, desk.accessToken)
  expect('authorization code with PKCE, RFC 9068 header type and client_id', answer, '200 ok')
  invalid('the ID token of that login, tokenType at+jwt', await bearer(rfc9068, desk.idToken), 'type')
}

async function judgeClaims(keycloak: Keycloak, plain: Secured): Promise<void> {
  const ask = async (id: string): Promise<Answer> => bearer(plain, await keycloak.clientCredentials(id))
  invalid('the audience of another service', await ask('elsewhere'), 'audience')
  invalid('no audience mapper', await ask('nowhere'), 'audience')
  invalid('no claim for the tenant', await ask('tenantless'), 'tenant')
  expect('no role but the default ones', await ask('stranger'), '403 policy_denied')
  invalid('another realm of the same server', await bearer(plain, await keycloak.foreignToken()), 'issuer')
  const token = await keycloak.clientCredentials('planner')
  expect('a write by role, without the scope', await bearer(plain, token, WRITE), '403 scope_insufficient')
  const writing = await keycloak.clientCredentials('planner', { scope: 'ductape:write' })
  expect('a write by role and scope', await bearer(plain, writing, WRITE), '200 ok')
  const [header, , signature] = token.split('.')
  const claims = Buffer.from(JSON.stringify({ ...decodeJwt(token), tenant: 'other' })).toString('base64url')
  invalid('a claim that was changed', await bearer(plain, [header, claims, signature].join('.')), 'signature')
}

async function judgeDpop(keycloak: Keycloak, plain: Secured): Promise<void> {
  const keys = await randomDPoPKeyPair('ES256')
  const token = await keycloak.clientCredentials('bound', { dpop: keys })
  facts.push(['members of cnf', Object.keys(decodeJwt(token)['cnf'] ?? {}).join(', ')])
  const proofBy = (pair: typeof keys): Promise<string> =>
    generateProof(pair, PUBLIC_URL + pathOf('rest'), 'POST', undefined, token)
  const send = (dpop: string): Promise<Answer> =>
    call(plain, 'rest', { headers: { authorization: `DPoP ${token}`, dpop } })
  const proof = await proofBy(keys)
  expect('a DPoP-bound token with its proof', await send(proof), '200 ok')
  expect('the same proof again', await send(proof), '401 proof_invalid')
  const foreign = await proofBy(await randomDPoPKeyPair('ES256'))
  expect('a proof by another key', await send(foreign), '401 proof_invalid')
  expect('the same token as Bearer', await bearer(plain, token), '401 proof_invalid')
}

async function judgeTimes(keycloak: Keycloak, plain: Secured): Promise<void> {
  const token = await keycloak.clientCredentials('brief')
  expect('a token of one minute', await bearer(plain, token), '200 ok')
  ahead.now = 2 * MINUTE
  invalid('the same token two minutes later', await bearer(plain, token), 'expired')
  ahead.now = -2 * MINUTE
  const early = await keycloak.clientCredentials('brief')
  invalid('a token from two minutes ahead', await bearer(plain, early), 'issuedAt')
  ahead.now = 0
}

async function judgeKeys(keycloak: Keycloak, plain: Secured): Promise<void> {
  const before = await keycloak.clientCredentials('planner')
  expect('before the rotation', await bearer(plain, before), '200 ok')
  await keycloak.addKey()
  const after = await keycloak.clientCredentials('planner')
  const differ = decodeProtectedHeader(before).kid !== decodeProtectedHeader(after).kid
  facts.push(['a second key with a higher priority signs at once', differ ? 'yes' : 'no'])
  expect('the new key, at once', await bearer(plain, after), '200 ok')
  expect('the old key, still published', await bearer(plain, before), '200 ok')
  await keycloak.removeOldKeys()
  // A token that was good is remembered for a minute, and a key set for ten.
  ahead.now = 2 * MINUTE
  ahead.tick = 11 * MINUTE
  expect('the new key, once the old one is gone', await bearer(plain, after), '200 ok')
  invalid('the old key, eleven minutes after it is gone', await bearer(plain, before), 'key')

  const last = await keycloak.clientCredentials('planner')
  await keycloak.stop()
  ahead.tick += 11 * MINUTE
  expect('Keycloak is down', await bearer(plain, last), '200 ok')
  ahead.tick += 60 * MINUTE
  await plain.app.reload()
  const unseen = await bearer(plain, `${last.slice(0, -4)}AAAA`)
  expect('Keycloak is down for more than an hour, a token not seen before', unseen, '503 issuer_unavailable')
}

const keycloak = await startKeycloak(REALM, SCOPES)
// As the page has it, and for clients with "Use RFC 9068 access token header type" on.
const plain = await start(documented(keycloak.issuer))
const rfc9068 = await start(documented(keycloak.issuer, { tokenType: 'at+jwt' }))
try {
  await judgeTypes(keycloak, plain, rfc9068)
  await judgeClaims(keycloak, plain)
  await judgeDpop(keycloak, plain)
  await judgeTimes(keycloak, plain)
  await judgeKeys(keycloak, plain)
} finally {
  await plain.close()
  await rfc9068.close()
  await keycloak.stop()
}

process.exitCode = publish({
  area: 'keycloak',
  what: `Tokens of Keycloak ${VERSION}, a foreign issuer, against the service with the configuration of docs/operate/identity.md: client credentials and a person's login, both token types, audience, roles, scopes, DPoP, times, rotation of keys, outage.`,
  command: 'npm run verify keycloak',
  notes: [
    'Keycloak comes from Maven Central (Java 17, Maven) and runs on loopback; the service runs in this process and its clocks are moved',
  ],
  figures: [
    {
      title: 'Cases',
      columns: ['what is sent', 'wanted', 'got'],
      rows: cases.map(({ name, wanted, got }) => [name, wanted, got]),
    },
    { title: 'What Keycloak sends', columns: ['what', 'value'], rows: facts },
  ],
  bounds: [
    {
      what: 'cases with another outcome than the wanted one',
      measured: cases.filter(({ same }) => !same).length,
      bound: 0,
      kind: 'ceiling',
    },
    { what: 'cases', measured: cases.length, bound: 31, kind: 'floor' },
  ],
})
