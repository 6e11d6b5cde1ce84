// The file of fleet keys: its one form, what is refused without a key in the message, and what a reload keeps.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  bootKeys,
  createFleet,
  createFleetHolder,
  credentialId,
  type FleetKeys,
  loadFleet,
  modeWarning,
  prepareCredentialId,
} from '../../src/keys/index.ts'

const SEED = Number(process.env['FLEET_SEED'] ?? 20260728)
const bytes = (start: number, length = 32): Buffer =>
  Buffer.from(Array.from({ length }, (_, i) => (start + i * 7) & 255))
const A = bytes(1)
const B = bytes(90)
const url = (key: Buffer): string => key.toString('base64url')

function keysOf(text: string): FleetKeys {
  const file = loadFleet(text)
  assert.ok(file.ok, file.ok ? '' : file.message)
  return file.keys
}
const refusal = (text: string): string => {
  const file = loadFleet(text)
  assert.ok(!file.ok, 'is accepted')
  return file.message
}

describe('the file', () => {
  test('one key a line in order; comments, blank lines and line ends of any kind', () => {
    const text = `# fleet keys\r\n\nk2 ${url(B)} # since May\r\n\t k1\t${url(A)}  \n`
    assert.deepEqual(keysOf(text), [
      { id: 'k2', secret: B },
      { id: 'k1', secret: A },
    ])
  })

  test('both base64 alphabets, with and without padding', () => {
    const key = Buffer.concat([Buffer.from([0xfb, 0xff, 0xfe]), bytes(3, 30)])
    for (const encoding of ['base64', 'base64url'] as const) {
      for (const length of [31, 32, 33].map((n) => key.subarray(0, n)).filter((k) => k.length > 31))
        assert.deepEqual(keysOf(`k1 ${length.toString(encoding)}`)[0].secret, length)
    }
  })

  for (const [what, text, message] of [
    ['nothing', '', 'holds no key'],
    ['comments only', '# k1 secret\n', 'holds no key'],
    ['no id', url(A), 'line 1: is not of the form "k1 BASE64"'],
    ['more than two words', `k1 ${url(A)} more`, 'line 1: is not of the form "k1 BASE64"'],
    ['a capital id', `K1 ${url(A)}`, 'line 1: the id must have 1 to 16 characters of a-z and 0-9'],
    [
      'a long id',
      `${'k'.repeat(17)} ${url(A)}`,
      'line 1: the id must have 1 to 16 characters of a-z and 0-9',
    ],
    ['an id with a dot', `k.1 ${url(A)}`, 'line 1: the id must have 1 to 16 characters of a-z and 0-9'],
    [
      'the id of the boot key',
      `boot ${url(A)}`,
      'line 1: the id boot is taken by the key that is made without a file',
    ],
    ['no base64', `\nk1 ${url(A)}!`, 'line 2: the key k1 is not base64'],
    [
      'base64 with loose bits',
      'k1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB',
      'line 1: the key k1 is not base64',
    ],
    [
      '31 bytes',
      `k1 ${url(bytes(1, 31))}`,
      'line 1: the key k1 must have 32 to 512 bytes; "openssl rand -base64 32" makes one',
    ],
    [
      '513 bytes',
      `k1 ${url(bytes(1, 513))}`,
      'line 1: the key k1 must have 32 to 512 bytes; "openssl rand -base64 32" makes one',
    ],
    [
      'zeros',
      `k1 ${url(Buffer.alloc(32))}`,
      'line 1: the key k1 is not random; "openssl rand -base64 32" makes one',
    ],
    ['an id twice', `k1 ${url(A)}\nk1 ${url(B)}`, 'line 2: the id k1 stands twice'],
    ['a key twice', `k1 ${url(A)}\nk2 ${url(A)}`, 'line 2: k2 is the same key as k1'],
    ['one bad line among good ones', `k1 ${url(A)}\nk2 short`, 'line 2: the key k2 is not base64'],
    [
      'too many keys',
      Array.from({ length: 17 }, (_, i) => `k${i} ${url(bytes(i * 3))}`).join('\n'),
      'has more than 16 keys',
    ],
    ['too much text', `k1 ${url(A)}\n${'#'.repeat(17_000)}`, 'is larger than 16 KiB'],
    ['YAML', `- k1: ${url(A)}`, 'line 1: is not of the form "k1 BASE64"'],
  ] as const) {
    test(`${what} is refused`, () => assert.equal(refusal(text), message))
  }

  test(`no text makes it throw, and no message holds a key (seed ${SEED})`, () => {
    const line = fc.tuple(fc.string({ maxLength: 20 }), fc.base64String({ minLength: 8, maxLength: 60 }))
    fc.assert(
      fc.property(fc.array(line, { maxLength: 5 }), (lines) => {
        const file = loadFleet(lines.map((words) => words.join(' ')).join('\n'))
        if (!file.ok) for (const [, key] of lines) assert.ok(!file.message.includes(key))
      }),
      { seed: SEED, numRuns: 500 },
    )
  })

  test('a mode that lets everybody read it is worth a warning', () => {
    for (const mode of [0o100600, 0o100400, 0o100440, 0o100640]) assert.equal(modeWarning(mode), undefined)
    for (const mode of [0o100644, 0o100604, 0o100602, 0o100777])
      assert.match(modeWarning(mode) ?? '', /0600 or 0440/)
  })
})

