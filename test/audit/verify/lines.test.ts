// Lines are the same however the bytes were cut, frames of a container runtime come off, and nothing grows with a line that has no end.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import canonicalize from 'canonicalize'
import fc from 'fast-check'
import { readLine } from '../../../src/audit/verify/line.ts'
import { createLineCutter, MAX_LINE } from '../../../src/audit/verify/lines.ts'
import { closedChain, framed } from '../lib/good.ts'

function cut(chunks: readonly Buffer[]): { lines: [number, string][]; rest: string[] } {
  const lines: [number, string][] = []
  const rest: string[] = []
  const cutter = createLineCutter({
    line: (bytes, number) => void lines.push([number, bytes.toString()]),
    rest: (bytes) => void rest.push(bytes.toString()),
  })
  for (const chunk of chunks) cutter.feed(chunk)
  cutter.end()
  return { lines, rest }
}

function pieces(bytes: Buffer, size: number): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) chunks.push(Buffer.from(bytes.subarray(at, at + size)))
  return chunks
}

describe('lines', () => {
  const { lines } = closedChain()
  const raw = Buffer.from(lines.map((line) => `${line}\n`).join(''))

  for (const size of [1, 7, 64, 1000, 1 << 20])
    test(`in chunks of ${size} bytes`, () => {
      assert.deepEqual(
        cut(pieces(raw, size)).lines,
        lines.map((line, i) => [i + 1, line]),
      )
      for (const part of [100, 300, 16_384])
        assert.deepEqual(
          cut(pieces(Buffer.from(framed(lines, part)), size)).lines.map(([, text]) => text),
          lines,
        )
    })

  test('what stands behind the last line feed is told apart', () => {
    assert.deepEqual(cut([Buffer.from('{"a":1}\n{"b"')]), { lines: [[1, '{"a":1}']], rest: ['{"b"'] })
    const time = '2026-11-21T12:00:00.000000001Z'
    assert.deepEqual(cut([Buffer.from(`${time} stdout P {"a"\n`)]), { lines: [], rest: ['{"a"'] })
    assert.deepEqual(cut([Buffer.from(`${time} stdout F {}\n${time} stderr F x\n`)]).lines, [[1, '{}']])
  })

  test('a frame with an offset is one too, an unknown one is a line', () => {
    assert.deepEqual(cut([Buffer.from('2026-11-21T12:00:00.1+01:00 stdout F {}\n')]).lines, [[1, '{}']])
    const odd = '2026-11-21T12:00:00.1Z stdlog F {}'
    assert.deepEqual(cut([Buffer.from(`${odd}\n`)]).lines, [[1, odd]])
  })

  test('a line without an end is not kept', () => {
    const chunk = Buffer.alloc(1 << 20, 0x61)
    const { lines: found, rest } = cut([...Array.from({ length: 20 }, () => chunk), Buffer.from('\n{}\n')])
    assert.deepEqual(rest, [])
    assert.equal(found.length, 2)
    assert.ok((found[0]?.[1].length as number) < 3 * (1 << 20))
    assert.deepEqual(readLine(Buffer.from(found[0]?.[1] as string)), { ok: false, code: 'line_malformed' })
    assert.deepEqual(found[1], [2, '{}'])
    const frame = '2026-11-21T12:00:00.000000001Z stdout P '
    const parts = cut(Array.from({ length: 100 }, () => Buffer.from(`${frame}${'a'.repeat(16_384)}\n`)))
    assert.ok((parts.rest[0]?.length as number) <= MAX_LINE + 2 * 16_384)
  })
})

test('a record has at most 64 KiB', () => {
  const line = (length: number): Buffer => Buffer.from(`{"a":"${'x'.repeat(length - 8)}"}`)
  assert.deepEqual(readLine(line(MAX_LINE)), { ok: false, code: 'record_schema' })
  assert.deepEqual(readLine(line(MAX_LINE + 1)), { ok: false, code: 'line_malformed' })
})

test('exactly the texts that a canonicaliser writes are canonical', () => {
  const object = fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ stringUnit: 'binary' }))
  const isCanonical = (text: string): boolean => {
    const read = readLine(Buffer.from(text))
    return read.ok || read.code !== 'line_not_canonical'
  }
  fc.assert(
    fc.property(object, (value) => {
      const written = canonicalize(value) as string
      const plain = JSON.stringify(value)
      // RFC 8785 writes some integers with other digits than the double has; the exact parser refuses those.
      fc.pre(!/\d{16}/.test(written))
      assert.ok(isCanonical(written), written)
      assert.equal(isCanonical(plain), plain === written, plain)
    }),
    { numRuns: 500 },
  )
})

test('nesting over 64 levels is refused, and never overflows', () => {
  const nested = (depth: number): Buffer => Buffer.from(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`)
  assert.deepEqual(readLine(nested(64)), { ok: false, code: 'record_schema' })
  assert.deepEqual(readLine(nested(65)), { ok: false, code: 'line_not_canonical' })
  assert.deepEqual(readLine(nested(10_000)), { ok: false, code: 'line_not_canonical' })
  assert.deepEqual(readLine(Buffer.from('['.repeat(60_000))), { ok: false, code: 'line_not_canonical' })
})
