// scripts/certs: what it makes fits nginx and the clients, it leaves alone what is there, and shellcheck has nothing to say about it.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { complete } from './lib/process.ts'
import { path, ROOT, unless } from './lib/tools.ts'

describe('scripts/certs', { skip: unless('openssl') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-made-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  const certs = (...args: string[]) => complete(join(ROOT, 'scripts/certs'), [join(folder, 'c'), ...args])
  const read = (file: string): X509Certificate => new X509Certificate(readFileSync(join(folder, 'c', file)))
  const text = (): string =>
    readdirSync(join(folder, 'c'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
      .join()

  test('an authority, a server, a client with a SPIFFE ID, an empty list; keys for nobody else', async () => {
    const { code, stderr } = await certs('--host', 'mcp.example.test', '--host', '10.0.0.1')
    assert.equal(code, 0, stderr)
    const ca = read('client-ca/ca.crt')
    const server = read('tls/tls.crt')
    const client = read('clients/agent-1/tls.crt')
    assert.equal(server.subjectAltName, 'DNS:mcp.example.test, IP Address:10.0.0.1')
    assert.equal(client.subjectAltName, 'URI:spiffe://example.test/ns/agents/sa/agent-1')
    assert.deepEqual(server.keyUsage, ['1.3.6.1.5.5.7.3.1'])
    assert.deepEqual(client.keyUsage, ['1.3.6.1.5.5.7.3.2'])
    for (const one of [server, client]) {
      assert.ok(one.verify(ca.publicKey))
      assert.equal(one.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
      assert.equal(one.ca, false)
      assert.equal((Date.parse(one.validTo) - Date.parse(one.validFrom)) / 86_400_000, 90)
    }
    for (const key of ['ca/ca.key', 'tls/tls.key', 'clients/agent-1/tls.key'])
      assert.equal(statSync(join(folder, 'c', key)).mode & 0o777, 0o600, key)
    assert.match(readFileSync(join(folder, 'c/crl/crl.pem'), 'utf8'), /BEGIN X509 CRL/)
  })

  test('again: nothing changes; other names, a client of the same name or another trust domain are refused', async () => {
    const before = text()
    for (const args of [[], ['--host', 'mcp.example.test', '--host', '10.0.0.1']])
      assert.equal((await certs(...args)).code, 0)
    for (const [args, message] of [
      [['--host', 'other.example.test'], /there already, with other names/],
      [['client', 'agent-1'], /take another name/],
      [['--trust-domain', 'other.test'], /is for example\.test/],
      [['client', 'a/../b'], /small letters/],
      [['revoke', 'nobody'], /is not there/],
      [['--host', 'a b'], /not a host name/],
      [['--unknown', 'x'], /is unknown/],
    ] as const) {
      const { code, stderr } = await certs(...args)
      assert.equal(code, 1, args.join(' '))
      assert.match(stderr, message)
    }
    assert.equal(text(), before)
  })

  test('a client is revoked, a server certificate replaced', async () => {
    assert.equal((await certs('client', 'reporter')).code, 0)
    assert.equal((await certs('revoke', 'reporter')).code, 0)
    const list = await complete(path('openssl'), [
      'crl',
      '-in',
      join(folder, 'c/crl/crl.pem'),
      '-noout',
      '-text',
    ])
    assert.match(list.stdout, new RegExp(`Serial Number: ${read('clients/reporter/tls.crt').serialNumber}`))
    const serial = read('tls/tls.crt').serialNumber
    assert.equal((await certs('server')).code, 0)
    assert.notEqual(read('tls/tls.crt').serialNumber, serial)
    assert.equal(read('tls/tls.crt').subjectAltName, 'DNS:localhost, IP Address:127.0.0.1')
  })
})

test('shellcheck: nginx/entrypoint and scripts/certs', { skip: unless('shellcheck') }, async () => {
  const files = ['nginx/entrypoint', 'scripts/certs'].map((file) => join(ROOT, file))
  const { code, stdout } = await complete(path('shellcheck'), ['--shell=sh', ...files])
  assert.equal(code, 0, stdout)
})
