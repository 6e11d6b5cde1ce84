// ductape_generate_payload: every default on the wire, what is left out, and both forms of the answer.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { callRest, callTool, GENERATE, textOf } from '../lib/calls.ts'
import { startWire, type Wire } from './lib/wire.ts'

const OPTIONAL = {
  targets: { database: 'main-db' },
  schema_mode: 'strict',
  include_session: false,
  include_cache: false,
  input_hint: { entity: 'orders', limit: 10 },
}

describe('ductape_generate_payload', () => {
  let wire: Wire
  before(async () => {
    wire = await startWire()
  })
  after(() => wire.close())

  test('one POST, the public key as x-access-key, the defaults written out', async () => {
    const answer = await callTool(wire.url, 'ductape_generate_payload', GENERATE)
    assert.equal(answer.isError, undefined, textOf(answer))
    const { method, path, headers, json } = wire.last()
    assert.equal(method, 'POST')
    assert.equal(path, '/integrations/v1/payloads/generate')
    assert.equal(headers['x-access-key'], GENERATE.public_key)
    assert.equal(headers['x-publishable-key'], undefined)
    assert.deepEqual(json, {
      ...GENERATE,
      schema_mode: 'best_effort',
      include_session: true,
      include_cache: true,
    })
  })

  test('what the caller names goes out as it is', async () => {
    await callTool(wire.url, 'ductape_generate_payload', { ...GENERATE, ...OPTIONAL })
    assert.deepEqual(wire.last().json, { ...GENERATE, ...OPTIONAL })
  })

  test('the text and structuredContent are the same value, {payload, meta}', async () => {
    const answer = await callTool(wire.url, 'ductape_generate_payload', { ...GENERATE, ...OPTIONAL })
    const value = JSON.parse(textOf(answer)) as Record<string, unknown>
    assert.deepEqual(Object.keys(value), ['payload', 'meta'])
    assert.deepEqual(answer.structuredContent, value)
    assert.equal(textOf(answer), JSON.stringify(value, null, 2))
    const rest = await callRest(wire.url, 'ductape_generate_payload', { ...GENERATE, ...OPTIONAL })
    assert.deepEqual(rest.body, value)
  })

  for (const name of Object.keys(GENERATE)) {
    test(`${name} is required, not null, not empty`, async () => {
      const before = wire.seen.length
      const { [name as keyof typeof GENERATE]: _, ...rest } = GENERATE
      const texts: string[] = []
      for (const args of [
        rest,
        { ...rest, [name]: null },
        { ...rest, [name]: '' },
        { ...rest, [name]: ' ' },
      ]) {
        const answer = await callTool(wire.url, 'ductape_generate_payload', args)
        assert.equal(answer.isError, true)
        texts.push(textOf(answer))
      }
      const [missing, nothing, ...empty] = texts
      assert.equal(missing, `[argument_missing] The argument \`${name}\` is required.`)
      assert.equal(nothing, `[argument_invalid] The argument \`${name}\` must be a string.`)
      for (const text of empty) {
        if (name === 'public_key') assert.match(text, /^\[credential_malformed\] The argument `public_key` /)
        else assert.equal(text, `[argument_invalid] The argument \`${name}\` must not be empty.`)
      }
      assert.equal(wire.seen.length, before, 'nothing was sent')
    })
  }

  for (const [args, sentence] of [
    [{ schema_mode: 'loose' }, 'The argument `schema_mode` must be one of strict, best_effort.'],
    [{ include_session: 'yes' }, 'The argument `include_session` must be a boolean.'],
    [{ include_cache: 1 }, 'The argument `include_cache` must be a boolean.'],
    [{ targets: [] }, 'The argument `targets` must be an object.'],
    [{ targets: null }, 'The argument `targets` must be an object.'],
    [{ input_hint: 'orders' }, 'The argument `input_hint` must be an object.'],
    [{ env_slug: 'x'.repeat(513) }, 'The argument `env_slug` must have at most 512 characters.'],
  ] as const) {
    test(`${JSON.stringify(args).slice(0, 40)} is refused`, async () => {
      const answer = await callTool(wire.url, 'ductape_generate_payload', { ...GENERATE, ...args })
      assert.equal(textOf(answer), `[argument_invalid] ${sentence}`)
    })
  }

  test('language belongs to the snippet tool', async () => {
    const answer = await callTool(wire.url, 'ductape_generate_payload', { ...GENERATE, language: 'python' })
    assert.equal(textOf(answer), '[argument_unknown] This tool has no argument named "language".')
  })

  test('the publishable key is no argument here, and its value is not repeated', async () => {
    const answer = await callTool(wire.url, 'ductape_generate_payload', {
      ...GENERATE,
      publishable_key: 'pk_demo_0123456789ab',
    })
    assert.equal(textOf(answer), '[argument_unknown] This tool has no argument named "publishable_key".')
  })

  test('an answer that is no {payload, meta} is not understood', async () => {
    for (const data of ['null', '{}', '{"payload":{}}', '{"payload":[],"meta":{}}', '[]', '"x"']) {
      wire.emulator?.faults.next({ kind: 'body', body: `{"status":true,"data":${data}}` })
      const answer = await callTool(wire.url, 'ductape_generate_payload', GENERATE)
      assert.equal(answer.isError, true)
      assert.equal(answer.structuredContent, undefined)
      assert.match(textOf(answer), /^Payload generation request failed\n\[backend_malformed\] /)
    }
  })
})
