// The writer of lines: every kind of descriptor, readers that are slow, stalled or gone, and what is counted as written and as lost.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createLineWriter, type LineWriter } from '../../src/audit/writer.ts'

const { O_RDONLY, O_WRONLY, O_NONBLOCK, O_APPEND, O_CREAT } = fs.constants
const lines = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `{"seq":${from + i},"text":"é😀"}`)
const bytesOf = (items: readonly string[]): number =>
  Buffer.byteLength(items.map((line) => `${line}\n`).join(''))

let directory: string
before(() => {
  directory = fs.mkdtempSync(join(tmpdir(), 'ductape-mcp-writer-'))
})
after(() => fs.rmSync(directory, { recursive: true }))

interface Pipe {
  path: string
  writeEnd: number
  /** Reads all that comes from now on. */
  read(): void
  text(): string
  /** Resolves when the text has reached this many bytes. */
  received(bytes: number): Promise<void>
  closeReader(): void
}

let pipes = 0
function openPipe(known?: string): Pipe {
  const path = known ?? join(directory, `pipe-${++pipes}`)
  if (known === undefined) assert.equal(spawnSync('mkfifo', [path]).status, 0)
  const readEnd = fs.openSync(path, O_RDONLY | O_NONBLOCK)
  const writeEnd = fs.openSync(path, O_WRONLY)
  let text: Buffer = Buffer.alloc(0)
  let wake: () => void = () => undefined
  let reader: Socket | undefined
  return {
    path,
    writeEnd,
    read() {
      reader = new Socket({ fd: readEnd, readable: true, writable: false })
      reader.on('data', (chunk: Buffer) => {
        text = Buffer.concat([text, chunk])
        wake()
      })
    },
    text: () => text.toString(),
    async received(bytes) {
      while (text.length < bytes)
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    },
    closeReader: () => (reader === undefined ? fs.closeSync(readEnd) : void reader.destroy()),
  }
}

/** Waits for a count of the writer, turn by turn. */
async function until(look: () => boolean): Promise<void> {
  while (!look()) await new Promise((resolve) => setImmediate(resolve))
}

const writeAll = (writer: LineWriter, items: readonly string[]): boolean[] =>
  items.map((line) => writer.write(line))

