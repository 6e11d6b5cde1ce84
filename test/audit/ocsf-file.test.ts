// The second file: an event for each record that the sink takes, a new file at its size, and what happens where nothing can be written or too much comes.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createOcsf } from '../../src/audit/ocsf.ts'
import { type OcsfFile, openOcsfFile } from '../../src/audit/ocsf-file.ts'
import type { Destination } from '../../src/audit/sink.ts'
import { createLineWriter } from '../../src/audit/writer.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { RECORDS } from './ocsf/records.ts'

const CHAIN = '018f0000-0000-7000-8000-000000000001'
const LINES = RECORDS.map((record) => JSON.stringify(record))
const EVENTS = ((toOcsf) => RECORDS.map(toOcsf).filter((event) => event !== undefined))(createOcsf())

let parent: string
before(() => {
  parent = fs.mkdtempSync(join(tmpdir(), 'ductape-mcp-ocsf-'))
})
after(() => fs.rmSync(parent, { recursive: true }))
const newFolder = (): string => fs.mkdtempSync(join(parent, 'folder-'))

interface Opened {
  file: OcsfFile
  told: string[]
}

function open(directory: string, maxFileSize = 1 << 20, tick = () => performance.now()): Opened {
  const told: string[] = []
  const onEvent = (name: string, { reason = '' }: Record<string, string | number>): void =>
    void told.push(`${name} ${reason}`.trim())
  return { file: openOcsfFile({ directory, chain: CHAIN, maxFileSize, tick, onEvent }), told }
}

function eventsIn(directory: string): JsonObject[] {
  const texts = fs
    .readdirSync(directory)
    .sort()
    .map((name) => fs.readFileSync(join(directory, name), 'utf8'))
  for (const text of texts) assert.ok(text === '' || text.endsWith('\n'))
  return texts.flatMap((text) =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as JsonObject),
  )
}

/** Takes at most so many bytes at a time, as a pipe does. */
function taker(most: number): Destination & { bytes(): number } {
  let taken = 0
  return {
    put(bytes, _fresh, done) {
      const count = Math.min(most, bytes.length)
      taken += count
      queueMicrotask(() => done(count, undefined))
    },
    bytes: () => taken,
  }
}

