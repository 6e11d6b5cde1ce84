// `ductape-mcp key rotate`, `revoke`, `list` and `id`, and the whole of it as processes: no key is ever shown again.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { KEY_HELP } from '../../../src/cli/key.ts'
import { hashKey, KEY_PATTERN } from '../../../src/identity/apikey/index.ts'
import { createFleet, credentialId } from '../../../src/keys/index.ts'
import { run } from '../../lib/process.ts'
import { NOW } from './lib.ts'
import { CREATE, callerOf, create, DAY, folder, key, newPath, recordsOf } from './run-key.ts'

describe('key rotate', () => {
  it('makes a second key with the same rights; the first one ends after the overlap', async () => {
    const path = newPath()
    const old = await create(
      path,
      '--tenant',
      'acme',
      '--scope',
      'ductape:write',
      '--tool',
      'ductape_execute',
      '--rate',
      '60/10',
    )
    const [id] = recordsOf(path).map((record) => record.id)
    const later = NOW + 80 * DAY
    const done = await key(['rotate', id as string, '--file', path], later)
    assert.equal(done.code, 0, done.err)
    assert.match(done.out.trim(), KEY_PATTERN)
    const next = done.out.trim()
    const [first, second] = recordsOf(path)
    assert.equal(first?.expiresAt, later + DAY)
    assert.deepEqual(
      { ...second, id: '', sha256: '', createdAt: 0, expiresAt: 0 },
      { ...first, id: '', sha256: '', createdAt: 0, expiresAt: 0 },
    )
    assert.deepEqual(
      [second?.sha256, second?.createdAt, second?.expiresAt],
      [hashKey(next), later, later + 90 * DAY],
    )
    assert.equal(callerOf(path, old, later).keyId, first?.id)
    assert.equal(callerOf(path, next, later).keyId, second?.id)
    assert.equal('code' in callerOf(path, old, later + DAY), true)
  })

  it('never makes the old one longer, and takes other times', async () => {
    const path = newPath()
    await create(path, '--expires', '1h')
    const [id] = recordsOf(path).map((record) => record.id)
    assert.equal(
      (await key(['rotate', id as string, '--file', path, '--overlap', '7d', '--expires', 'never'])).code,
      0,
    )
    assert.deepEqual(
      recordsOf(path).map(({ expiresAt }) => expiresAt),
      [NOW + DAY / 24, undefined],
    )
  })

  it('refuses a key that has ended, and one that is not there', async () => {
    const path = newPath()
    await create(path, '--expires', '1h')
    const [id] = recordsOf(path).map((record) => record.id)
    const before = readFileSync(path, 'utf8')
    const ended = await key(['rotate', id as string, '--file', path], NOW + DAY)
    assert.deepEqual([ended.code, ended.out], [1, ''])
    assert.match(ended.err, /has ended already/)
    const none = await key(['rotate', 'dmcp_canary', '--file', path])
    assert.deepEqual([none.code, none.out], [1, ''])
    assert.match(none.err, /No record of this file has this ID/)
    assert.ok(!none.err.includes('canary'))
    assert.equal(readFileSync(path, 'utf8'), before)
    assert.equal((await key(['rotate', id as string, '--file', path, '--overlap', 'soon'])).code, 2)
    assert.equal((await key(['rotate', 'a', '--file', newPath()])).code, 2)
  })

  it('works on JSON as well', async () => {
    const path = folder.file('rotate.yaml', '{"keys":[]}')
    await create(path)
    const [id] = recordsOf(path).map((record) => record.id)
    assert.equal((await key(['rotate', id as string, '--file', path])).code, 0)
    assert.deepEqual(
      recordsOf(path).map(({ expiresAt }) => expiresAt),
      [NOW + DAY, NOW + 90 * DAY],
    )
    assert.equal((await key(['revoke', id as string, '--file', path, '--remove'])).code, 0)
    assert.equal(recordsOf(path).length, 1)
  })
})

describe('key revoke', () => {
  it('ends a key now; the record goes with --remove', async () => {
    const path = newPath()
    const token = await create(path)
    await create(path)
    const [id, other] = recordsOf(path).map((record) => record.id)
    const done = await key(['revoke', id as string, '--file', path])
    assert.equal(done.code, 0)
    assert.match(done.err, new RegExp(`ductape-mcp revoke key ${id} --until 24h`))
    assert.equal('code' in callerOf(path, token), true)
    assert.equal((await key(['revoke', id as string, '--file', path])).code, 1)
    assert.equal((await key(['revoke', id as string, '--file', path, '--remove'])).code, 0)
    assert.deepEqual(
      recordsOf(path).map((record) => record.id),
      [other],
    )
    assert.equal((await key(['revoke', id as string, '--file', path, '--remove'])).code, 1)
  })
})