describe('line writer', () => {
  test('a pipe: every line, whole, in order, counted when the kernel has it', async () => {
    const pipe = openPipe()
    pipe.read()
    const writer = createLineWriter(pipe.writeEnd, { maxQueue: 1 << 20 })
    const items = lines(5000)
    assert.ok(writeAll(writer, items).every(Boolean))
    assert.ok(writer.stats().pendingBytes > 0)
    assert.equal(writer.stats().written, 0)
    await writer.flush()
    assert.deepEqual(writer.stats(), { written: 5000, lost: 0, pendingBytes: 0 })
    await pipe.received(bytesOf(items))
    assert.equal(pipe.text(), items.map((line) => `${line}\n`).join(''))
    pipe.closeReader()
  })

  test('a file: appended to, by turns as large as memory for them', async () => {
    const path = join(directory, 'records.jsonl')
    fs.writeFileSync(path, 'before\n')
    const descriptor = fs.openSync(path, O_WRONLY | O_APPEND | O_CREAT)
    const writer = createLineWriter(descriptor, { maxQueue: 64 << 20 })
    // Larger together than one write may be.
    const items = Array.from({ length: 40 }, (_, i) => `${i}${'x'.repeat(100_000)}`)
    for (const item of items.slice(0, 20)) writer.write(item)
    await writer.flush()
    writeAll(writer, items.slice(20))
    await writer.flush()
    assert.equal(fs.readFileSync(path, 'utf8'), `before\n${items.join('\n')}\n`)
    assert.equal(writer.stats().written, 40)
    fs.closeSync(descriptor)
  })

  test('flush with nothing queued resolves at once, and several flushes together', async () => {
    const descriptor = fs.openSync(join(directory, 'flush'), O_WRONLY | O_CREAT)
    const writer = createLineWriter(descriptor, { maxQueue: 1 << 20 })
    await writer.flush()
    writer.write('a')
    await Promise.all([writer.flush(), writer.flush()])
    writer.write('b')
    const flushed = writer.flush()
    writer.write('c')
    await flushed
    assert.equal(fs.readFileSync(join(directory, 'flush'), 'utf8'), 'a\nb\nc\n')
    fs.closeSync(descriptor)
  })

  test('a full device: lines wait, the fault is told once, nobody waits for ever, and nothing is thrown', async () => {
    const descriptor = fs.openSync('/dev/full', O_WRONLY)
    const told: (string | undefined)[] = []
    const writer = createLineWriter(descriptor, {
      maxQueue: 1 << 20,
      timeout: 50,
      onFault: (code) => told.push(code),
    })
    writeAll(writer, lines(10))
    assert.equal(await writer.taken(), false)
    assert.deepEqual(told, ['ENOSPC'])
    assert.equal(writer.fault(), 'ENOSPC')
    assert.deepEqual({ ...writer.stats(), pendingBytes: 0 }, { written: 0, lost: 0, pendingBytes: 0 })
    assert.equal(await writer.taken(), false)
  })

  test('a sink that heals takes every line once, from where it stopped in the middle of one', async () => {
    const taken: Buffer[] = []
    const answers: [count: number, code: string | undefined][] = [
      [7, 'ENOSPC'],
      [0, 'EIO'],
      [3, undefined],
      [0, 'EAGAIN'],
    ]
    const fresh: boolean[] = []
    const told: (string | undefined)[] = []
    const writer = createLineWriter(
      {
        put(bytes, atLine, done) {
          fresh.push(atLine)
          const [count, code] = answers.shift() ?? [bytes.length, undefined]
          taken.push(Buffer.from(bytes.subarray(0, count)))
          setImmediate(done, count, code)
        },
      },
      { maxQueue: 1 << 20, onFault: (code) => told.push(code) },
    )
    const items = lines(3)
    writeAll(writer, items)
    assert.equal(await writer.taken(), true)
    assert.equal(Buffer.concat(taken).toString(), `${items.join('\n')}\n`)
    assert.deepEqual(fresh, [true, false, false, false, false])
    // The first 7 bytes are progress, so the fault is told after them, and ends with the next 3.
    assert.deepEqual(told, ['ENOSPC', undefined])
    assert.equal(writer.fault(), undefined)
    assert.deepEqual(writer.stats(), { written: 3, lost: 0, pendingBytes: 0 })
  })

  test('everybody who waits at one time waits for one write', async () => {
    const puts: number[] = []
    const writer = createLineWriter(
      {
        put(bytes, _fresh, done) {
          puts.push(bytes.length)
          setImmediate(done, bytes.length, undefined)
        },
      },
      { maxQueue: 1 << 20 },
    )
    const waits = lines(64).map((line) => {
      writer.write(line)
      return writer.taken()
    })
    assert.deepEqual(new Set(await Promise.all(waits)), new Set([true]))
    assert.equal(puts.length, 1)
    assert.equal(await writer.taken(), true, 'nothing waits')
  })

  test('reserved lines find room where others do not', () => {
    const writer = createLineWriter({ put: () => undefined }, { maxQueue: 200 })
    const insert = (length: number, reserved: boolean): boolean =>
      writer.insert('x'.repeat(length), '', () => 'y', reserved)
    assert.equal(insert(130, false), true)
    assert.equal(insert(130, false), false)
    assert.equal(writer.hasRoom(), false)
    assert.equal(insert(130, true), true)
    assert.equal(insert(4 << 20, true), false, 'but not without end')
  })

  test('a stalled pipe: what waits is bounded, the rest is lost and counted; when it moves again all that waited arrives', async () => {
    const pipe = openPipe()
    let told = 0
    const maxQueue = 1 << 20
    const writer = createLineWriter(pipe.writeEnd, { maxQueue, timeout: 50, onLoss: () => told++ })
    const items = lines(60_000)
    const taken: string[] = []
    for (const line of items) {
      if (writer.write(line)) taken.push(line)
      assert.ok(writer.stats().pendingBytes <= maxQueue)
    }
    const { lost } = writer.stats()
    assert.ok(lost > 0 && taken.length > 0)
    assert.equal(lost, items.length - taken.length)
    assert.equal(told, 1)
    assert.equal(writer.stats().written, 0)
    assert.equal(await writer.taken(), false, 'who waits is told in time')
    await until(() => writer.fault() === 'stalled')

    pipe.read()
    await writer.flush()
    assert.deepEqual(writer.stats(), { written: taken.length, lost, pendingBytes: 0 })
    assert.ok(writer.write('again'))
    await writer.flush()
    const expected = `${taken.join('\n')}\nagain\n`
    await pipe.received(Buffer.byteLength(expected))
    assert.equal(pipe.text(), expected, 'no line is cut')
    pipe.closeReader()
  })

  test('losing is told again after it had stopped', async () => {
    const pipe = openPipe()
    let told = 0
    const writer = createLineWriter(pipe.writeEnd, { maxQueue: 100, onLoss: () => told++ })
    const fill = (): void =>
      void writeAll(
        writer,
        Array.from({ length: 10 }, () => 'x'.repeat(30)),
      )
    fill()
    assert.equal(told, 1)
    pipe.read()
    await writer.flush()
    fill()
    assert.equal(told, 2)
    await writer.flush()
    assert.equal(writer.stats().pendingBytes, 0)
    pipe.closeReader()
  })

  test('a reader that has gone (EPIPE): nothing is thrown, lines wait, and a new reader gets them', async () => {
    const pipe = openPipe()
    const told: (string | undefined)[] = []
    const writer = createLineWriter(pipe.writeEnd, {
      maxQueue: 1 << 20,
      timeout: 50,
      onFault: (code) => told.push(code),
    })
    pipe.closeReader()
    const items = lines(10)
    writeAll(writer, items)
    assert.equal(await writer.taken(), false)
    assert.deepEqual(told, ['EPIPE'])
    const again = openPipe(pipe.path)
    again.read()
    await writer.flush()
    await again.received(bytesOf(items))
    assert.equal(again.text(), `${items.join('\n')}\n`)
    assert.deepEqual(told, ['EPIPE', undefined])
    assert.deepEqual(writer.stats(), { written: 10, lost: 0, pendingBytes: 0 })
    again.closeReader()
  })

  test('a line longer than the queue is lost, a shorter one after it is not', async () => {
    const path = join(directory, 'long')
    const descriptor = fs.openSync(path, O_WRONLY | O_CREAT)
    const writer = createLineWriter(descriptor, { maxQueue: 100 })
    assert.equal(writer.write('x'.repeat(200)), false)
    assert.equal(writer.write('short'), true)
    await writer.flush()
    assert.deepEqual(writer.stats(), { written: 1, lost: 1, pendingBytes: 0 })
    assert.equal(fs.readFileSync(path, 'utf8'), 'short\n')
    fs.closeSync(descriptor)
  })

  test('lines written one by one over many turns arrive without a flush', async () => {
    const pipe = openPipe()
    pipe.read()
    const writer = createLineWriter(pipe.writeEnd, { maxQueue: 1 << 20 })
    const items = lines(50)
    for (const line of items) {
      writer.write(line)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await pipe.received(bytesOf(items))
    await until(() => writer.stats().written === 50)
    assert.equal(pipe.text(), `${items.join('\n')}\n`)
    pipe.closeReader()
  })

  test('a descriptor that is not open is an error at once', () => {
    assert.throws(() => createLineWriter(999, { maxQueue: 100 }), { code: 'EBADF' })
  })
})
