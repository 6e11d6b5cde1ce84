// Receipts: one signature for all that come up at once, each on its own way to the root; and where they stand in answers, good and refused, in every form.
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { createServer } from 'node:http'
import { after, before, describe, test } from 'node:test'
import canonicalize from 'canonicalize'
import { readJws } from '../../src/audit/jws.ts'
import { bootSigningKey, type SigningKey } from '../../src/audit/keys.ts'
import type { Call } from '../../src/core/call.ts'
import { deny } from '../../src/core/denials.ts'
import { makePrincipal } from '../../src/core/principal.ts'
import { SALTS_HEADER } from '../../src/http/answer.ts'
import { CHAIN, startApp, type TestApp } from '../lib/app.ts'
import { callRest, callTool, EXECUTE, KEY, textOf, toolCall } from '../lib/calls.ts'
import { listenLocal } from '../lib/ports.ts'
import { RUNTIME } from '../lib/runtime.ts'
import { call, check, OTHER, parse, type Shown, start } from './lib/issue.ts'

describe('a group', () => {
  test('a lone call has an empty path', async () => {
    const { receipts, key, counted } = start()
    for (const one of [call(), call()]) {
      await receipts.issue(one)
      const shown = parse(one.receipt)
      assert.deepEqual(shown.path, [])
      assert.equal(check(shown, key).iat, 1_800_000_000)
      assert.equal(shown.claims.jti, one.id)
    }
    assert.equal(counted.signatures, 2)
  })

  test('with the longest names that a caller can have, a header of it leaves room beside it', async () => {
    const { receipts, key } = start()
    const longest = [
      // A token: claims of 255 characters, a tenant of 128; a certificate: a SPIFFE ID of 2,048 bytes.
      makePrincipal({
        method: 'oauth',
        id: 'x',
        subject: '文'.repeat(255),
        client: '文'.repeat(255),
        tenant: '文'.repeat(128),
      }),
      makePrincipal({
        method: 'mtls',
        id: 'y',
        subject: `spiffe://a/${'b'.repeat(2037)}`,
        tenant: '文'.repeat(128),
      }),
    ]
    const calls = Array.from({ length: 64 }, (_, i) =>
      call({
        principal: longest[i % 2] as Call['principal'],
        argsDigest: 'a'.repeat(43),
        resultDigest: 'b'.repeat(43),
        replayOf: CHAIN,
      }),
    )
    await Promise.all(calls.map((one) => receipts.issue(one)))
    for (const one of calls) {
      check(parse(one.receipt), key)
      // nginx takes 8 KiB of headers from the service (proxy_buffer_size).
      const header = Buffer.from(one.receipt?.text ?? '').toString('base64url')
      assert.ok(header.length > 4000 && header.length < 6 * 1024, `${header.length} bytes`)
    }
  })

  test('an answer that was given before names its call', async () => {
    const { receipts, key } = start()
    const again = call({ replayOf: CHAIN })
    await receipts.issue(again)
    const { claims } = parse(again.receipt)
    check(parse(again.receipt), key)
    assert.deepEqual([claims.status, claims['replay_of']], ['replayed', CHAIN])
    assert.equal(receipts.failures(), 0)
  })

  test('calls of one turn share a signature, and each has its own way to the root', async () => {
    for (const size of [2, 3, 7, 64, 100]) {
      const { receipts, key, counted } = start()
      const calls = Array.from({ length: size }, () => call())
      await Promise.all(calls.map((one) => receipts.issue(one)))
      assert.equal(counted.signatures, 1)
      const shown = calls.map((one) => parse(one.receipt))
      assert.equal(new Set(shown.map((one) => check(one, key).root)).size, 1)
      assert.deepEqual(
        shown.map(({ claims }) => claims.jti),
        calls.map(({ id }) => id),
      )
      assert.equal(new Set(shown.map(({ path }) => path.join())).size, size)
    }
  })

  test('the place in the tree does not tell who came first', async () => {
    const side = async (): Promise<string> => {
      const { receipts } = start()
      const calls = [call(), call()]
      await Promise.all(calls.map((one) => receipts.issue(one)))
      return parse(calls[0]?.receipt).path[0]?.[0] ?? ''
    }
    const sides = new Set<string>()
    // Of 64 fair draws one side alone comes up in 2 of 2^64 runs.
    for (let i = 0; i < 64; i++) sides.add(await side())
    assert.deepEqual([...sides].sort(), ['L', 'R'])
  })

  test('a signature that fails leaves its calls without a receipt, and the next ones with one', async () => {
    let broken = true
    const key = bootSigningKey()
    const { receipts, counted } = start({
      signer: () => {
        if (broken) throw new Error('no key')
        return key
      },
    })
    const lost = [call(), call()]
    await Promise.all(lost.map((one) => receipts.issue(one)))
    assert.deepEqual(
      lost.map(({ receipt }) => receipt),
      [undefined, undefined],
    )
    assert.equal(counted.failed, 2)
    assert.equal(receipts.failures(), 2)
    broken = false
    const next = call()
    await receipts.issue(next)
    check(parse(next.receipt), key)
  })

  test('another key signs from the moment it is there', async () => {
    const keys = [bootSigningKey(), bootSigningKey()] as const
    let current: SigningKey = keys[0]
    const { receipts } = start({ signer: () => current })
    const [first, second] = [call(), call()]
    await receipts.issue(first)
    current = keys[1]
    await receipts.issue(second)
    check(parse(first.receipt), keys[0])
    check(parse(second.receipt), keys[1])
    assert.throws(() => check(parse(first.receipt), keys[1]))
  })
})

