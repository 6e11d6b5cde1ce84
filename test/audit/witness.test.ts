// The witness: order, what happens while it takes nothing, and that the newest checkpoints win.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { appendTo, createWitness } from '../../src/audit/witness.ts'
import { postText } from '../../src/outbound.ts'
import { listenLocal } from '../lib/ports.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a witness', () => {
  test('gets every checkpoint, one after the other', async () => {
    const got: string[] = []
    let under = 0
    const witness = createWitness({
      async send(jws) {
        assert.equal(++under, 1, 'one at a time')
        await turn()
        got.push(jws)
        under--
      },
      now: Date.now,
      onEvent: () => undefined,
    })
    for (const jws of ['a', 'b', 'c']) witness.tell(jws)
    await witness.settled()
    assert.deepEqual(got, ['a', 'b', 'c'])
    assert.deepEqual(witness.stats(), { told: 3, failures: 0, dropped: 0, failing: undefined })
  })

  test('that is away is asked again, seldom; the newest 64 wait, and failing and healing are told once', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const got: string[] = []
    const events: string[] = []
    let away = true
    const witness = createWitness({
      send: async (jws) => {
        if (away) throw Object.assign(new Error('no'), { code: 'ECONNREFUSED' })
        got.push(jws)
      },
      now: () => 7,
      onEvent: (name, { reason }) => events.push(`${name} ${reason ?? ''}`),
    })
    for (let i = 0; i < 100; i++) {
      witness.tell(String(i))
      await turn()
    }
    assert.equal(witness.stats().failures, 1, 'more checkpoints are no more attempts')
    assert.equal(witness.stats().failing, 7)
    for (let i = 0; i < 600; i++) {
      t.mock.timers.tick(1000)
      await turn()
    }
    assert.ok(witness.stats().failures < 20, `${witness.stats().failures} attempts in ten minutes`)
    away = false
    t.mock.timers.tick(60_000)
    await turn()
    await witness.settled()
    assert.deepEqual(
      got,
      Array.from({ length: 64 }, (_, i) => String(i + 36)),
    )
    assert.deepEqual(events, ['witness_failed ECONNREFUSED', 'witness_again '])
    assert.equal(witness.stats().dropped, 36)
    assert.equal(witness.stats().failing, undefined)
  })

  test('may be a file that is moved away between two checkpoints', async () => {
    const directory = fs.mkdtempSync(join(tmpdir(), 'ductape-mcp-witness-'))
    const path = join(directory, 'witness')
    const send = appendTo(path)
    await send('a.b.c')
    await send('d.e.f')
    assert.equal(fs.readFileSync(path, 'utf8'), 'a.b.c\nd.e.f\n')
    assert.equal(fs.statSync(path).mode & 0o777, 0o600)
    fs.renameSync(path, `${path}.1`)
    await send('g.h.i')
    assert.equal(fs.readFileSync(path, 'utf8'), 'g.h.i\n')
    await assert.rejects(appendTo(join(directory, 'none', 'witness'))('x'), { code: 'ENOENT' })
    fs.rmSync(directory, { recursive: true })
  })

  test('may be an HTTP server, which gets one POST', async () => {
    const got: {
      method: string | undefined
      url: string | undefined
      type: string | undefined
      body: string
    }[] = []
    const server = createServer(async (message, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of message) chunks.push(chunk as Buffer)
      const { method, url, headers } = message
      got.push({ method, url, type: headers['content-type'], body: Buffer.concat(chunks).toString() })
      response.writeHead(202).end()
    })
    const port = await listenLocal(server)
    const target = {
      url: `http://127.0.0.1:${port}/log?a=b`,
      limit: 1024,
      timeout: 5000,
      connectTimeout: 5000,
      ca: undefined,
      proxy: undefined,
    }
    try {
      const { status } = await postText('witness', target, ['content-type', 'application/jose'], 'a.b.c')
      assert.equal(status, 202)
      assert.deepEqual(got, [{ method: 'POST', url: '/log?a=b', type: 'application/jose', body: 'a.b.c' }])
    } finally {
      server.close()
    }
  })
})
