// The harness' own arithmetic and framing: a wrong median or a mis-read answer would make every figure wrong.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { describe, it } from 'node:test'
import {
  encode,
  encodeDirect,
  envelope,
  firstId,
  marker,
  mixed,
  reference,
} from '../../bench/harness/calls.ts'
import { parseCores } from '../../bench/harness/machine.ts'
import { connect, reader } from '../../bench/harness/socket.ts'
import {
  median,
  medianRatio,
  percentile,
  rotated,
  seeded,
  slope,
  weighted,
} from '../../bench/harness/stats.ts'
import { missed, render, short } from '../../scripts/verify/report.ts'

describe('arithmetic', () => {
  it('takes the middle', () => {
    assert.equal(median([3, 1, 2]), 2)
    assert.equal(median([4, 1, 3, 2]), 2.5)
    assert.ok(Number.isNaN(median([])))
  })

  it('takes the nearest rank', () => {
    const list = Array.from({ length: 200 }, (_, i) => i + 1)
    assert.equal(percentile(list, 50), 100)
    assert.equal(percentile(list, 99), 198)
    assert.equal(percentile(list, 100), 200)
    assert.equal(percentile([7], 1), 7)
    assert.ok(Number.isNaN(percentile([], 50)))
  })

  it('fits a line', () => {
    assert.equal(slope([1, 2, 3, 4].map((x) => ({ x, y: 5 + 64 * x }))), 64)
    assert.equal(
      slope([
        { x: 0, y: 1 },
        { x: 1, y: 3 },
        { x: 2, y: 2 },
      ]),
      0.5,
    )
    assert.ok(Number.isNaN(slope([{ x: 1, y: 1 }])))
  })

  it('pairs the rounds of a ratio', () => {
    assert.equal(medianRatio([10, 40, 30], [10, 20, 10]), 2)
    assert.throws(() => medianRatio([1], [1, 2]))
  })

  it('turns a list, draws by weight and repeats a seed', () => {
    assert.deepEqual(rotated(['a', 'b', 'c'], 4), ['b', 'c', 'a'])
    assert.deepEqual(rotated([], 3), [])
    assert.deepEqual(
      [0, 0.49, 0.5, 0.999].map((roll) => weighted([1, 1], roll)),
      [0, 0, 1, 1],
    )
    const [a, b] = [seeded(7), seeded(7)]
    const drawn = Array.from({ length: 1000 }, a)
    assert.deepEqual(drawn, Array.from({ length: 1000 }, b))
    assert.ok(drawn.every((x) => x >= 0 && x < 1))
    assert.ok(Math.abs(drawn.reduce((sum, x) => sum + x, 0) / 1000 - 0.5) < 0.05)
  })

  it('reads a list of cores', () => {
    assert.deepEqual(parseCores('0-2,5\n'), [0, 1, 2, 5])
    assert.deepEqual(parseCores('3'), [3])
  })
})

describe('calls', () => {
  it('declares the length that it sends and finds its id', () => {
    for (const kind of mixed) {
      for (const era of ['legacy', 'modern'] as const) {
        const { bytes, idAt } = encode(kind, era, 1)
        const [head = '', body = ''] = bytes.toString().split('\r\n\r\n')
        assert.equal(Number(/Content-Length: (\d+)/.exec(head)?.[1]), Buffer.byteLength(body))
        assert.equal(bytes.toString('latin1', idAt, idAt + 7), String(firstId))
      }
    }
    assert.equal(encodeDirect(1).idAt, -1)
  })

  it('makes the answer as long as asked, with its end marked', () => {
    for (const bytes of [512, 1024, 102_400, 1_048_576]) {
      const text = envelope(bytes)
      assert.equal(Buffer.byteLength(text), bytes)
      assert.equal(JSON.parse(text).data.data.last, marker)
    }
  })

  it('tells a right answer from a wrong one', () => {
    const answer = (status: number, text: string) => ({ status, body: Buffer.from(text) })
    assert.ok(reference.right(answer(200, marker)))
    assert.ok(!reference.right(answer(500, marker)))
    assert.ok(!reference.right(answer(200, `${marker}"isError":true`)))
  })
})

describe('answers from the wire', () => {
  const whole = [
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n',
    'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
  ]

  it('reads them whole and byte by byte', () => {
    for (const [i, text] of whole.entries()) {
      const expected = { status: i === 2 ? 400 : 200, body: i === 2 ? '' : 'hello', close: i === 2 }
      const read = (chunks: Buffer[]) => {
        const { feed } = reader()
        const answers = chunks.map((chunk) => feed(chunk)).filter((answer) => answer !== undefined)
        assert.equal(answers.length, 1)
        return { ...answers[0], body: String(answers[0]?.body) }
      }
      assert.deepEqual(read([Buffer.from(text)]), expected)
      assert.deepEqual(read([...text].map((letter) => Buffer.from(letter))), expected)
    }
  })

  it('refuses what has no end', () => {
    assert.throws(() => reader().feed(Buffer.from('HTTP/1.1 200 OK\r\n\r\n')))
    assert.throws(() => reader().feed(Buffer.from('SSH-2.0\r\n\r\n')))
    assert.throws(() => reader().feed(Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab')))
    assert.throws(() => reader().feed(Buffer.alloc(70_000, 'a')))
  })

  it('dials again after the server closed, and says when no answer came', async () => {
    let served = 0
    const server = net.createServer((socket) => {
      socket.on('error', () => {})
      socket.on('data', () => {
        served += 1
        if (served === 2) socket.destroy()
        else socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok')
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const results: unknown[] = []
    const { port } = server.address() as net.AddressInfo
    await new Promise<void>((resolve) => {
      const connection = connect(
        port,
        () => connection.send(Buffer.from('x')),
        (result) => {
          results.push(result instanceof Error ? 'error' : result?.status)
          if (results.length < 3) return connection.send(Buffer.from('x'))
          connection.close()
          resolve()
        },
      )
    })
    assert.deepEqual(results, [200, 'error', 200])
    server.close()
  })
})

describe('the page of an area', () => {
  it('fails a bound that is missed or was not measured, and no goal', () => {
    const ceiling = { what: 'x', bound: 2, kind: 'ceiling' as const }
    assert.equal(missed({ ...ceiling, measured: 2 }), false)
    assert.equal(missed({ ...ceiling, measured: 2.01 }), true)
    assert.equal(missed({ ...ceiling, measured: Number.NaN }), true)
    assert.equal(missed({ ...ceiling, measured: 1, kind: 'floor' }), true)
  })

  it('shortens figures', () => {
    assert.deepEqual([0.12345, 12.345, 1234.5, Number.NaN].map(short), [
      '0.123',
      '12.3',
      '1235',
      'not measured',
    ])
  })

  it('names commit, machine and seed and escapes cells', () => {
    const page = render(
      {
        area: 'x',
        what: 'A.',
        command: 'c',
        seed: 5,
        figures: [{ title: 'T', columns: ['a|b'], rows: [['1|2']] }],
        bounds: [{ what: 'w', measured: 3, bound: 2, kind: 'goal', unit: 'ms' }],
      },
      { date: '2026-01-02', commit: 'abc', machine: 'two cores' },
    )
    for (const part of [
      'Commit: abc',
      'Machine: two cores',
      'Seed: 5',
      'a\\|b',
      '1\\|2',
      '| w | 3 ms | goal <= 2 ms | not yet |',
    ]) {
      assert.ok(page.includes(part), part)
    }
  })
})
