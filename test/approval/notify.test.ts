// What people are told of a call that waits: a signed POST without arguments, three tries, and a call that never waits for it.
import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import {
  createNotifier,
  type Notice,
  type NotifierPorts,
  PAUSES,
} from '../../src/admission/approval/notify.ts'
import { noticesOf } from '../../src/cli/notify.ts'
import { outboundSection } from '../../src/config/outbound.ts'
import { configOf } from '../lib/app.ts'
import { temporary } from '../lib/process.ts'

const NOTICE: Notice = {
  type: 'approval.asked',
  id: 'AAAAAAAAAAAAAAAAAAAAAA',
  url: 'https://people.example.com/approvals#AAAAAAAAAAAAAAAAAAAAAA',
  risks: ['data_loss', 'sensitive'],
  expiresAt: Date.UTC(2026, 10, 1, 12, 15),
}
const NOW = Date.UTC(2026, 10, 1, 12)
const keys = generateKeyPairSync('ed25519')

function harness(answers: (number | Error)[], ports: Partial<NotifierPorts> = {}) {
  const sent: { headers: Map<string, string>; body: string }[] = []
  const waits: number[] = []
  const events: unknown[] = []
  let time = NOW
  const notifier = createNotifier({
    async send(headers, body) {
      const pairs = new Map<string, string>()
      for (let at = 0; at < headers.length; at += 2) pairs.set(String(headers[at]), String(headers[at + 1]))
      sent.push({ headers: pairs, body })
      const answer = answers.shift() ?? 200
      if (typeof answer !== 'number') throw answer
      return answer
    },
    sign: async (text) => sign(null, Buffer.from(text), keys.privateKey).toString('base64'),
    now: () => time,
    async wait(ms) {
      waits.push(ms)
      time += ms
    },
    onEvent: (name, fields) => events.push([name, fields]),
    ...ports,
  })
  return { notifier, sent, waits, events }
}

describe('a notice', () => {
  test('is signed in the form of Standard Webhooks, and says id, address, risk and end in words too', async () => {
    const { notifier, sent } = harness([204])
    notifier.tell(NOTICE)
    await notifier.settled()
    const [{ headers, body } = { headers: new Map<string, string>(), body: '' }] = sent
    assert.equal(headers.get('content-type'), 'application/json')
    assert.equal(headers.get('webhook-id'), `msg_${NOTICE.id}`)
    assert.equal(headers.get('webhook-timestamp'), String(NOW / 1000))
    const [version, signature = ''] = String(headers.get('webhook-signature')).split(',')
    assert.equal(version, 'v1a')
    const text = `${headers.get('webhook-id')}.${headers.get('webhook-timestamp')}.${body}`
    const publicKey = createPublicKey(keys.privateKey)
    const isGood = (of: string) => verify(null, Buffer.from(of), publicKey, Buffer.from(signature, 'base64'))
    assert.deepEqual([isGood(text), isGood(`${text} `)], [true, false])
    assert.deepEqual(JSON.parse(body), {
      type: 'approval.asked',
      timestamp: '2026-11-01T12:00:00.000Z',
      data: {
        id: NOTICE.id,
        risk: ['data_loss', 'sensitive'],
        url: NOTICE.url,
        expiresAt: '2026-11-01T12:15:00.000Z',
      },
      text: `A call waits for approval. This operation can cause data loss; Arguments may contain sensitive data. ${NOTICE.url} (until 2026-11-01T12:15:00.000Z)`,
    })
    assert.deepEqual(notifier.stats(), { sent: 1, failed: 0, dropped: 0 })
  })

  test('is tried three times, each with a time of its own, then counted', async () => {
    const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' })
    const { notifier, sent, waits, events } = harness([500, reset, 302])
    notifier.tell(NOTICE)
    await notifier.settled()
    assert.deepEqual(waits, PAUSES)
    const times = sent.map(({ headers }) => Number(headers.get('webhook-timestamp')) - NOW / 1000)
    assert.deepEqual(times, [0, 1, 6])
    assert.equal(new Set(sent.map(({ headers }) => headers.get('webhook-id'))).size, 1)
    assert.deepEqual(notifier.stats(), { sent: 0, failed: 1, dropped: 0 })
    assert.deepEqual(events, [['notification_failed', { id: NOTICE.id, reason: 'status 302' }]])
  })

  test('that the second try brings is not sent a third time', async () => {
    const { notifier, sent } = harness([503, 200])
    notifier.tell(NOTICE)
    await notifier.settled()
    assert.equal(sent.length, 2)
    assert.deepEqual(notifier.stats(), { sent: 1, failed: 0, dropped: 0 })
  })

  test('is not kept where a hundred are under way; nothing is tried after the end', async () => {
    const { promise, resolve } = Promise.withResolvers<number>()
    const { notifier } = harness([], { send: () => promise })
    for (let at = 0; at < 120; at++) notifier.tell(NOTICE)
    assert.equal(notifier.stats().dropped, 20)
    notifier.close()
    resolve(500)
    await notifier.settled()
    notifier.tell(NOTICE)
    assert.deepEqual(notifier.stats(), { sent: 0, failed: 100, dropped: 21 })
  })

  test('where it cannot be signed is counted, and harms nobody', async () => {
    const { notifier, sent } = harness([], { sign: () => Promise.reject(new Error('no key')) })
    notifier.tell(NOTICE)
    await notifier.settled()
    assert.deepEqual([sent.length, notifier.stats().failed], [0, 1])
  })
})

