// Client certificates that nginx forwards: what is taken, what is looked at on every call, whose they are, and who the peer is.
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { HttpRequest } from '../../../src/core/http.ts'
import type { MapRow } from '../../../src/identity/mtls/index.ts'
import { REFUSALS } from '../../../src/identity/mtls/leaf.ts'
import { AGENT, client, refusal, root, setUp } from './lib/setup.ts'
import * as x509 from './lib/x509.ts'

const { NOW, DAY, makeAuthority, makeClient, escaped } = x509

const withExtensions = (...extensions: Buffer[]) =>
  client([], { extensions: [...extensions, x509.alternativeNames(['uri', AGENT])] })

describe('a good certificate', () => {
  it('gives names, dates and both forms of its SHA-256', () => {
    const made = client([
      ['uri', AGENT],
      ['dns', 'Agent-7.Example.com'],
      ['email', 'a@example.com'],
      ['ip', Buffer.from([10, 0, 0, 1])],
    ])
    assert.deepEqual(setUp().read(escaped(made)), {
      fingerprint: hash('sha256', made.der, 'hex'),
      // RFC 8705 3.1: x5t#S256 is the base64url SHA-256 of the DER form.
      thumbprint: hash('sha256', made.der, 'base64url'),
      uris: [AGENT],
      dnsNames: ['agent-7.example.com'],
      notBefore: NOW - DAY,
      notAfter: NOW + DAY,
    })
  })

  const keys = ['P-256', 'P-384', 'ed25519', 2048] as const
  for (const kind of keys)
    for (const authority of keys)
      it(`${kind} issued by ${authority}`, () => {
        const ca = makeAuthority({ key: x509.newKey(authority) })
        const made = makeClient(ca, [['uri', AGENT]], { key: x509.newKey(kind) })
        assert.ok('fingerprint' in setUp({ pem: ca.pem }).read(escaped(made)))
      })

  it('without extKeyUsage and keyUsage, and with serverAuth beside clientAuth', () => {
    const { read } = setUp()
    assert.ok('fingerprint' in read(escaped(withExtensions())))
    const both = withExtensions(x509.extendedKeyUsage('serverAuth', 'clientAuth'), x509.keyUsage(0x80 | 0x20))
    assert.ok('fingerprint' in read(escaped(both)))
    assert.ok('fingerprint' in read(escaped(withExtensions(x509.unknownExtension(false)))))
  })

  it('as openssl writes the PEM, with a line feed at the end or without', () => {
    const { read } = setUp()
    const { pem } = client([['uri', AGENT]])
    assert.ok('fingerprint' in read(encodeURIComponent(pem)))
    assert.ok('fingerprint' in read(encodeURIComponent(pem.trimEnd())))
  })
})

describe('on every call, also of a certificate that is known', () => {
  const made = client([['uri', AGENT]])
  const header = escaped(made)

  it('its dates, with the tolerance of clocks', () => {
    const certificates = setUp()
    const cases: readonly [number, string | undefined][] = [
      [NOW, undefined],
      [NOW + DAY + 30_000, undefined],
      [NOW + DAY + 30_001, REFUSALS.expired],
      [NOW - DAY - 30_000, undefined],
      [NOW - DAY - 30_001, REFUSALS.notYetValid],
      [NOW, undefined],
    ]
    for (const [at, expected] of cases) {
      certificates.clock.at = at
      const answer = certificates.read(header)
      assert.equal('code' in answer ? refusal(answer) : undefined, expected, String(at - NOW))
    }
  })

  it('the dates of its authorities', () => {
    const short = makeAuthority({
      subject: 'short',
      issuer: root,
      notBefore: NOW - DAY / 2,
      notAfter: NOW + DAY / 2,
    })
    const leaf = escaped(makeClient(short, [['uri', AGENT]]))
    const certificates = setUp({ pem: root.pem + short.pem })
    assert.ok('fingerprint' in certificates.read(leaf))
    for (const at of [NOW + DAY / 2 + 30_001, NOW - DAY / 2 - 30_001]) {
      certificates.clock.at = at
      assert.equal(refusal(certificates.read(leaf)), REFUSALS.authorityExpired)
    }
  })

  it('an authority that was renewed with its key carries on where the old one ends', () => {
    const old = makeAuthority({ notAfter: NOW + DAY / 2 })
    const renewed = makeAuthority({ key: old.key, notBefore: NOW })
    const leaf = escaped(makeClient(old, [['uri', AGENT]]))
    const certificates = setUp({ pem: old.pem + renewed.pem })
    for (const at of [NOW - DAY / 2, NOW, NOW + DAY]) {
      certificates.clock.at = at
      assert.ok('fingerprint' in certificates.read(leaf))
    }
  })

  it('its fingerprint on the deny list', () => {
    const certificates = setUp()
    assert.ok('fingerprint' in certificates.read(header))
    certificates.revoke('fingerprint', hash('sha256', made.der, 'hex'))
    assert.deepEqual({ ...certificates.read(header) }, { code: 'token_revoked' })
  })

  it('its subject on the deny list', () => {
    const certificates = setUp()
    const certificate = certificates.read(header)
    assert.ok('fingerprint' in certificate)
    assert.ok('subject' in certificates.principal(certificate))
    certificates.revoke('subject', AGENT)
    assert.deepEqual({ ...certificates.principal(certificate) }, { code: 'token_revoked' })
  })
})

