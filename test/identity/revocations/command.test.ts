// `ductape-mcp revoke`: writes to the store of the configuration, or says why not and what to do.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import { UsageError } from '../../../src/cli/io.ts'
import { REVOKE_HELP, revokeCommand } from '../../../src/cli/revoke.ts'
import type { Store } from '../../../src/core/store.ts'
import { capture } from '../../client/lib.ts'
import { run, temporary } from '../../lib/process.ts'
import { keyNamed } from '../apikey/lib.ts'
import { HOUR, NOW, world } from './lib.ts'

const SECRET = createHash('sha256').update('test').digest()
const HEX = 'ab'.repeat(32)

const FILES = {
  'config.yaml':
    'store: { redis: { url: "redis://127.0.0.1:6379/0" } }\nkeys: { fleet: { file: fleet.txt } }\n',
  'memory.yaml': 'keys: { fleet: { file: fleet.txt } }\n',
  'bare.yaml': 'store: { redis: { url: "redis://127.0.0.1:6379/0" } }\n',
  'bad.yaml': 'stores: {}\n',
  'fleet.txt': `k1 ${SECRET.toString('base64url')}\n`,
}

async function revoke(argv: readonly string[], store: Store = world().store) {
  const { io, out, err } = capture({}, FILES)
  let code: number
  let opened = 0
  try {
    code = await revokeCommand([...argv], io, {
      now: () => NOW,
      store: async () => {
        opened++
        return store
      },
    })
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    io.err(error.message)
    code = 2
  }
  return { code, out: out(), err: err(), opened }
}

const CONFIG = ['--config', 'config.yaml']

describe('revoke', () => {
  for (const [kind, value, until] of [
    ['jti', 'token-1', '2027-01-15T13:00:00Z'],
    ['subject', 'ada', '1h'],
    ['key', 'key-7f3a', '60m'],
    ['fingerprint', HEX.toUpperCase(), '1h'],
  ] as const)
    it(`reaches the replicas with a ${kind}`, async () => {
      const { store, replica, at } = world()
      const one = replica()
      await one.start()
      // The command closes its own connection, never that of a replica.
      const done = await revoke([kind, value, '--until', until, ...CONFIG], {
        ...store,
        close: async () => undefined,
      })
      assert.deepEqual([done.code, done.err], [0, ''])
      assert.match(
        done.out,
        /^Revoked: this \w+ is refused on all replicas within 5 seconds, until 2027-01-15T13:00:00\.000Z\.\n$/,
      )
      const stored = kind === 'fingerprint' ? HEX : value
      assert.equal(one.isRevoked(kind, stored), true)
      at(NOW + HOUR)
      assert.equal(one.isRevoked(kind, stored), false)
      one.close()
    })

  const wrong: readonly [what: string, argv: readonly string[], said: RegExp][] = [
    ['no kind', CONFIG, /Say what to revoke/],
    ['no value', ['jti', ...CONFIG], /Say what to revoke/],
    ['a word too many', ['jti', 'canary', 'canary', '--until', '1h', ...CONFIG], /Say what to revoke/],
    ['no end', ['jti', 'canary', ...CONFIG], /--until is missing/],
    ['an end that has been', ['jti', 'canary', '--until', '2020-01-01', ...CONFIG], /until must be/],
    ['an end in other words', ['jti', 'canary', '--until', 'tomorrow', ...CONFIG], /until must be/],
    ['an end too far away', ['jti', 'canary', '--until', '367d', ...CONFIG], /more than 366 days/],
    [
      'an unknown kind',
      ['canary', 'x', '--until', '1h', ...CONFIG],
      /kind must be one of jti, subject, key, fingerprint/,
    ],
    ['no fingerprint', ['fingerprint', 'canary', '--until', '1h', ...CONFIG], /SHA-256 in hex/],
    ['the key itself', ['key', keyNamed('canary'), '--until', '1h', ...CONFIG], /API key itself/],
    [
      'a configuration that does not hold',
      ['jti', 'canary', '--until', '1h', '--config', 'bad.yaml'],
      /stores is not a known key/,
    ],
    [
      'a configuration without Redis',
      ['jti', 'canary', '--until', '1h', '--config', 'memory.yaml'],
      /no store\.redis.*\n.*live\/revocations\.yaml/,
    ],
    ['no configuration', ['jti', 'canary', '--until', '1h'], /no store\.redis/],
    [
      'no shared fleet key',
      ['jti', 'canary', '--until', '1h', '--config', 'bare.yaml'],
      /without keys\.fleet/,
    ],
  ]
  for (const [what, argv, said] of wrong)
    it(`with ${what} says so, and opens nothing`, async () => {
      const done = await revoke(argv)
      assert.deepEqual([done.code, done.out, done.opened], [2, '', 0])
      assert.match(done.err, said)
      assert.ok(!done.err.includes('canary') && !done.err.includes(keyNamed('canary').slice(5)))
    })

  it('with a store that cannot be reached or is full ends with 1', async () => {
    const { store } = world()
    const full = await revoke(['jti', 'canary', '--until', '1h', ...CONFIG], {
      ...store,
      indexAdd: async () => false,
    })
    assert.deepEqual([full.code, full.out], [1, ''])
    assert.match(full.err, /takes no more; write it in live\/revocations\.yaml/)
    await store.close()
    const away = await revoke(['jti', 'canary', '--until', '1h', ...CONFIG], store)
    assert.deepEqual([away.code, away.out], [1, ''])
    assert.match(away.err, /the store cannot be reached\. Repeat it, or write it in live\/revocations\.yaml/)
  })

  it('says how it is used', async () => {
    assert.equal((await revoke(['--help'])).out, REVOKE_HELP)
  })
})

it('as a process, with a Redis that is not there, it ends by itself and says why', async () => {
  const folder = temporary()
  try {
    const fleet = folder.file('fleet.txt', FILES['fleet.txt'])
    // Port 1 takes no connections.
    const config = folder.file(
      'config.yaml',
      `store: { redis: { url: "redis://127.0.0.1:1/0" } }\nkeys: { fleet: { file: ${JSON.stringify(fleet)} } }\n`,
    )
    const done = await run(['revoke', 'jti', 'canary', '--until', '1h', '--config', config])
    assert.deepEqual([done.code, done.stdout], [1, ''])
    assert.match(done.stderr, /^Nothing was revoked: the store cannot be reached \(ECONNREFUSED\)\./)
    const usage = await run(['revoke', 'key', keyNamed('canary'), '--until', '1h', '--config', config])
    assert.equal(usage.code, 2)
    assert.ok(![done.stderr, usage.stderr].join().includes(keyNamed('canary').slice(5)))
  } finally {
    folder.remove()
  }
})
