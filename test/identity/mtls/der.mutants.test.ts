// The DER reader by itself: node:crypto refuses most of these before it is asked, and it must not depend on that (X.690, RFC 5280 4.2).
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { describe, it } from 'node:test'
import { readAuthorities, windowsOf } from '../../../src/identity/mtls/chain.ts'
import { readExtensions } from '../../../src/identity/mtls/der.ts'
import * as x509 from './lib/x509.ts'

const { der } = x509
const bytes = (...values: number[]): Buffer => Buffer.from(values)
const sequence = (...contents: Buffer[]): Buffer => der(0x30, ...contents)
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'))
const octets = (value: Buffer): Buffer => der(0x04, value)

/** As much of a certificate as the reader looks at. */
const certificate = (...extensions: Buffer[]): Buffer =>
  sequence(sequence(der(0x02, bytes(1)), der(0xa3, sequence(...extensions))))

const PURPOSES = '551d25'
const CONSTRAINTS = '551d13'
const NAMES = '551d11'
const CLIENT = Buffer.from('2b06010505070302', 'hex')
const purposes = (value: Buffer): Buffer => sequence(oid(PURPOSES), octets(value))
const constraints = (...parts: Buffer[]): Buffer =>
  certificate(sequence(oid(CONSTRAINTS), octets(sequence(...parts))))
const unknown = (...critical: Buffer[]): Buffer =>
  certificate(sequence(oid('2a03'), ...critical, octets(bytes())))

describe('what is read', () => {
  it('nothing where there are no extensions', () => {
    const read = readExtensions(sequence(sequence(der(0x02, bytes(1)))))
    assert.deepEqual(read, {
      authority: false,
      pathLength: undefined,
      keyUsage: undefined,
      forClients: true,
      uris: [],
      dnsNames: [],
      unprocessed: false,
    })
  })
  it('a purpose that is an object identifier', () => {
    assert.equal(readExtensions(certificate(purposes(sequence(der(0x06, CLIENT))))).forClients, true)
    assert.equal(readExtensions(certificate(purposes(sequence(octets(CLIENT))))).forClients, false)
  })
  it('an authority that says so by a boolean that is true', () => {
    assert.equal(readExtensions(constraints(der(0x01, bytes(0xff)))).authority, true)
    assert.equal(readExtensions(constraints(der(0x01, bytes(0)))).authority, false)
    assert.equal(readExtensions(constraints(der(0x02, bytes(1)))).authority, false)
  })
  it('a critical extension, where it is not said to be uncritical', () => {
    assert.equal(readExtensions(unknown(der(0x01, bytes(0xff)))).unprocessed, true)
    assert.equal(readExtensions(unknown(der(0x01, bytes(0)))).unprocessed, false)
    assert.equal(readExtensions(unknown()).unprocessed, false)
  })
  it('lengths of one, two, three and four bytes', () => {
    for (const size of [1, 200, 300, 70_000]) {
      const name = 'a'.repeat(size)
      const names = sequence(der(0x86, Buffer.from(name)))
      assert.deepEqual(readExtensions(certificate(sequence(oid(NAMES), octets(names)))).uris, [name])
    }
  })
})

describe('what is refused', () => {
  const good = sequence(oid('2a03'), octets(bytes()))
  const rows: [string, Buffer, string][] = [
    ['nothing', bytes(), 'unexpected element'],
    ['another element than a sequence', der(0x31, good), 'unexpected element'],
    ['something behind the certificate', Buffer.concat([certificate(), bytes(5, 0)]), 'unexpected element'],
    ['a certificate without its first part', sequence(octets(bytes())), 'no certificate'],
    [
      'an extension that is no sequence',
      certificate(der(0x31, oid('2a03'), octets(bytes()))),
      'no extension',
    ],
    ['one without a name', certificate(sequence(octets(bytes(42)), octets(bytes()))), 'no extension'],
    ['one without a value', certificate(sequence(oid('2a03'), der(0x03, bytes()))), 'no extension'],
    ['a number for critical', unknown(der(0x02, bytes(1))), 'no extension'],
    ['critical in two bytes', unknown(der(0x01, bytes(0, 0))), 'no extension'],
    ['critical in no byte', unknown(der(0x01, bytes())), 'no extension'],
    ['critical twice', unknown(der(0x01, bytes(1)), der(0x01, bytes(1))), 'no extension'],
    ['an extension twice', certificate(good, good), 'extension repeated'],
    ['a path length of two bytes', constraints(der(0x02, bytes(0, 1))), 'path length'],
    ['a path length below zero', constraints(der(0x02, bytes(0xff))), 'path length'],
    ['a path length of no byte', constraints(der(0x02, bytes())), 'path length'],
    ['a tag without a length', bytes(0x30), 'tag or length'],
    ['a tag of two octets', bytes(0x3f, 0x01, 0x00), 'tag or length'],
    ['an open length', bytes(0x30, 0x80, 0, 0), 'length'],
    ['a length of seven bytes', bytes(0x30, 0x87, 1, 0, 0, 0, 0, 0, 0), 'length'],
    ['a length that is cut', bytes(0x30, 0x82, 1), 'length'],
    ['a short length in two bytes', bytes(0x30, 0x81, 0x01, 0x05), 'length'],
    [
      'a length with a zero before it',
      Buffer.concat([bytes(0x30, 0x82, 0x00, 0x80), Buffer.alloc(128)]),
      'length',
    ],
    ['more than there is', bytes(0x30, 0x03, 0x05, 0x00), 'length'],
  ]
  for (const [name, text, message] of rows)
    it(name, () => assert.throws(() => readExtensions(text), { name: 'RangeError', message }))
})

describe('authorities that are many', () => {
  /** Roots of one name and one key: each of them has issued what the key signs. */
  const first = x509.makeAuthority()
  const roots = [first, ...Array.from({ length: 40 }, () => x509.makeAuthority({ key: first.key }))]
  const pem = (made: readonly x509.Made[]): string => made.map((one) => one.pem).join('')

  it('are no roots where their authority key identifier is another one (RFC 5280 4.2.1.1)', () => {
    const own = x509.extension('551d0e', octets(bytes(1)))
    const identified = (issuer: number): string => {
      const named = x509.extension('551d23', sequence(der(0x80, bytes(issuer))))
      return x509.makeAuthority({
        extensions: [x509.basicConstraints(true), x509.keyUsage(x509.CA_USAGE), own, named],
      }).pem
    }
    assert.ok(typeof readAuthorities(identified(1)) !== 'string')
    assert.match(String(readAuthorities(identified(2))), /does not lead to a self-signed one/)
  })

  it('vouch by 16 paths at most', () => {
    const authorities = readAuthorities(pem(roots))
    assert.ok(typeof authorities !== 'string', String(authorities))
    const leaf = x509.makeClient(first, [['dns', 'a.example.com']])
    assert.equal(windowsOf(new X509Certificate(leaf.pem), undefined, authorities).length, 16)
  })

  it('are led from to roots by 16 paths at most', () => {
    const between = x509.makeAuthority({ subject: 'between', issuer: first })
    const authorities = readAuthorities(pem([between, ...roots]))
    assert.ok(typeof authorities !== 'string', String(authorities))
    assert.equal(authorities[0]?.windows.length, 16)
  })
})
