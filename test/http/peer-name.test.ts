// Who counts as one peer before anybody is known.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { bucketName, createPeerBucket } from '../../src/http/peer-bucket.ts'

describe('the name of a peer bucket', () => {
  for (const [peer, name] of [
    ['unix', 'unix'],
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:0:12::1', '2001:db8:0:12::/64'],
    ['2001:0DB8:0:12:ffff::', '2001:db8:0:12::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['a:b', 'a:b'],
  ] as const)
    it(`${peer} counts as ${name}`, () => assert.equal(bucketName(peer), name))

  it('is the same for all addresses of a /64 and another for the next', () => {
    const low = fc.array(fc.integer({ min: 1, max: 0xffff }), { minLength: 4, maxLength: 4 })
    fc.assert(
      fc.property(low, low, fc.integer({ min: 1, max: 0xfffe }), (a, b, net) => {
        const address = (group: number, rest: number[]): string =>
          ['2001', 'db8', '1', group.toString(16), ...rest.map((one) => one.toString(16))].join(':')
        assert.equal(bucketName(address(net, a)), bucketName(address(net, b)))
        assert.notEqual(bucketName(address(net, a)), bucketName(address(net + 1, a)))
      }),
      { seed: 64 },
    )
  })
})

it('a host cannot get a new bucket with each of its IPv6 addresses', () => {
  const bucket = createPeerBucket({ perMinute: 60, burst: 2, tick: () => 0 })
  const waits = ['2001:db8::1', '2001:db8::2', '2001:db8::3'].map((peer) => bucket.take(peer))
  assert.deepEqual(
    waits.map((wait) => wait > 0),
    [false, false, true],
  )
  assert.equal(bucket.size(), 1)
})
