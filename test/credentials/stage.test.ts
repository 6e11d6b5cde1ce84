// A key's way through the stages: from the arguments or from the files of the caller's tenant, and to the backend only.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Call } from '../../src/core/call.ts'
import { denialText } from '../../src/core/denials.ts'
import { REDACTED } from '../../src/core/text.ts'
import { createFleet, credentialId } from '../../src/keys/index.ts'
import { startChain } from './lib/chain.ts'
import { both, testCredentials } from './lib/keys.ts'

const FLEET = createFleet([{ id: 'k1', secret: Buffer.alloc(32, 'fleet key of the test') }], true)
const idOf = (key: string): string => credentialId(FLEET, key)
const P1 = 'pk_live_first_0123456789'
const P2 = 'pk_live_second_0123456789'
const U1 = 'pub_first_0123456789'
const U2 = 'pub_second_0123456789'

const EXECUTE = { module: 'product', method: 'fetch', params: ['ductape:my-product'] }
const GENERATE = {
  product_tag: 'ductape:my-product',
  env_slug: 'prd',
  operation_family: 'database',
  method: 'query',
}
const IDS = { workspace_id: 'ws_1', user_id: 'usr_1' }

function injected(...tenants: string[]) {
  const held = testCredentials(
    { mode: 'injected', tenants: Object.fromEntries(tenants.map((name) => [name, both(name)])) },
    FLEET,
  )
  for (const name of tenants) {
    held.put(`${name}/publishable`, `${P1}_${name}`)
    held.put(`${name}/public`, `${U1}_${name}`)
  }
  return held
}

const refusal = (call: Call): string => (call.denial === undefined ? 'none' : denialText(call.denial))

describe('passthrough', () => {
  const held = testCredentials({ mode: 'passthrough', tenants: {} }, FLEET)

  test('execute: the key of the arguments goes out, and its id stands in the call', async () => {
    const chain = startChain(held, idOf)
    const call = await chain.run({
      tenant: 'acme',
      tool: 'ductape_execute',
      args: { publishable_key: P1, ...EXECUTE },
    })
    assert.equal(refusal(call), 'none')
    assert.equal(call.credentialId, idOf(P1))
    assert.deepEqual(call.credentials, [P1])
    assert.deepEqual(call.prepared?.arguments, EXECUTE, 'conditions and digests see no key')
    const [request] = chain.asked
    assert.equal(request?.credential, P1)
    assert.equal(request?.body, JSON.stringify(EXECUTE))
  })

  test('execute with the key in the body', async () => {
    const chain = startChain(held, idOf, { keyPlacement: 'body' })
    await chain.run({ tenant: 'acme', tool: 'ductape_execute', args: { ...EXECUTE, publishable_key: P1 } })
    assert.equal(chain.asked[0]?.body, JSON.stringify({ publishable_key: P1, ...EXECUTE }))
    assert.equal(chain.asked[0]?.credentialInBody, true)
  })

  test('generate: the body is the one of before, word for word', async () => {
    const chain = startChain(held, idOf)
    for (const tool of ['ductape_generate_payload', 'ductape_generate_snippet']) {
      const call = await chain.run({
        tenant: undefined,
        tool,
        args: { ...GENERATE, public_key: U1, ...IDS, targets: { database: 'main-db' } },
      })
      assert.equal(refusal(call), 'none')
      assert.equal(call.credentialId, idOf(U1))
      assert.deepEqual(call.credentials, [U1])
      const { language, ...args } = call.prepared?.arguments ?? {}
      assert.equal(language, tool.endsWith('snippet') ? 'typescript' : undefined)
      assert.deepEqual(args, {
        ...IDS,
        ...GENERATE,
        targets: { database: 'main-db' },
        schema_mode: 'best_effort',
        include_session: true,
        include_cache: true,
      })
      const request = chain.asked.at(-1)
      assert.equal(request?.credential, U1)
      assert.equal(
        request?.body,
        '{"workspace_id":"ws_1","user_id":"usr_1","public_key":"pub_first_0123456789","product_tag":"ductape:my-product",' +
          '"env_slug":"prd","operation_family":"database","method":"query","targets":{"database":"main-db"},' +
          '"schema_mode":"best_effort","include_session":true,"include_cache":true}',
      )
    }
  })

  test('a generate call aims at its product and environment, and at no path', async () => {
    const chain = startChain(held, idOf)
    const call = await chain.run({
      tenant: 'acme',
      tool: 'ductape_generate_payload',
      args: { ...GENERATE, ...IDS, public_key: U1 },
    })
    assert.deepEqual(call.prepared?.operation, {
      module: undefined,
      method: undefined,
      effect: 'read',
      env: ['prd'],
      product: ['ductape:my-product'],
      path: [],
    })
  })

  test('a method outside the catalogue is admin, and its targets are unknown', async () => {
    const chain = startChain(held, idOf, { catalogue: 'off' })
    const call = await chain.run({
      tenant: 'acme',
      tool: 'ductape_execute',
      args: { publishable_key: P1, module: 'no', method: 'such' },
    })
    assert.deepEqual(call.prepared?.operation, {
      module: undefined,
      method: undefined,
      effect: 'admin',
      env: 'unknown',
      product: 'unknown',
      path: 'unknown',
    })
    assert.equal(chain.asked[0]?.body, '{"module":"no","method":"such","params":[]}')
  })
})