describe('whose certificate it is', () => {
  const principal = (made: x509.Made, map?: readonly MapRow[]) => {
    const certificates = setUp(map === undefined ? {} : { map })
    const certificate = certificates.read(escaped(made))
    assert.ok('fingerprint' in certificate, JSON.stringify(certificate))
    const found = certificates.principal(certificate)
    // Made once.
    assert.equal(certificates.principal(certificate), found)
    return found
  }

  it('a SPIFFE ID', () => {
    const made = client([['uri', AGENT]])
    assert.deepEqual(principal(made), {
      method: 'mtls',
      id: `mtls:${AGENT}`,
      subject: AGENT,
      issuer: undefined,
      client: undefined,
      tenant: 'acme',
      roles: ['agent'],
      scopes: ['ductape:read'],
      keyId: undefined,
      owner: undefined,
      tokenId: undefined,
      fingerprint: hash('sha256', made.der, 'hex'),
      spiffeId: AGENT,
      binding: 'mtls',
      actors: [],
      tools: undefined,
      rate: undefined,
      expiresAt: NOW + DAY,
    })
  })

  it('a DNS name, with a subject of the row', () => {
    const found = principal(
      client([
        ['dns', 'other.example.com'],
        ['dns', 'agent-7.example.com'],
      ]),
    )
    assert.ok('id' in found)
    assert.deepEqual(
      [found.id, found.subject, found.tenant, found.roles, found.spiffeId],
      ['mtls:agent-7.example.com', 'fleet', undefined, ['fleet'], undefined],
    )
  })

  it('the first row that fits', () => {
    const rows: MapRow[] = [
      { dns: 'agent-7.example.com', roles: ['first'], scopes: [] },
      { dns: '*.example.com', roles: ['second'], scopes: [] },
    ]
    const found = (name: string) => principal(client([['dns', name]]), rows)
    const seven = found('agent-7.example.com')
    const eight = found('agent-8.example.com')
    assert.ok('roles' in seven && 'roles' in eight)
    assert.deepEqual([seven.roles, eight.roles], [['first'], ['second']])
  })

  const strangers: readonly [string, x509.Made][] = [
    ['a deeper path', client([['uri', `${AGENT}/deeper`]])],
    ['a shorter path', client([['uri', 'spiffe://example.test/ns/agents/sa']])],
    ['another label', client([['dns', 'x.agent-7.example.com']])],
    ['a name that goes on', client([['dns', 'agent-7.example.com.evil.test']])],
    ['a star over two labels', client([['dns', 'agent-x.y.example.com']])],
    ['a DNS name in a URI', client([['uri', 'agent-7.example.com:a']])],
    // RFC 6125 and the common name: never an identity here.
    ['a common name only', client([], { subject: 'agent-7.example.com', extensions: [...x509.CLIENT] })],
    ['a common name that spells a name', client([['email', 'a@b.test']], { subject: `x, URI:${AGENT}` })],
  ]
  for (const [what, made] of strangers)
    it(`${what}: unmapped`, () => assert.equal(refusal(principal(made)), REFUSALS.unmapped))
})

