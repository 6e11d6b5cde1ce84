// The folder of audit files: names, rights, the size at which the next begins, what is in the way, and what a later start finds there.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { MAX_REGISTERED } from '../../src/audit/registry.ts'
import { type FolderOptions, openFolder, readEarlier } from '../../src/audit/sink.ts'
import { createLineWriter } from '../../src/audit/writer.ts'

const id = (n: number): string => `018f0000-0000-7000-8000-${String(n).padStart(12, '0')}`
const name = (chain: number, file: number): string =>
  `audit-${id(chain)}-${String(file).padStart(4, '0')}.jsonl`

let parent: string
before(() => {
  parent = fs.mkdtempSync(join(tmpdir(), 'ductape-mcp-sink-'))
})
after(() => fs.rmSync(parent, { recursive: true }))

const newFolder = (): string => fs.mkdtempSync(join(parent, 'folder-'))
const options = (directory: string, more: Partial<FolderOptions> = {}): FolderOptions => ({
  directory,
  chain: id(1),
  maxFileSize: 1 << 20,
  fsync: 'off',
  onEvent: () => undefined,
  ...more,
})

describe('a folder of audit files', () => {
  for (const fsync of ['off', 'second', 'always'] as const)
    test(`begins the next file at its size, between two lines (fsync ${fsync})`, async () => {
      const directory = newFolder()
      const folder = openFolder(options(directory, { fsync, maxFileSize: 1000 }))
      assert.equal(folder.open(), undefined)
      const writer = createLineWriter(folder, { maxQueue: 1 << 20 })
      const lines = Array.from({ length: 30 }, (_, i) => `{"n":${i},"x":"${'é'.repeat(60)}"}`)
      for (const line of lines) {
        writer.write(line)
        assert.equal(await writer.taken(), true)
      }
      await folder.close()
      const files = fs.readdirSync(directory).sort()
      assert.ok(files.length > 3)
      assert.deepEqual(
        files,
        files.map((_, i) => name(1, i + 1)),
      )
      const texts = files.map((file) => fs.readFileSync(join(directory, file), 'utf8'))
      assert.equal(texts.join(''), `${lines.join('\n')}\n`)
      for (const text of texts) assert.ok(text.endsWith('\n') && Buffer.byteLength(text) <= 1000)
      for (const file of files) assert.equal(fs.statSync(join(directory, file)).mode & 0o777, 0o600)
    })

  test('a file of that name, or a link, is never written to', async () => {
    const directory = newFolder()
    const elsewhere = join(newFolder(), 'elsewhere')
    fs.writeFileSync(elsewhere, 'mine\n')
    fs.symlinkSync(elsewhere, join(directory, name(1, 1)))
    const folder = openFolder(options(directory))
    assert.equal(folder.open(), 'EEXIST')
    const writer = createLineWriter(folder, { maxQueue: 1 << 20, timeout: 50 })
    writer.write('x')
    assert.equal(await writer.taken(), false)
    assert.equal(fs.readFileSync(elsewhere, 'utf8'), 'mine\n')
  })

  test('a folder that comes later gets what has waited', async () => {
    const directory = join(newFolder(), 'later')
    const folder = openFolder(options(directory))
    assert.equal(folder.open(), 'ENOENT')
    const told: (string | undefined)[] = []
    const writer = createLineWriter(folder, {
      maxQueue: 1 << 20,
      timeout: 20,
      onFault: (code) => told.push(code),
    })
    writer.write('x')
    assert.equal(await writer.taken(), false)
    fs.mkdirSync(directory)
    await writer.flush()
    assert.equal(fs.readFileSync(join(directory, name(1, 1)), 'utf8'), 'x\n')
    assert.deepEqual(told, ['ENOENT', undefined])
    await folder.close()
  })
})

describe('what earlier starts have left', () => {
  const record = (chain: number, jws: string): string =>
    `{"chain":"${id(chain)}","checkpoint":"${jws}","hash":"h"}\n`

  test('nothing in an empty folder, or where there is none', () => {
    assert.deepEqual(readEarlier(newFolder()), { chains: [], previous: undefined })
    assert.deepEqual(readEarlier(join(newFolder(), 'none')), { chains: [], previous: undefined })
  })

  test('the last checkpoint of the newest chain, also before a torn line and in the file before', () => {
    const directory = newFolder()
    const write = (chain: number, file: number, text: string): void =>
      fs.writeFileSync(join(directory, name(chain, file)), text)
    write(1, 1, record(1, 'a.b.c'))
    write(
      2,
      1,
      `${record(2, 'd.e.f')}${record(2, 'g.h.i')}${record(1, 'j.k.l')}{"chain":"${id(2)}","checkpoint":"m.n`,
    )
    write(2, 2, '{"chain":"')
    fs.writeFileSync(join(directory, 'notes.txt'), record(9, 'x.y.z'))
    fs.writeFileSync(join(directory, `${name(9, 1)}.gz`), record(9, 'x.y.z'))
    assert.deepEqual(readEarlier(directory), {
      chains: [id(1), id(2)],
      previous: { chain: id(2), checkpoint: 'g.h.i' },
    })
  })

  test('of very many chains the newest, and of a large file the end', () => {
    const directory = newFolder()
    for (let i = 1; i <= MAX_REGISTERED + 5; i++) fs.writeFileSync(join(directory, name(i, 1)), '')
    const last = MAX_REGISTERED + 5
    fs.writeFileSync(join(directory, name(last, 2)), `${'x'.repeat(3 << 20)}\n${record(last, 'a.b.c')}`)
    const { chains, previous } = readEarlier(directory)
    assert.equal(chains.length, MAX_REGISTERED)
    assert.equal(chains.at(-1), id(last))
    assert.deepEqual(previous, { chain: id(last), checkpoint: 'a.b.c' })
  })
})
