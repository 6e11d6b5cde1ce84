// What an audit of identity, policy, limits and credentials found, each as the attacker tried it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createLimiter } from '../../src/admission/limits/index.ts'
import { createFileWatcher } from '../../src/config/index.ts'
import type { Store } from '../../src/core/store.ts'
import { createIdentity } from '../../src/identity/index.ts'
import { createOauth } from '../../src/identity/oauth/index.ts'
import { isIssuer } from '../../src/identity/oauth/url.ts'
import { createFleetHolder, type FleetKeys } from '../../src/keys/index.ts'
import { fetchBytes } from '../../src/outbound.ts'
import { createMemoryStore } from '../../src/store/index.ts'
import { FLEET, FLEET_KEYS, memoryFiles } from '../credentials/lib/service.ts'
import {
  issuerOptions,
  oauthOptions,
  NOW as PAPER_NOW,
  type Paper,
  paperFetch,
  paperKey,
  paperRevocations,
  token,
} from '../identity/oauth/lib/paper.ts'
import { wanted, world } from '../identity/revocations/lib.ts'
import { EXECUTE } from '../lib/calls.ts'
import { open } from '../lib/raw.ts'
import { Clock, caller, callOf, OFF, runtimeOf } from '../limits/lib/limits.ts'
import { bearer, PUBLIC_URL, startSecured } from '../live/lib/secured.ts'
import { policyOf, principal, question } from '../policy/lib/policy.ts'

describe('a caller who was let in with the head of a request and is revoked before its body has come', () => {
  for (const [name, path, body] of [
    ['makes no call', '/v1/tools/ductape_execute', EXECUTE],
    [
      'revokes nobody',
      '/v1/admin/revocations',
      { kind: 'key', value: 'other', until: new Date(Date.now() + 3_600_000).toISOString() },
    ],
    ['switches nothing off', '/v1/admin/kill', { action: 'off', kind: 'everything', reason: 'theft' }],
  ] as const)
    test(name, async (t) => {
      let tick = 0
      const service = await startSecured({
        callers: { thief: { scopes: ['ductape:admin'] } },
        app: { ports: { tick: () => tick } },
      })
      t.after(() => service.close())
      const connection = await open(service.url)
      const text = JSON.stringify(body)
      connection.send(
        `POST ${path} HTTP/1.1\r\nHost: ${new URL(PUBLIC_URL).host}\r\nAuthorization: ${bearer('thief').authorization}\r\n` +
          `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\nExpect: 100-continue\r\n\r\n`,
      )
      // The service asks for the body of a caller whom it knows.
      await once(connection.socket, 'data')
      await service.put('revocations.yaml', { revocations: [{ kind: 'key', value: 'thief' }] })
      tick += 5000
      connection.send(text)
      const answer = await connection.answer()
      assert.deepEqual(
        [answer.status, (JSON.parse(answer.body) as { code: string }).code],
        [401, 'token_revoked'],
      )
      assert.match(answer.headers['www-authenticate'] ?? '', /invalid_token/)
      assert.deepEqual(service.records().at(-1)?.decision, {
        ...service.records().at(-1)?.decision,
        allowed: false,
        code: 'token_revoked',
      })
      assert.ok(!service.log().some((line) => line.includes('revocation_added')))
      connection.end()
    })
})

test('a revoked agent cannot act for somebody else (act)', async () => {
  const paper: Paper = { url: 'https://login.example', key: paperKey('ec', 'k') }
  const revocations = paperRevocations()
  const oauth = createOauth(oauthOptions([issuerOptions(paper.url)]), {
    fetch: paperFetch(new Map([[`${paper.url}/jwks`, { keys: [paper.key.jwk] }]])),
    tick: () => 0,
    revocations,
    dpop: { verify: () => undefined },
    onEvent: () => undefined,
  })
  const sent = token(paper, { act: { sub: 'agent', act: { sub: 'earlier' } } })
  const ask = async (): Promise<string> => {
    const verified = await oauth.authenticate({
      scheme: 'bearer',
      token: sent,
      request: undefined as never,
      certificate: undefined,
      runtime: undefined as never,
      now: PAPER_NOW,
    })
    return 'code' in verified ? verified.code : verified.id
  }
  // An earlier actor only informs (RFC 8693 4.1).
  revocations.set.add('subject earlier')
  assert.equal(await ask(), `oauth:${paper.url}|agent-7`)
  revocations.set.add('subject agent')
  assert.equal(await ask(), 'token_revoked')
})