describe('the name of the peer', () => {
  const request = (headers: Record<string, string>): HttpRequest => ({
    method: 'POST',
    path: '/mcp',
    query: '',
    headers,
    raw: [],
    read: () => Promise.resolve({ ok: true, body: Buffer.alloc(0) }),
  })
  const made = client([['uri', AGENT]])
  const stranger = makeClient(makeAuthority(), [['uri', AGENT]])
  const fingerprint = ({ der }: x509.Made) => hash('sha256', der, 'hex')

  it('the certificate before the address, also one that is refused', () => {
    const { peerOf } = setUp()
    const address = { 'x-real-ip': '192.0.2.7' }
    assert.equal(peerOf(request({ ...address, 'x-client-cert': escaped(made) })), fingerprint(made))
    assert.equal(peerOf(request({ 'x-client-cert': escaped(stranger) })), fingerprint(stranger))
    assert.equal(peerOf(request({ ...address, 'x-client-cert': 'nonsense' })), '192.0.2.7')
    assert.equal(peerOf(request({ ...address, 'x-client-cert': '' })), '192.0.2.7')
    assert.equal(peerOf(request({ 'x-real-ip': '2001:db8::1' })), '2001:db8::1')
  })

  it('nothing that is no address', () => {
    const { peerOf } = setUp()
    for (const address of [
      '',
      'localhost',
      '192.0.2.7, 192.0.2.8',
      '192.0.2',
      `fe80::1%${'x'.repeat(50)}`,
      '\n',
    ])
      assert.equal(peerOf(request({ 'x-real-ip': address })), 'unix', address)
    assert.equal(peerOf(request({})), 'unix')
    assert.equal(peerOf(request({ 'x-forwarded-for': '192.0.2.7', forwarded: 'for=192.0.2.7' })), 'unix')
  })
})

describe('whatever comes', () => {
  const seed = Number(process.env['SEED'] ?? 20261)

  it(`no text is thrown at, and no text but a certificate is taken (seed ${seed})`, () => {
    const { read, peerOf } = setUp()
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        refusal(read(text))
        refusal(read(encodeURIComponent(x509.pemOf(Buffer.from(text)))))
        assert.equal(
          typeof peerOf({ headers: { 'x-client-cert': text } } as unknown as HttpRequest),
          'string',
        )
      }),
      { seed, numRuns: 500 },
    )
  })

  it(`a certificate with any bit changed is refused (seed ${seed})`, () => {
    const { read } = setUp()
    const made = client([['uri', AGENT]])
    fc.assert(
      fc.property(fc.nat({ max: made.der.length * 8 - 1 }), (bit) => {
        const changed = Buffer.from(made.der)
        changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
        refusal(read(encodeURIComponent(x509.pemOf(changed))))
      }),
      { seed, numRuns: 1000 },
    )
  })

  it(`signed names never become more names than they are (seed ${seed})`, () => {
    const { read } = setUp()
    const hostile = fc.string({
      unit: fc.constantFrom('a', '.', ',', ' ', '"', "'", ':', '/', '\\', '\0', '\n', 'URI:', 'DNS:', AGENT),
      maxLength: 6,
    })
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('dns', 'uri'), hostile), { maxLength: 3 }), (names) => {
        const answer = read(escaped(client(names as x509.Names)))
        if ('code' in answer) return
        const of = (kind: string) => names.filter(([one]) => one === kind).map(([, name]) => name)
        assert.deepEqual(answer.uris, of('uri'))
        assert.deepEqual(
          answer.dnsNames,
          of('dns').map((name) => name.toLowerCase()),
        )
      }),
      { seed, numRuns: 200 },
    )
  })

  it('the cache is bounded, and a certificate that left it is simply read again', () => {
    const certificates = setUp()
    const header = escaped(client([['uri', AGENT]]))
    const before = certificates.read(header)
    for (let i = 0; i < 999; i++) certificates.read(`x${i}`)
    assert.equal(certificates.read(header), before)
    certificates.read('one more')
    const again = certificates.read(header)
    assert.notEqual(again, before)
    assert.deepEqual(again, before)
  })
})
