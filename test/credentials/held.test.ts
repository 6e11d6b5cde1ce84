// Held keys: each tenant its own and nobody another's, the last good one through every kind of bad file, and swaps in the middle of a call.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { createFileWatcher } from '../../src/config/watch.ts'
import { makePrincipal } from '../../src/core/principal.ts'
import { REDACTED } from '../../src/core/text.ts'
import type { HeldKeys } from '../../src/credentials/held.ts'
import { createCredentials } from '../../src/credentials/index.ts'
import { createFleetHolder, credentialId, loadFleet } from '../../src/keys/index.ts'
import { both, testCredentials } from './lib/keys.ts'

const SEED = Number(process.env['CREDENTIALS_SEED'] ?? 20260728)
const P1 = 'pk_live_first_0123456789'
const P2 = 'pk_live_second_0123456789'
const U1 = 'pub_first_0123456789'
const U2 = 'pub_second_0123456789'

const fleetFile = (...ids: string[]): string =>
  ids
    .map(
      (id) =>
        `${id} ${Buffer.from(Array.from({ length: 32 }, (_, i) => (i * 7 + id.charCodeAt(1)) & 255)).toString('base64')}`,
    )
    .join('\n')
function fleetHolder(...ids: string[]) {
  const file = loadFleet(fleetFile(...ids))
  assert.ok(file.ok)
  return createFleetHolder(file.keys, true)
}

/** Those of the keys that would not stand in an answer. */
const replaced = (held: Pick<HeldKeys, 'redactor'>, ...keys: string[]): string[] =>
  keys.filter((key) => held.redactor()?.text(`the key ${key}.`) === `the key ${REDACTED}.`)

describe('a key file', () => {
  test('is the key of its tenant and tool, by its id; white space around it does not count', () => {
    const { fleet } = fleetHolder('k1')
    const held = testCredentials({ tenants: { acme: both('acme') } }, fleet)
    held.put('acme/publishable', ` \n${P1}\r\n`)
    const id = credentialId(fleet, P1)
    assert.equal(held.heldId('acme', 'publishableKey'), id)
    assert.deepEqual(held.heldCredential('acme', 'publishableKey', id), {
      publishableKey: P1,
      publicKey: undefined,
      workspaceId: 'ws_acme',
      userId: 'usr_acme',
    })
    assert.equal(held.heldId('acme', 'publicKey'), undefined)
    assert.equal(held.heldCredential('acme', 'publicKey', id), undefined, 'the id of the other key')
    assert.equal(held.heldCredential('acme', 'publicKey', undefined), undefined)
    assert.equal(held.heldCredential('acme', 'publishableKey', undefined), undefined)
    assert.deepEqual(replaced(held, P1, U1), [P1])
    held.put('acme/public', U1)
    assert.equal(held.heldCredential('acme', 'publicKey', credentialId(fleet, U1))?.publishableKey, undefined)
    assert.deepEqual(replaced(held, P1, U1), [P1, U1])
    assert.deepEqual(held.events, [
      { event: 'credential_loaded', tenant: 'acme', key: 'publishableKey' },
      { event: 'credential_loaded', tenant: 'acme', key: 'publicKey' },
    ])
  })

  for (const [what, text, reason] of [
    ['gone', undefined, 'gone'],
    ['empty', '', 'empty'],
    ['white space', ' \n\n', 'empty'],
    ['cut short', 'pk_live_fir', 'malformed'],
    ['of two lines', `${P2}\n${P2}`, 'malformed'],
    ['with a space', `${P2} x`, 'malformed'],
    ['binary', Buffer.from([0xff, 0xfe, ...Buffer.from(P2)]), 'malformed'],
    ['with a NUL', `${P2}\0`, 'malformed'],
    ['too long a key', 'k'.repeat(513), 'malformed'],
    ['large', 'k'.repeat(1025), 'too_large'],
  ] as const) {
    test(`that is ${what} keeps the last good key and says so`, () => {
      const held = testCredentials({ tenants: { acme: both('acme') } })
      held.put('acme/publishable', P1)
      const id = held.heldId('acme', 'publishableKey')
      held.put('acme/publishable', text)
      assert.equal(held.heldId('acme', 'publishableKey'), id)
      assert.equal(held.heldCredential('acme', 'publishableKey', id)?.publishableKey, P1)
      assert.deepEqual(held.events.at(-1), {
        event: 'credential_refused',
        tenant: 'acme',
        key: 'publishableKey',
        reason,
      })
      assert.deepEqual(held.status(), { lacking: ['acme'], stale: ['acme'] })
      held.put('acme/publishable', P2)
      held.put('acme/public', U1)
      assert.deepEqual(held.status(), { lacking: [], stale: [] })
      assert.ok(!JSON.stringify(held.events).includes('live'), 'no event holds a key')
    })

    test(`that is ${what} from the start leaves the tenant without one`, () => {
      const held = testCredentials({ tenants: { acme: both('acme'), beta: both('beta') } })
      held.put('acme/publishable', text)
      assert.equal(held.redactor(), undefined, 'there is nothing to replace')
      held.put('beta/publishable', P1)
      assert.equal(held.heldId('acme', 'publishableKey'), undefined)
      assert.deepEqual(held.status(), { lacking: ['acme', 'beta'], stale: [] })
    })
  }

  test('with the same key in other white space is no change', () => {
    const held = testCredentials({ tenants: { acme: both('acme') } })
    held.put('acme/publishable', P1)
    held.put('acme/publishable', `${P1}\n`)
    assert.equal(held.events.length, 1)
  })
})