test('a revocation that is signed with a new fleet key counts as soon as that key is here', async () => {
  const next: FleetKeys = [{ id: 'k2', secret: Buffer.from(Array.from({ length: 32 }, (_, i) => i)) }]
  const lines = (keys: FleetKeys): string =>
    keys.map(({ id, secret }) => `${id} ${secret.toString('base64')}\n`).join('')
  const { replica } = world()
  const late = createFleetHolder(FLEET_KEYS, true)
  const [one, two] = [
    replica({ fleet: createFleetHolder([...next, ...FLEET_KEYS], true).fleet }),
    replica({ fleet: late.fleet }),
  ]
  await one.revoke(wanted('jti', 'stolen'), 'test')
  await two.refresh()
  assert.equal(two.isRevoked('jti', 'stolen'), false)
  assert.equal(late.reload(lines([...next, ...FLEET_KEYS])), undefined)
  await two.refresh()
  assert.equal(two.isRevoked('jti', 'stolen'), true)
})

describe('keys of an issuer', () => {
  const answering = async (t: {
    after(run: () => void): void
  }): Promise<{ url: string; asked: () => number }> => {
    let asked = 0
    const server = http.createServer((_, response) => {
      asked++
      response.end('{}')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked: () => asked }
  }
  const limits = { limit: 1000, timeout: 5000, connectTimeout: 5000, ca: undefined, proxy: undefined }

  test('are not fetched from a private address that only its metadata names', async (t) => {
    const { url, asked } = await answering(t)
    await assert.rejects(fetchBytes('issuer', { ...limits, url, configured: 'https://login.example' }))
    assert.equal(asked(), 0)
    assert.equal((await fetchBytes('issuer', { ...limits, url, configured: url })).status, 200)
  })

  test('are not fetched in plain text where the issuer is not', async () => {
    const url = 'https://login.example'
    const metadata = { issuer: url, jwks_uri: 'http://127.0.0.1:9464/metrics' }
    const urls: string[] = []
    const oauth = createOauth(oauthOptions([issuerOptions(url, { jwksUri: undefined })]), {
      fetch: async (at) => {
        urls.push(at)
        return { status: 200, body: Buffer.from(JSON.stringify(metadata)) }
      },
      tick: () => 0,
      revocations: paperRevocations(),
      dpop: { verify: () => undefined },
      onEvent: () => undefined,
    })
    assert.equal((await oauth.check())[0]?.problem, 'jwks_uri_refused')
    assert.ok(!urls.includes(metadata.jwks_uri))
  })
})

test('no issuer can be configured whose callers have the ids of another one', () => {
  assert.equal(isIssuer('https://login.example/a'), true)
  assert.equal(isIssuer('https://login.example/a|b'), false)
})

test('a section auth that lets nobody in makes nobody the local caller', async () => {
  const identity = await createIdentity(
    { require: [], dpop: { maxAge: 60_000, nonce: 'off' } },
    { publicUrl: undefined, peopleUrl: undefined },
    false,
    {
      fetch: async () => ({ status: 404, body: Buffer.alloc(0) }),
      now: Date.now,
      tick: () => 0,
      revocations: paperRevocations(),
      store: createMemoryStore({ now: Date.now }),
      fleet: FLEET,
      onEvent: () => undefined,
    },
  )
  assert.deepEqual([identity.configured, identity.options.local], [true, undefined])
})

test('what a refused caller names as product or environment does not stay in memory', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const allow = Array.from({ length: 20 }, (_, index) => ({ product: `acme:${index}`, env: 'dev' }))
  const policy = policyOf({ roles: { reader: { allow } } })
  const who = principal(['reader'])
  collect()
  const before = process.memoryUsage().heapUsed
  for (let index = 0; index < 200; index++) {
    const long = Buffer.alloc(500_000, String(index)).toString()
    assert.equal(policy.decide(question(who, { product: [long] })).allowed, false)
    assert.equal(policy.decide(question(who, { env: [long] })).allowed, false)
  }
  collect()
  assert.ok(process.memoryUsage().heapUsed - before < 20 * 1024 * 1024)
  assert.equal(policy.decide(question(who, { product: ['acme:7'] })).rule, 'reader/allow/7')
})