describe('reload', () => {
  const TEXT = `k1 ${url(A)}`
  const start = () => createFleetHolder(keysOf(TEXT), true)

  test('a new first key is used at once, and what the old one made is still accepted', () => {
    const { fleet, reload } = start()
    const [mac, sealed] = [fleet.mac('store-auth', 'x'), fleet.seal('text', 'c')]
    assert.equal(reload(`k2 ${url(B)}\nk1 ${url(A)}`), undefined)
    assert.deepEqual(fleet.ids, ['k2', 'k1'])
    assert.match(fleet.mac('store-auth', 'x'), /^k2\./)
    assert.ok(fleet.verify('store-auth', 'x', mac))
    assert.equal(fleet.open(sealed, 'c'), 'text')
    assert.equal(reload(`k2 ${url(B)}`), undefined)
    assert.equal(fleet.verify('store-auth', 'x', mac), false)
  })

  for (const [what, text, fault] of [
    ['gone', undefined, 'is gone or cannot be read'],
    ['empty', '', 'holds no key'],
    ['cut', TEXT.slice(0, -1), 'line 1: the key k1 is not base64'],
    ['cut to fewer bytes', TEXT.slice(0, -3), 'line 1: the key k1 must have 32'],
    ['of another key under the same id', `k1 ${url(B)}`, 'the key k1 has changed; give a new key a new id'],
  ] as const) {
    test(`a file that is ${what} keeps the last good one`, () => {
      const { fleet, reload } = start()
      const mac = fleet.mac('store-auth', 'x')
      assert.ok(reload(text)?.startsWith(fault))
      assert.equal(fleet.mac('store-auth', 'x'), mac)
    })
  }
})

describe('credential ids', () => {
  const KEY = 'pk_live_0123456789abcdef'

  test('known and new keys have the id that the fleet gives; a new fleet key changes it at once', () => {
    const { fleet, reload } = createFleetHolder(keysOf(`k1 ${url(A)}`), true)
    const idOf = prepareCredentialId(fleet)
    for (let i = 0; i < 3; i++) assert.equal(idOf(KEY), credentialId(fleet, KEY))
    assert.match(idOf(KEY), /^k1\.[\w-]{43}$/)
    reload(`k2 ${url(B)}\nk1 ${url(A)}`)
    assert.equal(idOf(KEY), credentialId(fleet, KEY))
    assert.match(idOf(KEY), /^k2\./)
  })

  test('it is computed once while it is remembered, and no more than the limit are', () => {
    const inner = createFleet(bootKeys(randomBytes), false)
    let computed = 0
    const counting = {
      ...inner,
      mac: (...args: Parameters<typeof inner.mac>) => {
        computed++
        return inner.mac(...args)
      },
    }
    const idOf = prepareCredentialId(counting, 3)
    const keys = ['a', 'b', 'c', 'd'].map((one) => `${KEY}${one}`)
    for (const key of [keys[0], keys[1], keys[2], keys[2], keys[1], keys[0]]) idOf(key as string)
    assert.equal(computed, 3)
    idOf(keys[3] as string)
    assert.equal(computed, 4)
    idOf(keys[0] as string)
    assert.equal(computed, 5, 'the oldest was forgotten')
    idOf(keys[2] as string)
    assert.equal(computed, 5)
  })

  test('different keys have different ids', () => {
    const idOf = prepareCredentialId(createFleet(keysOf(`k1 ${url(A)}`), true), 50)
    fc.assert(
      fc.property(fc.string({ minLength: 12 }), fc.string({ minLength: 12 }), (one, other) =>
        assert.equal(idOf(one) === idOf(other), one === other),
      ),
      { seed: SEED, numRuns: 300 },
    )
  })
})
