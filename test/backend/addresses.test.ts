// The service connects to no private address unless the configured host is one; judged on the connected socket, so no answer of DNS can go around it.
import assert from 'node:assert/strict'
import dns from 'node:dns'
import { test } from 'node:test'
import { isPrivateAddress } from '../../src/core/private-address.ts'
import { dial } from '../../src/outbound.ts'
import { startApp } from '../lib/app.ts'
import { callTool, EXECUTE, textOf } from '../lib/calls.ts'
import { type KeepingServer, startKeeping } from './lib/servers.ts'

const PRIVATE: Readonly<Record<string, readonly string[]>> = {
  'this network (RFC 1122)': ['0.0.0.0', '0.1.2.3'],
  'private use (RFC 1918)': [
    '10.0.0.0',
    '10.255.255.255',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.0.1',
    '192.168.255.255',
  ],
  'shared address space (RFC 6598)': ['100.64.0.1', '100.127.255.255'],
  loopback: ['127.0.0.1', '127.255.255.254', '::1'],
  'link local and cloud metadata': [
    '169.254.169.254',
    '169.254.170.2',
    '169.254.0.1',
    'fe80::1',
    'febf::1',
    'fd00:ec2::254',
    '168.63.129.16',
  ],
  'IETF protocol assignments (RFC 6890)': ['192.0.0.1', '192.0.0.192', '2001::1', '2001:1ff:ffff::1'],
  'documentation (RFC 5737, 3849, 9637)': [
    '192.0.2.1',
    '198.51.100.1',
    '203.0.113.1',
    '2001:db8::1',
    '3fff::1',
  ],
  '6to4 (RFC 3056, 7526)': ['192.88.99.1', '2002:7f00:1::', '2002:a9fe:a9fe::1'],
  'benchmarking (RFC 2544)': ['198.18.0.1', '198.19.255.255'],
  multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1'],
  'reserved and broadcast': ['240.0.0.1', '255.255.255.255'],
  unspecified: ['::'],
  'IPv4-mapped (RFC 4291)': [
    '::ffff:10.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    '::ffff:169.254.169.254',
    '0:0:0:0:0:ffff:c0a8:1',
  ],
  'IPv4-compatible (RFC 4291)': ['::127.0.0.1', '::10.0.0.1'],
  'IPv4-translated (RFC 2765)': ['::ffff:0:127.0.0.1'],
  'NAT64 (RFC 6052, 8215)': ['64:ff9b::7f00:1', '64:ff9b::169.254.169.254', '64:ff9b:1::1'],
  'discard only (RFC 6666)': ['100::1'],
  'segment routing (RFC 9602)': ['5f00::1'],
  'unique local (RFC 4193)': ['fc00::1', 'fd12:3456::1', 'fdff:ffff::1'],
  'site local (RFC 3879)': ['fec0::1', 'feff::1'],
  'no address at all': ['', 'localhost', '10.0.0', '1.2.3.4.5', '0x7f.1', 'fe80::1%eth0%1'],
}

const PUBLIC = [
  '1.1.1.1',
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.1',
  '169.253.255.255',
  '169.255.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '192.0.1.1',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '223.255.255.255',
  '2001:4860:4860::8888',
  '2606:4700:4700::1111',
  '2a00::1',
  'fbff::1',
  '::ffff:8.8.8.8',
]

for (const [family, addresses] of Object.entries(PRIVATE)) {
  test(`private: ${family}`, () => {
    assert.deepEqual(
      addresses.filter((address) => !isPrivateAddress(address)),
      [],
    )
  })
}

test('public addresses, up to the edges of the private ones', () => {
  assert.deepEqual(
    PUBLIC.filter((address) => isPrivateAddress(address)),
    [],
  )
})

/** A service whose backend has this host name; the name resolves to this machine. */
async function callBackendNamed(host: string, server: KeepingServer): Promise<string> {
  const origin = `http://${host}:${server.port}`
  const backend = await dial('backend', {
    origin,
    connections: 1,
    ca: undefined,
    proxy: undefined,
    connectTimeout: 5000,
  })
  const app = await startApp({ backend, config: { backend: { url: origin, timeout: 5000 } } })
  try {
    return textOf(await callTool(app.url, 'ductape_execute', EXECUTE))
  } finally {
    await app.close()
  }
}

type LookupCallback = (error: Error | null, addresses: { address: string; family: number }[]) => void

test('a name that resolves to a private address gets no request', async (t) => {
  const server = await startKeeping()
  t.after(() => server.close())
  const asked: string[] = []
  const lookup = dns.lookup
  t.mock.method(dns, 'lookup', (host: string, options: object, done: LookupCallback) => {
    if (!host.endsWith('.example')) return lookup(host, options as dns.LookupAllOptions, done as never)
    asked.push(host)
    process.nextTick(() => done(null, [{ address: '127.0.0.1', family: 4 }]))
  })
  assert.equal(
    await callBackendNamed('backend.example', server),
    'Error: [backend_unreachable] The Ductape backend could not be reached; nothing was sent.',
  )
  assert.deepEqual(asked, ['backend.example'])
  assert.equal(server.requests.length, 0)
  // The connection itself was there: it is the address that was refused, not the name that was not found.
  assert.equal(server.connections(), 1)
})

for (const host of ['127.0.0.1', 'localhost']) {
  test(`a configured host that is private itself is asked: ${host}`, async (t) => {
    const server = await startKeeping()
    t.after(() => server.close())
    assert.match(await callBackendNamed(host, server), /"ok": true/)
    assert.equal(server.requests.length, 1)
  })
}
