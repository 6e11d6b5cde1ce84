// A backend that breaks the rules of HTTP: the call ends with its documented answer and no other call is touched.
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { callTool, EXECUTE, textOf } from '../lib/calls.ts'
import { type Expected, expectAll, INTERRUPTED, withApp } from './lib/expected.ts'
import { startRaw } from './lib/servers.ts'

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n'
const GOOD = '{"status":true,"data":{"data":"good","payload":{},"meta":{}}}'
const whole = (body: string): string => `${HEAD}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`

const RAW: readonly (readonly [what: string, answer: (socket: Socket) => void, expected: Expected])[] = [
  ['hangs up without a word', (socket) => socket.end(), INTERRUPTED],
  ['speaks no HTTP', (socket) => socket.end('220 mail.example ESMTP\r\n'), INTERRUPTED],
  ['ends within the head', (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-'), INTERRUPTED],
  [
    'sends a length that is no number',
    (socket) => socket.end(`${HEAD}content-length: 1x\r\n\r\n{}`),
    INTERRUPTED,
  ],
  [
    'sends two lengths',
    (socket) => socket.end(`${HEAD}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`),
    INTERRUPTED,
  ],
  [
    'sends length and chunks',
    (socket) => socket.end(`${HEAD}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`),
    INTERRUPTED,
  ],
  [
    'sends a broken chunk',
    (socket) => socket.end(`${HEAD}transfer-encoding: chunked\r\n\r\nxyz\r\n{}`),
    INTERRUPTED,
  ],
  [
    'ends within the chunks',
    (socket) => socket.end(`${HEAD}transfer-encoding: chunked\r\n\r\n5\r\n{"sta`),
    INTERRUPTED,
  ],
  [
    'ends before its length',
    (socket) => socket.end(`${HEAD}content-length: 500\r\n\r\n${GOOD}`),
    INTERRUPTED,
  ],
  ['sends an endless head', (socket) => socket.end(`${HEAD}x: ${'x'.repeat(100_000)}\r\n\r\n`), INTERRUPTED],
  [
    'switches protocols',
    (socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n'),
    INTERRUPTED,
  ],
]

for (const [what, answer, expected] of RAW) {
  test(`the backend ${what}`, async (t) => {
    const server = await startRaw((socket) => answer(socket))
    t.after(() => server.close())
    const app = await withApp(t, { backend: server.url, config: { backend: { timeout: 3000 } } })
    await expectAll(app, expected)
  })
}

test('a notice before the answer and an answer without length are fine', async (t) => {
  const server = await startRaw((socket, _request, count) => {
    if (count === 1) socket.write(`HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n${whole(GOOD)}`)
    else socket.end(`${HEAD}connection: close\r\n\r\n${GOOD}`)
  })
  t.after(() => server.close())
  const app = await withApp(t, { backend: server.url })
  for (let call = 0; call < 2; call++)
    assert.equal(textOf(await callTool(app.url, 'ductape_execute', EXECUTE)), '"good"')
})

test('an answer that nobody asked for reaches nobody', async (t) => {
  const stray = whole(GOOD.replace('good', 'stray'))
  const server = await startRaw((socket) => socket.write(`${whole(GOOD)}${stray}`))
  t.after(() => server.close())
  const app = await withApp(t, { backend: server.url, config: { backend: { connections: 1 } } })
  const seen = new Set<string>()
  for (let round = 0; round < 10; round++) {
    const answers = await Promise.all([0, 1, 2, 3].map(() => callTool(app.url, 'ductape_execute', EXECUTE)))
    for (const answer of answers) seen.add(textOf(answer))
  }
  assert.ok(!seen.has('"stray"'), 'a call was given the answer of nobody')
  assert.ok(seen.has('"good"'))
})