async function until(holds: () => boolean): Promise<void> {
  const end = performance.now() + 30_000
  while (!holds()) {
    assert.ok(performance.now() < end, 'it did not come')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('the second file', () => {
  for (const most of [1 << 20, 700, 7])
    test(`has the events of what was taken, ${most} bytes at a time`, async () => {
      const directory = newFolder()
      const { file, told } = open(directory)
      const writer = createLineWriter(file.tap(taker(most)), { maxQueue: 1 << 20 })
      for (const line of LINES) writer.write(line)
      await writer.flush()
      await file.close()
      assert.deepEqual(eventsIn(directory), EVENTS)
      assert.deepEqual(file.stats(), { written: EVENTS.length, lost: 0, failing: false })
      assert.deepEqual(told, [])
    })

  test('begins the next file at its size, between two events', async () => {
    const directory = newFolder()
    const { file } = open(directory, 4000)
    const writer = createLineWriter(file.tap(taker(1 << 20)), { maxQueue: 1 << 20 })
    let written = 0
    for (const line of LINES) {
      writer.write(line)
      await writer.flush()
      if (/"type":"(?:decision|outcome|refusals)"/.test(line)) written++
      await until(() => file.stats().written === written)
    }
    await file.close()
    const names = fs.readdirSync(directory).sort()
    assert.ok(names.length > 2, names.join())
    assert.deepEqual(
      names,
      names.map((_, i) => `ocsf-${CHAIN}-${String(i + 1).padStart(4, '0')}.jsonl`),
    )
    for (const name of names) {
      const { mode, size } = fs.statSync(join(directory, name))
      assert.equal(mode & 0o777, 0o600)
      assert.ok(size <= 4000)
    }
    assert.deepEqual(eventsIn(directory), EVENTS)
  })

  test('has nothing of a record that the sink has not taken', async () => {
    const directory = newFolder()
    const { file } = open(directory)
    let broken = true
    const sink = taker(1 << 20)
    const writer = createLineWriter(
      file.tap({
        put: (bytes, fresh, done) =>
          broken ? queueMicrotask(() => done(0, 'ENOSPC')) : sink.put(bytes, fresh, done),
      }),
      { maxQueue: 1 << 20, timeout: 20 },
    )
    for (const line of LINES) writer.write(line)
    assert.equal(await writer.taken(), false)
    assert.equal(file.stats().written, 0)
    broken = false
    await writer.flush()
    await file.close()
    assert.deepEqual(eventsIn(directory), EVENTS)
  })

  test('that cannot be written holds nothing up, says so, and begins when it can', async () => {
    const directory = join(newFolder(), 'later')
    const { file, told } = open(directory)
    assert.deepEqual(told, ['audit_ocsf_failed ENOENT'])
    const writer = createLineWriter(file.tap(taker(1 << 20)), { maxQueue: 1 << 20 })
    for (const line of LINES) writer.write(line)
    assert.equal(await writer.taken(), true)
    await until(() => file.stats().failing)
    assert.equal(file.stats().written, 0)
    fs.mkdirSync(directory)
    await until(() => file.stats().written === EVENTS.length)
    await file.close()
    assert.deepEqual(eventsIn(directory), EVENTS)
    assert.equal(told.at(-1), 'audit_ocsf_again')
  })

  test('that cannot be written does not hold the end either', async () => {
    const { file } = open(join(newFolder(), 'never'))
    const writer = createLineWriter(file.tap(taker(1 << 20)), { maxQueue: 1 << 20 })
    for (const line of LINES) writer.write(line)
    await writer.flush()
    await file.close()
    assert.deepEqual(file.stats(), { written: 0, lost: 0, failing: true })
  })

  test('keeps a bounded number of bytes, counts what it lost, and takes the next record whole', async () => {
    const directory = newFolder()
    const { file, told } = open(directory, 1 << 30)
    const tapped = file.tap(taker(1 << 30))
    const put = (bytes: Buffer): Promise<void> =>
      new Promise((resolve) => tapped.put(bytes, true, () => resolve()))
    // Of one write, longer than what may wait.
    const many = Math.ceil((5 * 1024 * 1024) / Buffer.byteLength(LINES.join('\n')))
    await put(Buffer.from(`${Array.from({ length: many }, () => LINES.join('\n')).join('\n')}\n`))
    assert.equal(file.stats().lost, many * LINES.length)
    assert.deepEqual(told, ['audit_ocsf_lost'])
    await put(Buffer.from(`${LINES.join('\n')}\n`))
    await file.close()
    assert.deepEqual(eventsIn(directory), EVENTS)
  })

  test('goes on after a line that is no record', async () => {
    const directory = newFolder()
    const { file } = open(directory)
    const writer = createLineWriter(file.tap(taker(1 << 20)), { maxQueue: 1 << 20 })
    for (const line of ['{"type":', '[1]', ...LINES]) writer.write(line)
    await writer.flush()
    await file.close()
    assert.deepEqual(eventsIn(directory), EVENTS)
    assert.equal(file.stats().lost, 1)
  })

  test('gives calls their turn', async () => {
    let now = 0
    const { file } = open(newFolder(), 1 << 20, () => now++)
    const writer = createLineWriter(file.tap(taker(1 << 20)), { maxQueue: 1 << 20 })
    for (const line of LINES) writer.write(line)
    await writer.flush()
    let turns = 0
    let closed = false
    const turn = (): void => {
      turns++
      if (!closed) setImmediate(turn)
    }
    turn()
    await file.close()
    closed = true
    // By that clock each line takes longer than a turn may.
    assert.ok(turns >= LINES.length, String(turns))
    assert.equal(file.stats().written, EVENTS.length)
  })
})
