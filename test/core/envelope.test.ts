// The one-pass reader of plain answers must agree with the parser on everything it takes, and leave the rest to it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readPlainEnvelope as readBytes } from '../../src/core/envelope.ts'
import { type JsonObject, parseLossless } from '../../src/core/json.ts'

const readPlainEnvelope = (source: string) => {
  const plain = readBytes(Buffer.from(source))
  return plain === undefined ? undefined : { ...plain, json: plain.json() }
}

const envelope = (json: string, id = 'req_1') =>
  `{"status":true,"data":{"data":${json},"execution_time_ms":3,"request_id":"${id}"}}`

const slow = (source: string): string => {
  const data = (parseLossless(source) as JsonObject)['data'] as JsonObject
  return JSON.stringify(JSON.stringify(data['data'], null, 2)).slice(1, -1)
}

// Names like array indexes are sorted by JSON.parse; the reader keeps the backend's order, so they are left out of the comparison.
const name = fc.string().filter((text) => !/^\d+$/.test(text))
const anyJson = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.string(),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value')),
    fc.dictionary(name, tie('value')),
  ),
})).value

test('agrees with the parser on what it takes', () => {
  let taken = 0
  fc.assert(
    fc.property(anyJson, (value) => {
      const source = envelope(JSON.stringify(value))
      const plain = readPlainEnvelope(source)
      if (plain === undefined) return assert.match(source, /\\/)
      taken++
      assert.equal(plain.escapedText, slow(source))
      assert.equal(plain.json, JSON.stringify(value))
      assert.equal(plain.requestId, 'req_1')
    }),
    { seed: 20261121, numRuns: 2000 },
  )
  assert.ok(taken > 500, `only ${taken} were taken`)
})

test('keeps the digits of the backend', () => {
  for (const digits of ['1.10', '123456789012345678901', '1e3', '-0', '0.00000001', '19.90', '3.0E+2']) {
    const source = envelope(`[${digits}]`)
    assert.equal(readPlainEnvelope(source)?.escapedText, `[\\n  ${digits}\\n]`)
    assert.equal(readPlainEnvelope(source)?.json, `[${digits}]`)
  }
})

test('keeps the order of members that look like indexes', () => {
  assert.equal(readPlainEnvelope(envelope('{"10":1,"2":2}'))?.json, '{"10":1,"2":2}')
})

test('indents empty and nested containers as JSON.stringify does', () => {
  for (const json of [
    '{}',
    '[]',
    '[[],{}]',
    '{"a":{"b":[1,{"c":[]}]}}',
    '"text"',
    'null',
    'true',
    '[false,null]',
  ])
    assert.equal(readPlainEnvelope(envelope(json))?.escapedText, slow(envelope(json)), json)
})

test('leaves everything else to the parser', () => {
  const good = envelope('{"a":[1,true,null]}')
  for (const source of [
    '',
    'null',
    '{}',
    '[]',
    '{"status":true}',
    '{"status":true,"data":null}',
    '{"status":true,"data":[]}',
    '{"status":true,"data":{}}',
    '{"status":true,"data":{"request_id":"x"}}',
    '{"status":false,"message":"no","data":{"data":1}}',
    '{"data":{"data":1}}',
    '{"status":1,"data":{"data":1}}',
    '{"status":true,"data":{"data":1},"data":{"data":2}}',
    '{"status":true,"data":{"data":1,"data":2}}',
    envelope('"a\\n"'),
    envelope('"\\u0041"'),
    envelope('01'),
    envelope('1.'),
    envelope('+1'),
    envelope('tru'),
    envelope('[1,]'),
    envelope('[1 ,2]'),
    envelope('{"a" :1}'),
    envelope("'a'"),
    envelope('{a:1}'),
    envelope('[1'),
    envelope('"a'),
    envelope('[1}'),
    envelope('{"a":1]'),
    envelope(`${'['.repeat(66)}${']'.repeat(66)}`),
    `${good} `,
    `${good}x`,
    ` ${good}`,
    good.slice(0, -1),
    good.replace('{"a"', '{\n"a"'),
  ])
    assert.equal(readPlainEnvelope(source), undefined, source)
  assert.notEqual(readPlainEnvelope(good), undefined)
})

test('every prefix and every single cut of a plain answer is left to the parser or read as the parser reads it', () => {
  const source = envelope('{"a":[1,2.5,"x"],"b":{"c":null}}')
  for (let i = 0; i < source.length; i++) {
    for (const cut of [source.slice(0, i), source.slice(0, i) + source.slice(i + 1)]) {
      const plain = readPlainEnvelope(cut)
      if (plain !== undefined) assert.equal(plain.escapedText, slow(cut), cut)
    }
  }
})

test('reads a large answer, and the next small one is not disturbed by it', () => {
  const rows = JSON.stringify(Array.from({ length: 20_000 }, (_, id) => ({ id, name: `name ${id}` })))
  const source = envelope(rows)
  assert.ok(source.length > 512 * 1024)
  assert.equal(readPlainEnvelope(source)?.escapedText, slow(source))
  assert.equal(readPlainEnvelope(envelope('[1]'))?.escapedText, '[\\n  1\\n]')
})

test('reads text beyond ASCII as it is', () => {
  const source = envelope('{"ключ":"größe ☃ 𝄞"}')
  assert.equal(readPlainEnvelope(source)?.escapedText, slow(source))
})