describe('key list', () => {
  const listed = async () => {
    const path = newPath()
    await create(path, '--tenant', 'acme')
    await create(path, '--expires', 'never')
    const [first, second] = recordsOf(path).map((record) => record.id)
    return { path, first: first as string, second: second as string }
  }

  it('shows the records and their state, never a hash', async () => {
    const { path, first, second } = await listed()
    const { code, out } = await key(['list', '--file', path], NOW + 91 * DAY)
    assert.equal(code, 0)
    assert.equal(
      out,
      [
        'ID              OWNER      PURPOSE         TENANT  ROLES   EXPIRES               STATE',
        `${first}  team-data  nightly report  acme    reader  2027-04-15T12:00:00Z  expired`,
        `${second}  team-data  nightly report  -       reader  never                 active`,
        '',
      ].join('\n'),
    )
    const json = JSON.parse((await key(['list', '--file', path, '--json'])).out)
    assert.deepEqual(json.keys[0], {
      id: first,
      owner: 'team-data',
      purpose: 'nightly report',
      tenant: 'acme',
      roles: ['reader'],
      expires: '2027-04-15T12:00:00Z',
      state: 'active',
    })
  })

  it('tells from the audit records when each key was last used', async () => {
    const { path, first, second } = await listed()
    const line = (time: string, keyId: string) =>
      `{"callId":"c","time":"${time}","type":"decision","v":1,"who":{"keyId":"${keyId}","method":"api-key"}}\n`
    const a = folder.file(
      'a.jsonl',
      `${line('2027-01-15T12:00:01.000Z', first)}${line('2027-01-15T13:00:00.000Z', first)}not json "keyId":"${first}"\n`,
    )
    const b = folder.file(
      'b.jsonl',
      `${line('2027-01-15T12:30:00.000Z', first)}${line('2027-01-15T12:30:00.000Z', 'key-of-nobody')}{"time":"x","who":{"keyId":"${second}"}}\n{"who":null,"x":"\\"keyId\\":\\""}\n${'x'.repeat(3 << 20)}"keyId":"${second}"\n${line('2027-01-16T00:00:00.000Z', 'other').trimEnd()}`,
    )
    for (const argv of [
      ['--audit', a, '--audit', b],
      ['--audit', a, b],
    ]) {
      const { code, out } = await key(['list', '--file', path, ...argv])
      assert.equal(code, 0)
      const rows = out.split('\n')
      assert.match(rows[0] as string, /STATE +LAST USED$/)
      assert.match(rows[1] as string, /active +2027-01-15T13:00:00\.000Z$/)
      assert.match(rows[2] as string, /active +-$/)
    }
    const json = JSON.parse((await key(['list', '--file', path, '--audit', a, '--json'])).out)
    assert.equal(json.keys[0].lastUsed, '2027-01-15T13:00:00.000Z')
    const framed = folder.file(
      'framed.log',
      `2027-01-17T00:00:00.000000000Z stdout F ${line('2027-01-17T00:00:00.000Z', second)}`,
    )
    const collected = JSON.parse((await key(['list', '--file', path, '--audit', framed, '--json'])).out)
    assert.equal(collected.keys[1].lastUsed, '2027-01-17T00:00:00.000Z')
    const missing = await key(['list', '--file', path, '--audit', join(folder.path, 'none.jsonl')])
    assert.equal(missing.code, 2)
    assert.match(missing.err, /none\.jsonl cannot be read \(ENOENT\)/)
  })

  it('goes on after a line that is too long to be a record', async () => {
    const { path, second } = await listed()
    const long = folder.file(
      'long.jsonl',
      `${'x'.repeat(5 << 20)}\n{"time":"2027-01-15T13:00:00.000Z","who":{"keyId":"${second}"}}\n`,
    )
    const json = JSON.parse((await key(['list', '--file', path, '--audit', long, '--json'])).out)
    assert.equal(json.keys[1].lastUsed, '2027-01-15T13:00:00.000Z')
  })
})