describe('a swap', () => {
  test('of both files: new calls have the new keys, and calls judged before it still find theirs', () => {
    const held = testCredentials({ tenants: { acme: both('acme') } })
    held.put('acme/publishable', P1)
    held.put('acme/public', U1)
    const before = {
      publishable: held.heldId('acme', 'publishableKey'),
      public: held.heldId('acme', 'publicKey'),
    }
    held.put('acme/publishable', P2)
    held.put('acme/public', U2)
    assert.equal(held.heldCredential('acme', 'publishableKey', before.publishable)?.publishableKey, P1)
    assert.equal(held.heldCredential('acme', 'publicKey', before.public)?.publicKey, U1)
    const now = held.heldId('acme', 'publishableKey')
    assert.notEqual(now, before.publishable)
    assert.equal(held.heldCredential('acme', 'publishableKey', now)?.publishableKey, P2)
    assert.deepEqual(replaced(held, P1, P2, U1, U2), [P1, P2, U1, U2])
    held.put('acme/publishable', 'pk_live_third_0123456789')
    assert.equal(held.heldCredential('acme', 'publishableKey', before.publishable), undefined)
    assert.deepEqual(replaced(held, P1, P2), [P2], 'no more than one generation is kept')
  })

  test('is prepared for once, not for each call', () => {
    const held = testCredentials({ tenants: { acme: both('acme'), beta: both('beta') } })
    held.put('acme/publishable', P1)
    const first = held.redactor()
    for (const tenant of ['acme', 'beta']) held.heldId(tenant, 'publishableKey')
    held.put('acme/publishable', `${P1}\n`)
    held.put('acme/publishable', '')
    assert.equal(held.redactor(), first, 'no key has come')
    held.put('beta/publishable', P2)
    assert.notEqual(held.redactor(), first)
    assert.deepEqual(replaced(held, P1, P2), [P1, P2])
  })

  test('of the fleet key: new ids for the same keys, the old ones still found', () => {
    const { fleet, reload } = fleetHolder('k1')
    const held = testCredentials({ tenants: { acme: both('acme') } }, fleet)
    held.put('acme/publishable', P1)
    const old = held.heldId('acme', 'publishableKey')
    assert.equal(reload(fleetFile('k2', 'k1')), undefined)
    const id = held.heldId('acme', 'publishableKey')
    assert.equal(id, credentialId(fleet, P1))
    assert.match(id as string, /^k2\./)
    for (const one of [old, id])
      assert.equal(held.heldCredential('acme', 'publishableKey', one)?.publishableKey, P1)
    assert.deepEqual(replaced(held, P1), [P1])
  })

  test('of the fleet key and then of the file: the call of before still finds its key', () => {
    const { fleet, reload } = fleetHolder('k1')
    const held = testCredentials({ tenants: { acme: both('acme') } }, fleet)
    held.put('acme/publishable', P1)
    const old = held.heldId('acme', 'publishableKey')
    reload(fleetFile('k2', 'k1'))
    held.put('acme/publishable', P2)
    assert.equal(held.heldCredential('acme', 'publishableKey', old)?.publishableKey, P1)
    assert.equal(held.heldId('acme', 'publishableKey'), credentialId(fleet, P2))
    assert.deepEqual(replaced(held, P1, P2), [P1, P2])
  })

  test('by the symlinks of a mounted Secret is seen at the next look, in one step for both files', async () => {
    const root = mkdtempSync(path.join(os.tmpdir(), 'held-'))
    const swap = (name: string, keys: { publishable: string; public: string }): void => {
      mkdirSync(path.join(root, name))
      for (const [file, key] of Object.entries(keys)) writeFileSync(path.join(root, name, file), key)
      symlinkSync(name, path.join(root, '..data_tmp'))
      renameSync(path.join(root, '..data_tmp'), path.join(root, '..data'))
    }
    try {
      swap('..2026_1', { publishable: P1, public: U1 })
      for (const file of ['publishable', 'public'])
        symlinkSync(path.join('..data', file), path.join(root, file))
      const watcher = createFileWatcher({
        stamp: async (file) => {
          const { ino, mtimeMs, size } = await stat(file)
          return `${ino} ${mtimeMs} ${size}`
        },
        read: (file) => readFile(file),
      })
      const held = testCredentials({
        tenants: {
          acme: {
            ...both('acme'),
            publishableKey: { file: path.join(root, 'publishable') },
            publicKey: { file: path.join(root, 'public') },
          },
        },
      })
      for (const file of held.files) watcher.watch(file.path, file.apply)
      await watcher.look()
      assert.deepEqual(replaced(held, P1, U1), [P1, U1])
      swap('..2026_2', { publishable: P2, public: U2 })
      await watcher.look()
      const id = held.heldId('acme', 'publishableKey')
      assert.equal(held.heldCredential('acme', 'publishableKey', id)?.publishableKey, P2)
      assert.equal(held.events.filter(({ event }) => event === 'credential_replaced').length, 2)
      rmSync(path.join(root, '..data'))
      await watcher.look()
      assert.equal(
        held.heldId('acme', 'publishableKey'),
        id,
        'a folder that is gone keeps the last good keys',
      )
      assert.deepEqual(held.status().stale, ['acme'])
    } finally {
      rmSync(root, { recursive: true })
    }
  })
})