describe('injected', () => {
  test('each tool sends the key that it needs, and the call knows no other', async () => {
    const chain = startChain(injected('acme', 'beta'), idOf)
    const execute = await chain.run({ tenant: 'beta', tool: 'ductape_execute', args: EXECUTE })
    assert.equal(refusal(execute), 'none')
    assert.equal(execute.credentialId, idOf(`${P1}_beta`))
    assert.deepEqual(execute.prepared?.arguments, EXECUTE)
    assert.equal(execute.credential?.publicKey, undefined)
    assert.equal(chain.asked[0]?.credential, `${P1}_beta`)
    assert.equal(chain.asked[0]?.body, JSON.stringify(EXECUTE))

    const generate = await chain.run({ tenant: 'acme', tool: 'ductape_generate_payload', args: GENERATE })
    assert.equal(refusal(generate), 'none')
    assert.equal(generate.credentialId, idOf(`${U1}_acme`))
    assert.equal(generate.credential?.publishableKey, undefined)
    assert.equal(generate.prepared?.arguments['workspace_id'], undefined)
    const body = JSON.parse(chain.asked[1]?.body ?? '') as Record<string, unknown>
    assert.equal(chain.asked[1]?.credential, `${U1}_acme`)
    assert.deepEqual(
      [body['workspace_id'], body['user_id'], body['public_key']],
      ['ws_acme', 'usr_acme', `${U1}_acme`],
    )
  })

  test('both keys of the tenant are replaced in an answer, as they are and encoded', async () => {
    const leak = JSON.stringify({
      status: true,
      data: { data: { a: `x ${P1}_acme`, [`${U1}_acme`]: [Buffer.from(`${U1}_acme`).toString('base64')] } },
    })
    const chain = startChain(injected('acme'), idOf, { answer: leak })
    const call = await chain.run({ tenant: 'acme', tool: 'ductape_execute', args: EXECUTE })
    const text = JSON.stringify(call.result)
    assert.match(text, /\[REDACTED\]/)
    assert.ok(!/first_|cHViX2/.test(text), text)
  })

  test('so are those of every other tenant, for whoever the answer is, where it succeeds and where it fails', async () => {
    const held = testCredentials(
      {
        mode: 'injected',
        tenants: { acme: both('acme'), beta: both('beta'), guest: { mode: 'passthrough' } },
      },
      FLEET,
    )
    held.put('acme/publishable', `${P1}_acme`)
    held.put('beta/publishable', P2)
    held.put('beta/publishable', `${P2}_new`)
    held.put('beta/public', `${U1}_beta`)
    const keys = [`${P1}_acme`, P2, `${P2}_new`, `${U1}_beta`]
    const leaks = keys.map((key) => `${key} ${encodeURIComponent(`"${key}"`)} ${btoa(`x${key}`)}`)
    const guest = { ...EXECUTE, publishable_key: 'pk_live_guest_0123456789' }
    for (const answer of [
      JSON.stringify({ status: true, data: { data: leaks, execution_time_ms: 1, request_id: 'r' } }),
      JSON.stringify({ status: true, data: { data: { 'a "quoted" name': leaks } } }),
      ...leaks.map((message) => JSON.stringify({ status: false, message })),
    ]) {
      const chain = startChain(held, idOf, { answer })
      for (const [tenant, args] of [
        ['acme', EXECUTE],
        ['beta', EXECUTE],
        ['guest', guest],
      ] as const) {
        const call = await chain.run({ tenant, tool: 'ductape_execute', args })
        const text = `${JSON.stringify(call.result?.content)} ${call.denial?.backendMessage}`
        assert.equal(text.split(REDACTED).length - 1, answer.includes(':false') ? 3 : 12, text)
        assert.ok(!/pk_live|pub_first|first_|second_|0123456789/.test(text), text)
      }
    }
  })

  for (const tenant of [undefined, 'gamma', 'ACME', '__proto__', 'constructor', 'acme '] as const) {
    test(`the caller of tenant ${tenant} has no key, and nothing is sent`, async () => {
      const chain = startChain(injected('acme'), idOf)
      for (const [tool, args] of [
        ['ductape_execute', EXECUTE],
        ['ductape_generate_payload', GENERATE],
        ['ductape_generate_snippet', GENERATE],
      ] as const) {
        const call = await chain.run({ tenant, tool, args })
        assert.equal(call.denial?.code, 'credential_unavailable')
        assert.equal(call.credential, undefined)
        assert.equal(call.credentialId, undefined)
      }
      assert.equal(chain.asked.length, 0)
    })
  }

  test('a tenant with one of the keys can use the tools of that key only', async () => {
    const held = testCredentials({ mode: 'injected', tenants: { acme: both('acme') } }, FLEET)
    held.put('acme/public', U1)
    const chain = startChain(held, idOf)
    const execute = await chain.run({ tenant: 'acme', tool: 'ductape_execute', args: EXECUTE })
    assert.equal(execute.denial?.code, 'credential_unavailable')
    const generate = await chain.run({ tenant: 'acme', tool: 'ductape_generate_payload', args: GENERATE })
    assert.equal(refusal(generate), 'none')
  })

  for (const tool of ['ductape_execute', 'ductape_generate_payload', 'ductape_generate_snippet']) {
    for (const name of ['publishable_key', 'public_key', 'workspace_id', 'user_id']) {
      for (const value of [P2, '', null]) {
        test(`${tool} refuses ${name} (${JSON.stringify(value)}), whatever else is wrong`, async () => {
          const chain = startChain(injected('acme'), idOf)
          const args = tool === 'ductape_execute' ? EXECUTE : GENERATE
          for (const others of [args, {}, { ...args, no_such_argument: 1 }]) {
            const call = await chain.run({ tenant: 'acme', tool, args: { ...others, [name]: value } })
            assert.equal(
              refusal(call),
              `[credential_not_accepted] This service holds the Ductape keys itself; the argument \`${name}\` is not accepted.`,
            )
          }
          assert.equal(chain.asked.length, 0)
        })
      }
    }
  }

  test('a key in another place is refused as an unknown argument without being shown', async () => {
    const chain = startChain(injected('acme'), idOf)
    const call = await chain.run({
      tenant: 'acme',
      tool: 'ductape_execute',
      args: { ...EXECUTE, [P2]: 1 },
    })
    assert.equal(call.denial?.code, 'argument_unknown')
    assert.ok(!refusal(call).includes('second'), refusal(call))
  })
})