describe('somebody who can write to the store', () => {
  /** Calls of 2000 in four seconds that pass while the counters are set back after each. */
  async function attack(
    quota: object,
    setBack: (store: Store, key: string) => Promise<unknown>,
  ): Promise<number> {
    const clock = new Clock()
    const inner = createMemoryStore({ now: clock.now })
    const keys = new Set<string>()
    const store: Store = {
      ...inner,
      kind: 'redis',
      get: (key) => inner.get(keys.add(key) && key),
      lease: (key, budget, want) => inner.lease(keys.add(key) && key, budget, want),
    }
    const limiter = createLimiter({
      store,
      instance: 'a',
      maxReplicas: 3,
      tick: clock.tick,
      now: clock.now,
      onEvent: () => undefined,
    })
    const runtime = runtimeOf({ principal: { ...OFF, ...quota } })
    let passed = 0
    for (let index = 0; index < 2000; index++) {
      const call = callOf(runtime, { principal: caller('accomplice') })
      if ((await limiter.reserve(call)) === undefined) passed++
      limiter.settle(call, 0, true)
      clock.pass(2)
      for (const key of keys) await setBack(inner, key)
    }
    return passed
  }

  test('lifts a window to twice its count at most', async () => {
    const rewind = async (store: Store, key: string): Promise<unknown> => {
      const raw = await store.get(key)
      return raw && store.compareAndSwap(key, raw, `${raw.split(' ')[0]} 0`, 3_600_000)
    }
    assert.ok((await attack({ executions: { count: 60, window: '1h' } }, rewind)) <= 120)
  })

  test('lifts a rate by one burst at most', async () => {
    const refill = (store: Store, key: string): Promise<void> =>
      store.giveBack(key, { capacity: 10, refill: 60, per: 60_000 }, 10)
    // Two bursts of ten and a call a second.
    assert.ok((await attack({ rate: { perMinute: 60, burst: 10 } }, refill)) <= 25)
  })
})

describe('a live file that is being written', () => {
  test('is not read half', async () => {
    const files = memoryFiles()
    const seen: string[] = []
    files.write('/live/policy.yaml', 'whole')
    const watcher = createFileWatcher({
      stamp: files.stamp,
      read: async (path) => {
        const bytes = await files.read(path)
        if (seen.length === 0) files.write(path, 'whole again')
        seen.push(bytes.toString())
        return bytes
      },
    })
    const applied: (string | undefined)[] = []
    watcher.watch('/live/policy.yaml', ({ bytes }) => {
      applied.push(bytes?.toString())
    })
    await watcher.look()
    assert.deepEqual(applied, [])
    await watcher.look()
    assert.deepEqual(applied, ['whole again'])
  })

  test('takes nothing back while there is nothing in it', async (t) => {
    const service = await startSecured({
      live: { 'revocations.yaml': { revocations: [{ kind: 'key', value: 'reader' }] } },
    })
    t.after(() => service.close())
    await service.put('revocations.yaml', '')
    const answer = await fetch(`${service.url}/v1/tools`, { headers: bearer('reader') })
    assert.deepEqual(
      [answer.status, ((await answer.json()) as { code: string }).code],
      [401, 'token_revoked'],
    )
    assert.match((await service.ready()).warnings.join(), /revocations\.yaml is not valid/)
  })
})

describe('an argument that makes a call worse', () => {
  const raised = question(['r'], { effect: 'destructive', base: 'read' })
  for (const effect of ['read', 'write', 'destructive'] as const)
    test(`is no way around a rule that denies ${effect}`, () => {
      const policy = policyOf({
        roles: { r: { allow: [{ tool: '*' }], deny: [{ module: 'databases', effect }] } },
      })
      assert.equal(policy.decide(raised).allowed, false)
    })
  test('does not bring it under a rule that allows less', () => {
    const policy = policyOf({ roles: { r: { allow: [{ tool: '*', effect: 'read' }] } } })
    assert.equal(policy.decide(raised).allowed, false)
  })
  test('leaves alone what is denied beyond it', () => {
    const policy = policyOf({
      roles: { r: { allow: [{ tool: '*' }], deny: [{ module: 'databases', effect: 'admin' }] } },
    })
    assert.equal(policy.decide(raised).allowed, true)
  })
})