/** Names that something could confuse with one another, or with a member of an object. */
const HARD = [
  'acme', 'ACME', 'Acme', 'acme ', ' acme', 'acme\0', 'acme.', 'acme/..', 'аcme', 'ａｃｍｅ', 'acmé', 'acme\u0301',
  '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf', 'undefined', 'null', '', '*', 'default',
] // biome-ignore format: a list
const name = fc.oneof(
  fc.constantFrom(...HARD),
  fc.string({ maxLength: 6 }),
  fc.mixedCase(fc.constantFrom('acme', 'tenant')),
)

describe('whose key', () => {
  test(`a tenant has its own keys or none, whatever tenants are called (seed ${SEED})`, () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(name, { minLength: 1, maxLength: 8 }),
        fc.array(name, { maxLength: 8 }),
        (names, others) => {
          const credentials = createCredentials(
            { mode: 'injected', tenants: Object.fromEntries(names.map((one, i) => [one, both(String(i))])) },
            { fleet: fleetHolder('k1').fleet, onEvent: () => undefined },
          )
          const keyOf = (index: number, generation: number): string =>
            `pk_live_${index}_of_${generation}_0123456789`
          const indexOf = (file: string): number => Number(file.split('/')[0])
          for (const generation of [1, 2]) {
            for (const file of credentials.files) {
              if (file.path.endsWith('publishable'))
                file.apply({ bytes: Buffer.from(keyOf(indexOf(file.path), generation)) })
            }
            for (const [i, one] of names.entries()) {
              const id = credentials.heldId(one, 'publishableKey')
              assert.equal(
                credentials.heldCredential(one, 'publishableKey', id)?.publishableKey,
                keyOf(i, generation),
              )
              for (const other of names)
                if (other !== one)
                  assert.equal(credentials.heldCredential(other, 'publishableKey', id), undefined)
              assert.deepEqual(replaced(credentials, keyOf(i, generation)), [keyOf(i, generation)])
            }
            for (const stranger of [undefined, ...others]) {
              if (stranger !== undefined && names.includes(stranger)) continue
              assert.equal(credentials.heldId(stranger, 'publishableKey'), undefined)
              for (const one of names) {
                const id = credentials.heldId(one, 'publishableKey')
                assert.equal(credentials.heldCredential(stranger, 'publishableKey', id), undefined)
              }
            }
          }
        },
      ),
      { seed: SEED, numRuns: 200 },
    )
  })
})

describe('modes and bound keys', () => {
  const ID = `k1.${'A'.repeat(43)}`
  const OTHER = `k1.${'B'.repeat(43)}`
  const caller = (tenant: string | undefined) =>
    makePrincipal({
      method: 'api-key',
      id: 'api-key:a',
      subject: 'a',
      ...(tenant !== undefined && { tenant }),
    })

  test('a tenant has its own mode, every other caller the general one', () => {
    for (const [mode, other] of [
      ['passthrough', 'injected'],
      ['injected', 'passthrough'],
    ] as const) {
      const { modeOf } = testCredentials({ mode, tenants: { acme: { mode: other }, beta: {} } })
      assert.equal(modeOf('acme'), other)
      for (const tenant of ['beta', 'ACME', '__proto__', 'constructor', undefined])
        assert.equal(modeOf(tenant), mode)
    }
  })

  test('a bound tenant may present its keys and no other; the rest any', () => {
    const { allowed } = testCredentials({
      mode: 'passthrough',
      tenants: { acme: { credentialIds: [ID] }, none: { credentialIds: [] }, free: {} },
    })
    assert.equal(allowed(caller('acme'), ID), true)
    assert.equal(allowed(caller('acme'), OTHER), false)
    assert.equal(allowed(caller('acme'), undefined), false)
    assert.equal(allowed(caller('none'), ID), false)
    for (const tenant of ['free', 'ACME', 'constructor', undefined])
      assert.equal(allowed(caller(tenant), OTHER), true)
  })

  test('injected: what is held is allowed, and no file is watched for a tenant that brings its keys', () => {
    const held = testCredentials({
      mode: 'passthrough',
      tenants: { acme: { mode: 'injected', ...both('acme') }, beta: {} },
    })
    assert.deepEqual(
      held.files.map((file) => file.path),
      ['acme/publishable', 'acme/public'],
    )
    assert.equal(held.allowed(caller('acme'), ID), true)
  })
})