describe('the way to the receiver', () => {
  test('takes the path from its file each time, sends what it is given and gives the status', async () => {
    const folder = temporary()
    const seen: string[] = []
    const receiver = http.createServer((request, response) => {
      void request.toArray().then((chunks) => {
        seen.push(
          `${request.method} ${request.url} ${request.headers['webhook-id']} ${Buffer.concat(chunks)}`,
        )
        response.writeHead(request.url === '/moved?sig=2' ? 202 : 307, { location: '/elsewhere' }).end('ok')
      })
    })
    receiver.listen(0, '127.0.0.1')
    await once(receiver, 'listening')
    try {
      const file = folder.file('path', '/services/T1/secret?sig=1\n')
      const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`
      const config = {
        ...configOf(),
        outbound: outboundSection.parse({ notifications: { url, path: { file } } }),
      }
      const { readFileSync } = await import('node:fs')
      const send = noticesOf(config, { readFile: (name) => readFileSync(name, 'utf8') })
      assert.equal(await send?.(['webhook-id', 'm1'], 'one'), 307)
      writeFileSync(file, '/moved?sig=2')
      assert.equal(await send?.(['webhook-id', 'm2'], 'two'), 202)
      // A redirect is not followed.
      assert.deepEqual(seen, ['POST /services/T1/secret?sig=1 m1 one', 'POST /moved?sig=2 m2 two'])
      for (const bad of ['//evil.example/x', 'x', '', '/a b', '@evil.example/']) {
        writeFileSync(file, bad)
        await assert.rejects(async () => send?.([], 'three'), /not a path/)
      }
      assert.equal(noticesOf(configOf(), { readFile: () => '' }), undefined)
    } finally {
      receiver.close()
      receiver.closeAllConnections()
      folder.remove()
    }
  })

  test('is https, or loopback, without user and fragment; a path stands in one place', () => {
    const faults = (value: object) =>
      outboundSection
        .safeParse({ notifications: value })
        .error?.issues.map(({ path, message }) => `${path.join('.')} ${message}`)
    assert.equal(faults({ url: 'https://hooks.example.com/a?b=c' }), undefined)
    assert.equal(faults({ url: 'http://127.0.0.1:9/a' }), undefined)
    assert.equal(faults({ url: 'https://hooks.example.com', path: { file: '/p' } }), undefined)
    assert.match(String(faults({ url: 'http://hooks.example.com/' })), /is plain http/)
    assert.match(String(faults({ url: 'https://a:b@hooks.example.com/' })), /user name/)
    assert.match(String(faults({ url: 'https://hooks.example.com/#x' })), /fragment/)
    assert.match(String(faults({ url: 'ftp://hooks.example.com/' })), /must be a URL/)
    assert.match(String(faults({ url: 'https://hooks.example.com/a', path: { file: '/p' } })), /has a path/)
  })
})
