// `ductape-mcp key create`: the file keeps its comments and order, the key is shown once, and nothing is left behind.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, it } from 'node:test'
import { NOW } from './lib.ts'
import { CREATE, callerOf, create, DAY, folder, key, newPath, recordsOf } from './run-key.ts'

describe('key create', () => {
  it('shows the key once, on standard output alone, and writes its record', async () => {
    const path = newPath()
    const done = await key([
      'create',
      '--file',
      path,
      ...CREATE,
      '--role',
      'reporter',
      '--scope',
      'ductape:write',
      '--tenant',
      'acme',
      '--tool',
      'ductape_execute',
      '--rate',
      '60/10',
      '--expires',
      '30d',
    ])
    assert.equal(done.code, 0)
    assert.match(done.out, /^dmcp_[0-9A-Za-z]{49}\n$/)
    const token = done.out.trim()
    assert.ok(!done.err.includes(token.slice(5)))
    const text = readFileSync(path, 'utf8')
    assert.ok(!text.includes(token.slice(5)))
    assert.equal(statSync(path).mode & 0o777, 0o600)
    const [record] = recordsOf(path)
    assert.deepEqual(record, {
      id: record?.id,
      sha256: createHash('sha256').update(token).digest('hex'),
      owner: 'team-data',
      purpose: 'nightly report',
      tenant: 'acme',
      roles: ['reader', 'reporter'],
      scopes: ['ductape:write'],
      tools: ['ductape_execute'],
      rate: { perMinute: 60, burst: 10 },
      createdAt: NOW,
      expiresAt: NOW + 30 * DAY,
    })
    assert.ok(done.err.includes(record?.id as string) && done.err.includes('2027-02-14T12:00:00Z'))
    assert.equal(callerOf(path, token).subject, 'team-data')
  })

  it('gives 90 days where nothing is said, and for ever only where that is said', async () => {
    const path = newPath()
    await create(path)
    await create(path, '--expires', 'never')
    await create(path, '--expires', '2027-12-24')
    assert.deepEqual(
      recordsOf(path).map(({ expiresAt }) => expiresAt),
      [NOW + 90 * DAY, undefined, Date.UTC(2027, 11, 24)],
    )
  })

  it('keeps comments, order and spelling of what is there', async () => {
    const before = `# Keys of the data platform
# reviewed every quarter

version: 1 # the format
keys:
  # made by hand in 2026, see ticket 12
  - id: key-old
    sha256: "${'a'.repeat(64)}"   # never the key
    purpose: 'batch: nightly'
    owner: team-batch
    roles:
      - reader
      - reporter # until March

# the end
`
    const path = folder.file('commented.yaml', before)
    const token = await create(path)
    const after = readFileSync(path, 'utf8')
    for (const line of before.split('\n'))
      assert.ok(after.includes(line.replace(/ {2,}#/, ' #')), `lost: ${line}`)
    assert.ok(after.indexOf('key-old') < after.indexOf('team-data'))
    assert.equal(recordsOf(path)[0]?.owner, 'team-batch')
    assert.equal(callerOf(path, token).subject, 'team-data')
  })

  for (const [what, text] of [
    ['an empty file', ''],
    ['a file of comments', '# nobody yet\n'],
    ['a version alone', 'version: 1\n'],
    ['no record', 'version: 1\nkeys: []\n'],
    ['no value', 'keys: [] # none\n'],
    ['records in one line', `keys: [{ id: key-old, sha256: ${'a'.repeat(64)}, owner: a, purpose: b }]\n`],
    ['JSON', '{"version":1,"keys":[]}'],
    ['JSON without records', '{}\n'],
  ] as const)
    it(`adds to ${what}`, async () => {
      const path = folder.file(basename(newPath()), text)
      const tokens = [await create(path), await create(path)]
      for (const token of tokens) assert.equal(callerOf(path, token).owner, 'team-data')
      assert.equal(readFileSync(path, 'utf8').startsWith('{'), text.startsWith('{'))
      if (text.startsWith('#')) assert.match(readFileSync(path, 'utf8'), /# nobody yet/)
    })

  it('writes texts that YAML would read as something else so that they come back', async () => {
    for (const text of [
      'yes',
      '007',
      '1e3',
      'null',
      '{x}',
      '- a',
      'a: b #c',
      "it's",
      '"quoted"',
      '2027-01-01',
      '*star',
      '~',
      'x'.repeat(200),
    ]) {
      const path = newPath()
      const done = await key([
        'create',
        '--file',
        path,
        `--owner=${text.slice(0, 128)}`,
        `--purpose=${text}`,
        `--role=${text.slice(0, 128)}`,
      ])
      assert.equal(done.code, 0, done.err)
      assert.deepEqual([recordsOf(path)[0]?.purpose, recordsOf(path)[0]?.roles], [text, [text.slice(0, 128)]])
    }
  })

  const wrong: readonly [what: string, argv: readonly string[], said: RegExp][] = [
    ['no file', ['create', ...CREATE], /--file is missing/],
    [
      'no owner',
      ['create', '--file', 'F', '--purpose', 'x', '--role', 'y'],
      /--owner, --purpose and --role are needed/,
    ],
    [
      'no role',
      ['create', '--file', 'F', '--owner', 'x', '--purpose', 'y'],
      /--owner, --purpose and --role are needed/,
    ],
    [
      'an empty owner',
      ['create', '--file', 'F', '--owner', '', '--purpose', 'x', '--role', 'y'],
      /^owner must be a person or team/,
    ],
    ['a rate without a burst', ['create', '--file', 'F', ...CREATE, '--rate', '60'], /--rate takes/],
    [
      'a rate of nothing',
      ['create', '--file', 'F', ...CREATE, '--rate', '0/10'],
      /^rate\.perMinute must be a whole number/,
    ],
    [
      'an end that has been',
      ['create', '--file', 'F', ...CREATE, '--expires', '2020-01-01'],
      /--expires takes/,
    ],
    [
      'an end in other words',
      ['create', '--file', 'F', ...CREATE, '--expires', '3 months'],
      /--expires takes/,
    ],
    [
      'a scope with a space',
      ['create', '--file', 'F', ...CREATE, '--scope', 'a b'],
      /^scopes\[0\] must be a scope/,
    ],
    ['a word too many', ['create', 'dmcp_canary', '--file', 'F', ...CREATE], /an argument too many/],
    [
      'a folder that is not there',
      ['create', '--file', join(folder.path, 'no/keys.yaml'), ...CREATE],
      /the folder of .* cannot be read \(ENOENT\)/,
    ],
  ]
  for (const [what, argv, said] of wrong)
    it(`with ${what} says so and leaves nothing behind`, async () => {
      const path = newPath()
      const done = await key(argv.map((word) => (word === 'F' ? path : word)))
      assert.equal(done.code, 2)
      assert.match(done.err, said)
      assert.deepEqual([done.out, existsSync(path), existsSync(`${path}.new`)], ['', false, false])
      assert.ok(!done.err.includes('canary'))
    })

  it('does not touch a file that does not hold, and names its line', async () => {
    const text = `keys:\n  - id: My Key\n    sha256: ${'a'.repeat(64)}\n    owner: a\n    purpose: b\n`
    const path = folder.file('bad.yaml', text)
    const done = await key(['create', '--file', path, ...CREATE])
    assert.deepEqual([done.code, done.out], [2, ''])
    assert.match(done.err, /bad\.yaml:2:\d+: keys\[0\]\.id must be an id/)
    assert.equal(readFileSync(path, 'utf8'), text)
    assert.equal(existsSync(`${path}.new`), false)
  })

  it('never changes a file of a pod', async () => {
    const mount = join(folder.path, 'mount')
    mkdirSync(join(mount, '..2027_01_15'), { recursive: true })
    writeFileSync(join(mount, '..2027_01_15', 'keys.yaml'), 'keys: []\n')
    symlinkSync('..2027_01_15', join(mount, '..data'))
    symlinkSync('..data/keys.yaml', join(mount, 'keys.yaml'))
    for (const path of [
      join(mount, 'keys.yaml'),
      join(mount, '..data', 'keys.yaml'),
      join(mount, '..2027_01_15', 'keys.yaml'),
    ]) {
      const done = await key(['create', '--file', path, ...CREATE])
      assert.deepEqual([done.code, done.out], [2, ''])
      assert.match(done.err, /symbolic link or a mounted ConfigMap or Secret/)
    }
    assert.equal(readFileSync(join(mount, 'keys.yaml'), 'utf8'), 'keys: []\n')
    assert.equal((await key(['list', '--file', join(mount, 'keys.yaml')])).code, 0)
  })

  it('waits for nobody: while another command changes the file it says so', async () => {
    const path = newPath()
    await create(path)
    writeFileSync(`${path}.new`, '')
    const done = await key(['create', '--file', path, ...CREATE])
    assert.deepEqual([done.code, done.out], [2, ''])
    assert.match(done.err, /another command is changing .* remove .*\.new/)
    assert.equal(recordsOf(path).length, 1)
  })

  it('where the file cannot be made says so', async () => {
    const path = join(folder.file('no-folder', ''), 'keys.yaml')
    const done = await key(['create', '--file', path, ...CREATE])
    assert.deepEqual([done.code, done.out], [2, ''])
    assert.match(done.err, /^--file: .* cannot be read \(ENOTDIR\)\.\n$/)
  })
})