describe('key id', () => {
  const SECRET = createHash('sha256').update('fleet').digest()
  const DUCTAPE = 'pk_canary_0123456789'
  const files = {
    'config.yaml': 'keys: { fleet: { file: fleet.txt } }\n',
    'fleet.txt': `k1 ${SECRET.toString('base64url')}\n`,
    'bare.yaml': 'version: 1\n',
    'key.txt': `${DUCTAPE}\n`,
    'windows.txt': `${DUCTAPE}\r\n`,
    'two.txt': `${DUCTAPE}\n${DUCTAPE}\n`,
    'lost.yaml': 'keys: { fleet: { file: none.txt } }\n',
    'broken.yaml': 'keys: { fleet: { file: key.txt } }\n',
  }
  const id = (...argv: string[]) => key(['id', ...argv], NOW, files)

  it('prints what policies and credentials.tenants name a Ductape key by', async () => {
    const expected = `${credentialId(createFleet([{ id: 'k1', secret: SECRET }], true), DUCTAPE)}\n`
    for (const file of ['key.txt', 'windows.txt'])
      assert.deepEqual(await id('--file', file, '--config', 'config.yaml'), {
        code: 0,
        out: expected,
        err: '',
      })
  })

  for (const [what, argv, said] of [
    ['without a shared fleet key', ['--file', 'key.txt', '--config', 'bare.yaml'], /keys\.fleet is not set/],
    ['without a configuration', ['--file', 'key.txt'], /keys\.fleet is not set/],
    [
      'with a fleet file that is not there',
      ['--file', 'key.txt', '--config', 'lost.yaml'],
      /keys\.fleet: the file none\.txt cannot be read \(ENOENT\)/,
    ],
    [
      'with a fleet file that does not hold',
      ['--file', 'key.txt', '--config', 'broken.yaml'],
      /keys\.fleet: the file key\.txt line 1/,
    ],
    [
      'with a file of two keys',
      ['--file', 'two.txt', '--config', 'config.yaml'],
      /does not hold a Ductape key alone/,
    ],
    [
      'with a file that is not there',
      ['--file', 'none', '--config', 'config.yaml'],
      /--file: none cannot be read/,
    ],
    ['with the key on the command line', [DUCTAPE, '--file', 'key.txt'], /an argument too many/],
  ] as const)
    it(`is refused ${what}, and shows no key`, async () => {
      const done = await id(...argv)
      assert.deepEqual([done.code, done.out], [2, ''])
      assert.match(done.err, said)
      assert.ok(!done.err.includes('canary') && !done.err.includes(SECRET.toString('base64url')))
    })
})

describe('as a process', () => {
  it('creates, lists, rotates and revokes, and shows keys in two lines of all of it', async () => {
    const path = join(folder.path, 'process.yaml')
    const created = await run(['key', 'create', '--file', path, ...CREATE])
    assert.equal(created.code, 0, created.stderr)
    const [id] = recordsOf(path).map((record) => record.id)
    const rotated = await run(['key', 'rotate', id as string, '--file', path])
    assert.equal(rotated.code, 0, rotated.stderr)
    const others = [
      await run(['key', 'list', '--file', path]),
      await run(['key', 'list', '--file', path, '--json']),
      await run(['key', 'revoke', id as string, '--file', path]),
      await run(['key', 'create', '--file', path]),
      await run(['key', created.stdout.trim()]),
      await run(['key', 'rotate', created.stdout.trim(), '--file', path]),
      await run(['key', '--help']),
    ]
    assert.deepEqual(
      others.map(({ code }) => code),
      [0, 0, 0, 2, 2, 1, 0],
    )
    const keys = [created.stdout.trim(), rotated.stdout.trim()]
    for (const token of keys) assert.match(token, KEY_PATTERN)
    const all = [
      created.stderr,
      rotated.stderr,
      readFileSync(path, 'utf8'),
      ...others.flatMap(({ stdout, stderr }) => [stdout, stderr]),
    ]
    for (const text of all)
      for (const token of keys) assert.ok(!text.includes(token.slice(5)), 'a key is shown again')
    assert.deepEqual(
      readdirSync(folder.path).filter((name) => name.endsWith('.yaml.new') && name.startsWith('process')),
      [],
    )
  })

  it('of many at the same time, each that says it is done is in the file', async () => {
    const path = newPath()
    const all = await Promise.all(
      Array.from({ length: 4 }, () => run(['key', 'create', '--file', path, ...CREATE])),
    )
    const done = all.filter(({ code }) => code === 0)
    assert.ok(done.length > 0)
    assert.equal(recordsOf(path).length, done.length)
    for (const { stdout } of done) assert.equal(callerOf(path, stdout.trim(), Date.now()).owner, 'team-data')
    for (const { code, stderr } of all) if (code !== 0) assert.match(stderr, /another command is changing/)
  })

  it('says how it is used', async () => {
    assert.equal((await key(['--help'])).out, KEY_HELP)
    assert.equal((await key(['create', '-h'])).out, KEY_HELP)
    assert.deepEqual(await key([]), {
      code: 2,
      out: '',
      err: 'Say create, list, rotate, revoke or id; ductape-mcp key --help says more.\n',
    })
    assert.equal((await key(['constructor'])).code, 2)
  })
})