describe('a file that is replaced while a call is judged', () => {
  test('the call goes out with the key whose id policy saw and the record names', async () => {
    const held = injected('acme')
    const chain = startChain(held, idOf)
    const call = await chain.run({
      tenant: 'acme',
      tool: 'ductape_execute',
      args: EXECUTE,
      between: () => {
        held.put('acme/publishable', P2)
        held.put('acme/public', U2)
      },
    })
    assert.equal(call.credentialId, idOf(`${P1}_acme`))
    assert.equal(chain.asked[0]?.credential, `${P1}_acme`)
    const next = await chain.run({ tenant: 'acme', tool: 'ductape_execute', args: EXECUTE })
    assert.equal(next.credentialId, idOf(P2))
    assert.equal(chain.asked[1]?.credential, P2)
  })

  test('replaced twice: refused rather than sent with a key that nobody judged', async () => {
    const held = injected('acme')
    const chain = startChain(held, idOf)
    const call = await chain.run({
      tenant: 'acme',
      tool: 'ductape_execute',
      args: EXECUTE,
      between: () => {
        held.put('acme/publishable', P2)
        held.put('acme/publishable', `${P2}_again`)
      },
    })
    assert.equal(call.denial?.code, 'credential_unavailable')
    assert.equal(chain.asked.length, 0)
  })
})

describe('modes side by side', () => {
  test('the tenant decides in which form it meets a tool', async () => {
    const held = testCredentials(
      { mode: 'passthrough', tenants: { acme: { mode: 'injected', ...both('acme') } } },
      FLEET,
    )
    held.put('acme/publishable', P1)
    const chain = startChain(held, idOf)
    const own = { publishable_key: P2, ...EXECUTE }
    assert.equal(
      (await chain.run({ tenant: 'acme', tool: 'ductape_execute', args: own })).denial?.code,
      'credential_not_accepted',
    )
    assert.equal(
      (await chain.run({ tenant: 'beta', tool: 'ductape_execute', args: EXECUTE })).denial?.code,
      'not_authenticated',
    )
    await chain.run({ tenant: 'acme', tool: 'ductape_execute', args: EXECUTE })
    await chain.run({ tenant: 'beta', tool: 'ductape_execute', args: own })
    assert.deepEqual(
      chain.asked.map((request) => request.credential),
      [P1, P2],
    )
  })
})

describe('the deadline', () => {
  for (const [deadline, expected] of [
    [undefined, 30_000],
    [5000, 5000],
    [60_000, 30_000],
  ] as const) {
    test(`of a limit, ${deadline}, can only shorten the tool's own`, async () => {
      const chain = startChain(injected('acme'), idOf)
      await chain.run({
        tenant: 'acme',
        tool: 'ductape_execute',
        args: EXECUTE,
        between: (call) => {
          call.deadline = deadline
        },
      })
      assert.equal(chain.asked[0]?.timeout, expected)
    })
  }
})
