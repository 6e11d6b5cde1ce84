// ductape_execute: what goes to the backend, what comes back, and what the catalogue stops before the network.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { callRest, callTool, EXECUTE, KEY, textOf } from '../lib/calls.ts'
import { startWire, type Wire } from './lib/wire.ts'

const NOT_AUTHENTICATED =
  'Not authenticated. Please provide the `publishable_key` in your tool invocation arguments.'
const SEED = 20_260_101

const execute = (wire: Wire, args: Record<string, unknown> = {}): ReturnType<typeof callTool> =>
  callTool(wire.url, 'ductape_execute', { ...EXECUTE, ...args })

describe('on the wire', () => {
  let wire: Wire
  before(async () => {
    wire = await startWire()
  })
  after(() => wire.close())

  test('one POST with the key in its header and the three members in the body', async () => {
    await execute(wire)
    const { method, path, headers, body } = wire.last()
    assert.equal(method, 'POST')
    assert.equal(path, '/proxy/v1/sdk-proxy/execute')
    assert.equal(
      body,
      '{"module":"product","method":"environments.list","params":["ductape:my-product"]}',
      'the body has no key and nothing else',
    )
    assert.equal(headers['x-publishable-key'], KEY)
    assert.equal(headers['content-type'], 'application/json')
    assert.equal(headers['content-length'], String(body.length))
    assert.match(headers['x-request-id'] as string, /^[0-9a-f-]{36}$/)
    assert.deepEqual(
      Object.keys(headers).sort(),
      [
        'accept',
        'connection',
        'content-length',
        'content-type',
        'host',
        'user-agent',
        'x-publishable-key',
        'x-request-id',
      ],
      'no header of the caller goes along',
    )
  })

  test('params defaults to []', async () => {
    const { params: _, ...rest } = EXECUTE
    await callTool(wire.url, 'ductape_execute', rest)
    assert.deepEqual(wire.last().json['params'], [])
  })

  test('params goes out value for value', async () => {
    const values = fc.array(fc.jsonValue(), { maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(values, async (params) => {
        const expected = JSON.stringify(params)
        // Exact JSON refuses what no reader could agree on; those are not sent at all.
        const before = wire.seen.length
        const answer = await callTool(wire.url, 'ductape_execute', { ...EXECUTE, params }).catch(
          () => undefined,
        )
        if (wire.seen.length === before) return assert.equal(answer, undefined)
        assert.equal(JSON.stringify(wire.last().json['params']), expected)
      }),
      { seed: SEED, numRuns: 100 },
    )
  })

  test('X-Request-Id and trace context of the caller go along, other headers do not', async () => {
    const id = '0189d9a4-7c3f-7e1b-8f2e-3a4b5c6d7e8f'
    const traceparent = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`
    await fetch(`${wire.url}/v1/tools/ductape_execute`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-request-id': id,
        traceparent,
        tracestate: 'a=b',
        authorization: 'Bearer 0123456789abcdef',
        cookie: 'a=b',
        baggage: 'a=b',
      },
      body: JSON.stringify(EXECUTE),
    })
    const { headers } = wire.last()
    assert.equal(headers['x-request-id'], id)
    assert.equal(headers['traceparent'], traceparent)
    assert.equal(headers['tracestate'], 'a=b')
    for (const name of ['authorization', 'cookie', 'baggage']) assert.equal(headers[name], undefined, name)
  })

  test('keyPlacement: body puts the key there and nowhere else', async () => {
    const other = await startWire({ backend: { keyPlacement: 'body' } })
    try {
      assert.equal((await execute(other)).isError, undefined)
      assert.equal(other.last().headers['x-publishable-key'], undefined)
      assert.deepEqual(Object.keys(other.last().json), ['publishable_key', 'module', 'method', 'params'])
      assert.equal(other.last().json['publishable_key'], KEY)
    } finally {
      await other.close()
    }
  })
})

describe('answers', () => {
  let wire: Wire
  before(async () => {
    wire = await startWire()
  })
  after(() => wire.close())

  const answers = async (inner: string): Promise<{ text: string; rest: string }> => {
    const body = `{"status":true,"data":{"data":${inner},"execution_time_ms":1,"request_id":"req_1"}}`
    wire.emulator?.faults.next({ kind: 'body', body })
    wire.emulator?.faults.next({ kind: 'body', body })
    const answer = await execute(wire)
    assert.equal(answer.isError, undefined, textOf(answer))
    assert.equal(answer.structuredContent, undefined)
    assert.equal(answer.content.length, 1)
    const rest = await fetch(`${wire.url}/v1/tools/ductape_execute`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(EXECUTE),
    })
    return { text: textOf(answer), rest: await rest.text() }
  }

  for (const [inner, text] of [
    ['{"a":[1,{"b":null}]}', '{\n  "a": [\n    1,\n    {\n      "b": null\n    }\n  ]\n}'],
    ['[]', '[]'],
    ['{}', '{}'],
    ['"text"', '"text"'],
    ['"\\u0000\\ud83d\\ude00\\u2028"', JSON.stringify('\0😀\u2028')],
    ['true', 'true'],
    ['null', 'null'],
    ['1.0', '1.0'],
    ['1e3', '1e3'],
    ['-0', '-0'],
    ['12345678901234567890', '12345678901234567890'],
    ['0.1000000000000000055511151231257827', '0.1000000000000000055511151231257827'],
    ['[1.50,{"id":9007199254740993}]', '[\n  1.50,\n  {\n    "id": 9007199254740993\n  }\n]'],
    ['{"__proto__":{"a":1},"constructor":2}', '{\n  "__proto__": {\n    "a": 1\n  },\n  "constructor": 2\n}'],
  ] as const) {
    test(`a result of ${inner.slice(0, 40)} keeps its digits and its form`, async () => {
      const { text: shown, rest } = await answers(inner)
      assert.equal(shown, text)
      assert.equal(rest.replaceAll(/\s/g, ''), text.replaceAll(/\s/g, ''), 'REST has the same value')
    })
  }

  test('an answer without a result is null', async () => {
    for (const body of [
      '{"status":true,"data":{"execution_time_ms":1,"request_id":"req_1"}}',
      '{"status":true,"data":{}}',
    ]) {
      wire.emulator?.faults.next({ kind: 'body', body })
      assert.equal(textOf(await execute(wire)), 'null')
    }
  })

  test('an action without an answer is null over REST too', async () => {
    wire.emulator?.faults.next({ kind: 'body', body: '{"status":true,"data":{}}' })
    const { status, body } = await callRest(wire.url, 'ductape_execute', EXECUTE)
    assert.equal(status, 200)
    assert.equal(body, null)
  })
})

describe('the key', () => {
  let wire: Wire
  before(async () => {
    wire = await startWire()
  })
  after(() => wire.close())

  const blank = fc.oneof(
    fc.constant(undefined),
    fc.constant(null),
    fc.constant(''),
    fc.stringMatching(/^[ \t\r\n\u00a0\u2003\ufeff]{1,8}$/),
  )
  const rest = fc.record(
    {
      module: fc.jsonValue(),
      method: fc.jsonValue(),
      params: fc.jsonValue(),
      public_key: fc.string(),
      constructor: fc.jsonValue(),
      unknown: fc.jsonValue(),
    },
    { requiredKeys: [] },
  )

  test('missing, null, empty or blank gives the bare sentence whatever else is wrong', async () => {
    const before = wire.seen.length
    await fc.assert(
      fc.asyncProperty(blank, rest, async (publishable_key, others) => {
        const args = { ...others, ...(publishable_key !== undefined && { publishable_key }) }
        const text = JSON.stringify(args)
        // What is not exact JSON never gets as far as its arguments.
        fc.pre(text.isWellFormed() && !/\d{16}|\d[eE]/.test(text))
        const answer = await callTool(wire.url, 'ductape_execute', args)
        assert.equal(answer.isError, true)
        assert.equal(textOf(answer), NOT_AUTHENTICATED)
      }),
      { seed: SEED, numRuns: 200 },
    )
    assert.equal(wire.seen.length, before, 'nothing was sent')
  })

  test('no arguments at all give it too, over MCP and REST', async () => {
    assert.equal(textOf(await callTool(wire.url, 'ductape_execute', undefined)), NOT_AUTHENTICATED)
    const { status, body } = await callRest(wire.url, 'ductape_execute', {})
    assert.equal(status, 400)
    assert.equal((body as { detail: string }).detail, NOT_AUTHENTICATED)
    assert.equal((body as { code: string }).code, 'not_authenticated')
  })

  for (const [what, publishable_key, code] of [
    // Long enough not to turn up by chance in the digests of a receipt.
    ['a number', 987654321012, 'argument_invalid'],
    ['an object', {}, 'argument_invalid'],
    ['false', false, 'argument_invalid'],
    ['an array', [KEY], 'argument_invalid'],
    ['too short', 'pk_12345678', 'credential_malformed'],
    ['too long', 'k'.repeat(513), 'credential_malformed'],
    ['with a space', 'pk_demo 0123456789', 'credential_malformed'],
    ['with a line break', 'pk_demo_0123456789\r\nX-A: b', 'credential_malformed'],
    ['not ASCII', 'pk_demo_0123456789é', 'credential_malformed'],
  ] as const) {
    test(`${what} is refused by name and nothing is sent`, async () => {
      const before = wire.seen.length
      const answer = await execute(wire, { publishable_key })
      assert.equal(answer.isError, true)
      assert.ok(textOf(answer).startsWith(`[${code}] The argument \`publishable_key\``), textOf(answer))
      assert.ok(!JSON.stringify(answer).includes(String(publishable_key).slice(0, 9)) || what === 'false')
      assert.equal(wire.seen.length, before)
    })
  }
})