describe('claims', () => {
  test('are canonical, and hold what the call has and nothing else', async () => {
    const { receipts } = start()
    const good = call({ argsDigest: 'a', argsSalt: 's', resultDigest: 'd', resultSalt: 't' })
    const refused = call({
      decided: false,
      denial: deny('policy_denied', 'x'),
      principal: OTHER,
      module: undefined,
      method: undefined,
      argsDigest: 'a',
      argsSalt: 's',
    })
    const bare = call({ principal: OTHER, runtime: { ...RUNTIME, policy: undefined }, recordHash: undefined })
    for (const one of [good, refused, bare]) {
      await receipts.issue(one)
      assert.equal(one.receipt?.text, canonicalize(parse(one.receipt)))
    }
    const common = { chain: CHAIN, iat: 1_800_000_000, iss: 'https://mcp.example.com' }
    const policy_digest = RUNTIME.policy?.digest
    assert.deepEqual(parse(good.receipt).claims, {
      ...common,
      args_digest: 'a',
      client_id: 'c',
      jti: good.id,
      method: 'm',
      module: 'n',
      policy_digest,
      record: 'r'.repeat(43),
      result_digest: 'd',
      status: 'executed',
      sub: 'agent "7" é',
      tenant: 'acme',
    })
    assert.deepEqual(parse(refused.receipt).claims, {
      ...common,
      args_digest: 'a',
      code: 'policy_denied',
      jti: refused.id,
      policy_digest,
      record: 'r'.repeat(43),
      status: 'refused',
      sub: 'other',
    })
    assert.equal(parse(bare.receipt).claims.record, undefined)
    assert.equal(good.receipt?.salts, '{"args":"s","result":"t"}')
    assert.equal(refused.receipt?.salts, '{"args":"s"}')
    assert.equal(bare.receipt?.salts, '')
  })

  test('a changed claim leads elsewhere, and a receipt is no checkpoint', async () => {
    const { receipts, key } = start()
    const calls = [call(), call(), call()]
    await Promise.all(calls.map((one) => receipts.issue(one)))
    const shown = parse(calls[0]?.receipt)
    check(shown, key)
    assert.throws(() => check({ ...shown, claims: { ...shown.claims, status: 'failed' } }, key))
    assert.throws(() => check({ ...shown, path: shown.path.slice(1) }, key))
    assert.throws(() => check({ ...shown, path: parse(calls[1]?.receipt).path }, key))
    assert.equal(readJws(shown.head, 'ductape-checkpoint+jwt').ok, false)
    const checkpoint = key.signNow('ductape-checkpoint+jwt', '{"iat":1,"root":"x"}')
    assert.equal(readJws(checkpoint, 'ductape-receipt+jwt').ok, false)
  })
})

