// Three whole services on one Redis: what one of them learns holds for all, and what is left of it while Redis is gone.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { generateProof } from 'dpop'
import { decodeJwt } from 'jose'
import { type Issuer, newDpopKey, startIssuer } from '../identity/lib/issuer.ts'
import { run, temporary } from '../lib/process.ts'
import { NO_LIMITS, type Served, serve } from '../lib/serve.ts'
import {
  ALLOW_ALL,
  type Answer,
  bearer,
  call,
  codeOf,
  keysFile,
  PUBLIC_URL,
  pathOf,
  send,
} from '../live/lib/secured.ts'
import { type Server, startServer } from '../store/lib/server.ts'
import { unless } from './lib/tools.ts'

/** Milliseconds; the promise of docs/operate. */
const PROMISE = 5000
const DEADLINE = 30_000
const HOUR = 3_600_000

describe('three replicas and one Redis', { skip: unless('redis-server') }, () => {
  const folder = temporary()
  const emulated: Served[] = []
  let redis: Server
  let issuer: Issuer
  let replicas: Served[] = []
  let key: Awaited<ReturnType<typeof newDpopKey>>
  let configuration: Record<string, unknown>

  const replica = async (): Promise<Served> => {
    const started = await serve({ config: configuration, args: ['--emulator'] })
    emulated.push(started)
    return started
  }

  before(async () => {
    redis = await startServer('redis-server')
    issuer = await startIssuer({ resources: [PUBLIC_URL], claims: { roles: ['all'] } })
    key = await newDpopKey()
    const names = ['reader', 'first', 'second', 'third', 'lost']
    const live = {
      'policy.yaml': ALLOW_ALL,
      'limits.yaml': NO_LIMITS,
      'keys.yaml': keysFile({
        ...Object.fromEntries(names.map((name) => [name, {}])),
        warden: { scopes: ['ductape:admin'] },
      }),
    }
    for (const [file, value] of Object.entries(live)) folder.file(file, JSON.stringify(value))
    configuration = {
      publicUrl: PUBLIC_URL,
      live: folder.path,
      store: { redis: { url: redis.url } },
      keys: {
        fleet: {
          file: folder.file('fleet.txt', `k1 ${createHash('sha256').update('test').digest('base64url')}\n`),
        },
      },
      auth: { apiKeys: {}, oauth: { issuers: [{ issuer: issuer.url }] } },
      http: { peerRate: { perMinute: 10_000_000, burst: 1_000_000 } },
    }
    replicas = await Promise.all([replica(), replica(), replica()])
  })
  after(async () => {
    for (const one of emulated) {
      one.child.kill()
      await one.exit
    }
    await issuer?.close()
    await redis?.stop()
    folder.remove()
  })

  const codeAt = async (at: Served, headers: Record<string, string>): Promise<string> =>
    codeOf(await call(at, 'rest', { headers }))
  /** Milliseconds until every replica answers with this code. */
  async function until(
    wanted: string,
    headers: Record<string, string>,
    from: number,
    at = replicas,
  ): Promise<number> {
    for (const one of at) {
      let seen = await codeAt(one, headers)
      while (seen !== wanted && performance.now() - from < DEADLINE) seen = await codeAt(one, headers)
      assert.equal(seen, wanted)
    }
    return performance.now() - from
  }
  const revoke = (at: Served, kind: string, value: string): Promise<Answer> =>
    send(at, {
      path: '/v1/admin/revocations',
      headers: bearer('warden'),
      body: JSON.stringify({ kind, value, until: new Date(Date.now() + HOUR).toISOString() }),
    })
  const ready = async (at: Served): Promise<{ status: number; reasons: string[] }> => {
    const response = await fetch(`${at.ops}/readyz`)
    return { status: response.status, reasons: ((await response.json()) as { reasons: string[] }).reasons }
  }
  const token = async (): Promise<string> => issuer.clientCredentials({ resource: PUBLIC_URL, dpop: key })
  const withProof = async (of: string): Promise<Record<string, string>> => ({
    authorization: `DPoP ${of}`,
    dpop: await generateProof(key, PUBLIC_URL + pathOf('rest'), 'POST', undefined, of),
  })
  const [one, two, three] = [0, 1, 2].map((index) => () => replicas[index] as Served) as [
    () => Served,
    () => Served,
    () => Served,
  ]

  test('what the endpoint of one revokes is refused by all within 5 seconds: a key, and a token that each has verified', async () => {
    const bound = await issuer.clientCredentials({ resource: PUBLIC_URL })
    const asToken = { authorization: `Bearer ${bound}` }
    for (const at of replicas) {
      assert.equal(await codeAt(at, bearer('first')), 'ok')
      assert.equal(await codeAt(at, asToken), 'ok')
    }
    assert.equal((await revoke(one(), 'key', 'first')).status, 200)
    assert.ok((await until('token_revoked', bearer('first'), performance.now())) < PROMISE)
    assert.equal((await revoke(two(), 'jti', String(decodeJwt(bound).jti))).status, 200)
    assert.ok((await until('token_revoked', asToken, performance.now())) < PROMISE)
  })

  test('so is what the command line revokes, beside the services', async () => {
    const config = folder.file('config.yaml', JSON.stringify(configuration))
    const done = await run(['revoke', 'key', 'second', '--until', '1h', '--config', config])
    assert.deepEqual([done.code, done.stderr], [0, ''])
    assert.ok((await until('token_revoked', bearer('second'), performance.now())) < PROMISE)
  })

  test('a DPoP proof that one of them has taken is refused by the others', async () => {
    const of = await token()
    for (const [first, ...others] of [
      [one(), two(), three(), one()],
      [three(), one()],
    ] as Served[][]) {
      const proof = await withProof(of)
      assert.equal(await codeAt(first as Served, proof), 'ok')
      for (const other of others) {
        const answer = await call(other, 'rest', { headers: proof })
        assert.deepEqual([answer.status, codeOf(answer)], [401, 'proof_invalid'])
        assert.match(answer.text, /its jti was used before/)
      }
    }
  })

  test('Redis is lost: the last state holds, what needs it is refused, who starts now is not ready; then all is well again', async () => {
    const of = await token()
    await redis.kill()
    for (const at of replicas) {
      await until('store_unavailable', await withProof(of), performance.now(), [at])
      assert.equal(await codeAt(at, bearer('first')), 'token_revoked')
      assert.equal(await codeAt(at, bearer('second')), 'token_revoked')
      assert.equal(await codeAt(at, bearer('reader')), 'ok')
      const refused = await revoke(at, 'key', 'lost')
      assert.deepEqual([refused.status, codeOf(refused)], [503, 'store_unavailable'])
      assert.equal((await ready(at)).status, 200)
    }
    const late = await replica()
    const { status, reasons } = await ready(late)
    assert.deepEqual([status, reasons], [503, ['the store has not been reached since the start']])

    // It comes back with nothing kept.
    await redis.restart()
    const back = performance.now()
    while ((await ready(late)).status !== 200) assert.ok(performance.now() - back < DEADLINE)
    await until('token_revoked', bearer('first'), back, [...replicas, late])
    await until('token_revoked', bearer('second'), back, [...replicas, late])
    await until('ok', bearer('lost'), back, [...replicas, late])
    assert.equal((await revoke(late, 'key', 'third')).status, 200)
    assert.ok((await until('token_revoked', bearer('third'), performance.now())) < PROMISE)
    const proof = await withProof(of)
    assert.equal(await codeAt(late, proof), 'ok')
    assert.equal(await codeAt(one(), proof), 'proof_invalid')
  })
})
