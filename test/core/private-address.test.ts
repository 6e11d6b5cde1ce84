// Private addresses in every spelling, and that nothing which is no address passes for a public one.
import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { isPrivateAddress } from '../../src/core/private-address.ts'

const SEED = Number(process.env['SEED'] ?? 20261122)

test('what is no address is private', () => {
  for (const text of [
    '',
    'x',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '256.1.1.1',
    '1:2',
    ':::',
    '1::2::3',
    '2a00::1%eth0',
    '8.8.8.8 ',
  ])
    assert.equal(isPrivateAddress(text), true, text)
})

test('a spelling changes nothing', () => {
  for (const text of [
    '8.8.8.8',
    '::ffff:8.8.8.8',
    '::FFFF:808:808',
    '0:0:0:0:0:ffff:8.8.8.8',
    '2606:4700:0:0:0:0:0:1111',
  ])
    assert.equal(isPrivateAddress(text), false, text)
  for (const text of ['::ffff:10.0.0.1', '0:0:0:0:0:ffff:a00:1', 'FE80::1', '0::1', '64:ff9b::8.8.8.8'])
    assert.equal(isPrivateAddress(text), true, text)
})

test('a public address is one to node:net as well', () => {
  const group = fc.oneof(
    fc.constantFrom('0', 'ffff', 'fe80', '2001', '64', 'ff9b'),
    fc.integer({ max: 0xffff, min: 0 }).map((n) => n.toString(16)),
  )
  const address = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.array(group, { minLength: 8, maxLength: 8 }).map((parts) => parts.join(':')),
  )
  let found = 0
  fc.assert(
    fc.property(address, (text) => {
      if (isPrivateAddress(text)) return
      found++
      assert.notEqual(isIP(text), 0)
    }),
    { seed: SEED, numRuns: 2000 },
  )
  assert.ok(found > 100)
})