describe('the catalogue', () => {
  const unknown = [
    ['databasez', 'query', 'module_unknown'],
    ['databases', 'quer', 'method_unknown'],
    ['databases', '__proto__', 'method_unknown'],
    ['constructor', 'toString', 'module_unknown'],
    ['databases', 'Query', 'method_unknown'],
    ['cloud', 'list', 'module_unknown'],
  ] as const

  test('enforce: refused before the network', async () => {
    const wire = await startWire()
    try {
      for (const [module, method, code] of unknown) {
        const answer = await execute(wire, { module, method, params: [] })
        assert.equal(answer.isError, true)
        assert.ok(textOf(answer).startsWith(`[${code}] `), textOf(answer))
        assert.match(textOf(answer), /ductape:\/\/catalogue/)
      }
      assert.equal(wire.seen.length, 0)
      assert.deepEqual(
        wire.records().map((record) => record.decision?.code),
        unknown.map(([, , code]) => code),
      )
    } finally {
      await wire.close()
    }
  })

  for (const mode of ['warn', 'off'] as const) {
    test(`${mode}: sent as it is; the record names neither module nor method, and the effect is the worst`, async () => {
      const wire = await startWire({ catalogue: mode })
      try {
        for (const [module, method] of unknown) {
          const answer = await execute(wire, { module, method, params: [] })
          assert.match(textOf(answer), /^Error: Proxy request failed: 4\d\d\n/)
          assert.equal(wire.last().json['module'], module)
          assert.equal(wire.last().json['method'], method)
        }
        const decisions = wire.records().filter((record) => record.type === 'decision')
        assert.equal(decisions.length, unknown.length)
        for (const { what } of decisions) {
          assert.equal(what?.['module'], undefined)
          assert.equal(what?.['method'], undefined)
          assert.equal(what?.['effect'], 'admin')
        }
        const warnings = wire.log().filter((line) => line.includes('method_outside_catalogue'))
        assert.equal(warnings.length, mode === 'warn' ? unknown.length : 0)
      } finally {
        await wire.close()
      }
    })
  }

  test('near matches and the way to list what exists', async () => {
    const wire = await startWire()
    try {
      for (const [module, method, sentence] of [
        [
          'databasez',
          'query',
          '[module_unknown] Ductape has no module of this name. Near matches: databases. The resource ductape://catalogue lists the modules.',
        ],
        [
          'databases',
          'quer',
          '[method_unknown] This module has no method of this name. Near matches: query. The resource ductape://catalogue/databases lists its methods.',
        ],
        [
          'caches',
          'findSimilar',
          '[method_unknown] This module has no method of this name. It is a method of vector. The resource ductape://catalogue/caches lists its methods.',
        ],
        [
          'zzzzzz',
          'query',
          '[module_unknown] Ductape has no module of this name. The resource ductape://catalogue lists the modules.',
        ],
      ] as const)
        assert.equal(textOf(await execute(wire, { module, method, params: [] })), sentence)
    } finally {
      await wire.close()
    }
  })
})