describe('in the answers', () => {
  let service: TestApp
  const mcp = (body: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(service.mcp, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...headers,
      },
      body,
    })
  const fromHeader = (headers: Headers): { receipt: Shown; salts: Record<string, string> | undefined } => {
    const text = Buffer.from(headers.get('ductape-receipt') ?? '', 'base64url').toString()
    const salts = headers.get('ductape-receipt-salts')
    return {
      receipt: JSON.parse(text || 'null') as Shown,
      salts: salts === null ? undefined : JSON.parse(Buffer.from(salts, 'base64url').toString()),
    }
  }
  const key = async (): Promise<SigningKey> => {
    const response = await fetch(`${service.url}/.well-known/ductape-mcp/receipt-keys.json`)
    assert.equal(response.headers.get('cache-control'), 'public, max-age=300')
    const { keys } = (await response.json()) as { keys: { x: string; kid: string }[] }
    const [{ x, kid } = { x: '', kid: '' }] = keys
    const jwk = { crv: 'Ed25519', kty: 'OKP', x } as const
    return { ...bootSigningKey(), jwk, kid }
  }
  /** The receipt holds, and its record is in the chain and says the same. */
  async function proves(receipt: Shown, status: string): Promise<Record<string, unknown>> {
    check(receipt, await key())
    assert.equal(receipt.claims.status, status)
    const record = service
      .chain()
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .find(({ hash }) => hash === receipt.claims.record)
    assert.equal(record?.['type'], 'decision')
    assert.equal(record?.['callId'], receipt.claims.jti)
    return record as Record<string, unknown>
  }
  const salted = (salt: string, text: string): string =>
    hash('sha256', Buffer.concat([Buffer.from(salt, 'base64url'), Buffer.from(text)]), 'base64url')

  before(async () => {
    service = await startApp({ config: { http: { allowedOrigins: ['https://app.example'] } } })
  })
  after(() => service.close())

  test('a result of MCP, with the salts that open its digests', async () => {
    const answer = await callTool(service.url, 'ductape_execute', EXECUTE)
    const receipt = answer._meta?.['app.ductape/receipt'] as Shown
    const salts = answer._meta?.['app.ductape/receipt-salts'] as { args: string; result: string }
    await proves(receipt, 'executed')
    const { publishable_key: _, ...args } = EXECUTE
    assert.equal(salted(salts.args, canonicalize(args) ?? ''), receipt.claims['args_digest'])
    assert.equal(salted(salts.result, canonicalize(answer.content) ?? ''), receipt.claims['result_digest'])
    assert.equal(receipt.claims['tool'], 'ductape_execute')
    assert.ok(!JSON.stringify(answer._meta).includes(KEY))
    const outcome = service.records().findLast(({ type }) => type === 'outcome')
    assert.equal(outcome?.outcome?.resultDigest, receipt.claims['result_digest'])
  })

  test('a refusal of form result', async () => {
    const answer = await callTool(service.url, 'ductape_execute', { ...EXECUTE, method: 'fetsch' })
    assert.match(textOf(answer), /^\[method_unknown\]/)
    const receipt = answer._meta?.['app.ductape/receipt'] as Shown
    await proves(receipt, 'refused')
    assert.equal(receipt.claims['code'], 'method_unknown')
    assert.equal(receipt.claims['result_digest'], undefined)
  })

  test('a refusal of form error, and one of form http: in headers', async () => {
    const unknown = await mcp(toolCall('nope', {}))
    assert.equal(unknown.status, 200)
    await proves(fromHeader(unknown.headers).receipt, 'refused')
    const modern = await mcp(toolCall('ductape_execute', EXECUTE), { 'mcp-protocol-version': '2026-07-28' })
    assert.equal(modern.status, 400)
    const { receipt, salts } = fromHeader(modern.headers)
    await proves(receipt, 'refused')
    assert.equal(salts, undefined)
    assert.doesNotMatch(await modern.text(), /app\.ductape\/receipt/)
  })

  test('REST: good, refused, and of the wrong form', async () => {
    const response = await fetch(`${service.url}/v1/tools/ductape_execute`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: 'https://app.example' },
      body: JSON.stringify(EXECUTE),
    })
    const { receipt, salts } = fromHeader(response.headers)
    await proves(receipt, 'executed')
    assert.equal(salted(salts?.['result'] ?? '', await response.text()), receipt.claims['result_digest'])
    assert.match(response.headers.get('access-control-expose-headers') ?? '', /ductape-receipt, /)
    assert.ok(response.headers.get('access-control-expose-headers')?.includes(SALTS_HEADER))
    const refused = await callRest(service.url, 'ductape_execute', { ...EXECUTE, module: 'no' })
    await proves(fromHeader(refused.headers).receipt, 'refused')
    const odd = await callRest(service.url, 'ductape_execute', [])
    await proves(fromHeader(odd.headers).receipt, 'refused')
  })

  test('what is no call has none', async () => {
    const list = await mcp('{"jsonrpc":"2.0","id":1,"method":"tools/list"}')
    assert.doesNotMatch(await list.text(), /receipt/)
    const others = [
      list,
      await fetch(`${service.url}/v1/tools`),
      await mcp('{'),
      await mcp(toolCall('ductape_execute', EXECUTE), { origin: 'https://evil.example' }),
    ]
    assert.deepEqual(
      others.map(({ headers }) => headers.get('ductape-receipt')),
      [null, null, null, null],
    )
    assert.equal(others[3]?.status, 403)
  })

  test('stdio: in results, and nowhere for what has no result', async () => {
    const message = (body: string) => service.app.message(JSON.parse(body), undefined, () => undefined)
    const good = JSON.parse((await message(toolCall('ductape_execute', EXECUTE))).body ?? '') as {
      result: { _meta: Record<string, unknown> }
    }
    await proves(good.result._meta['app.ductape/receipt'] as Shown, 'executed')
    const bad = await message(toolCall('nope', {}))
    assert.deepEqual(bad.headers, {})
    assert.doesNotMatch(bad.body ?? '', /receipt/)
  })

  test('one that fails after its effect', async () => {
    const backend = createServer((request) => request.on('end', () => request.socket.destroy()).resume())
    const failing = await startApp({ backend: `http://127.0.0.1:${await listenLocal(backend)}` })
    const was = service
    service = failing
    try {
      const answer = await callTool(failing.url, 'ductape_execute', EXECUTE)
      const receipt = answer._meta?.['app.ductape/receipt'] as Shown
      await proves(receipt, 'unknown')
      assert.equal(receipt.claims['code'], 'backend_interrupted')
    } finally {
      service = was
      await failing.close()
      backend.close()
    }
  })
})
