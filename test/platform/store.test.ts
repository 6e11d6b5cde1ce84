// The store over real Redis and Valkey: the contract, loss and healing, the least rights, TLS, forged entries, and races for one winner.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { StoreUnavailable } from '../../src/core/store.ts'
import { createFleet } from '../../src/keys/fleet.ts'
import { inspectStore, openEntry, readEntry, sealEntry, signEntry } from '../../src/store/index.ts'
import { contract, everyOperation } from '../store/lib/contract.ts'
import { leaseTogether, raceForOne, turn } from '../store/lib/races.ts'
import { openStore, rawClient, SERVERS, type Server, until, workbench } from '../store/lib/server.ts'
import { type Certificates, makeCertificates } from './lib/certs.ts'
import { ROOT, unless } from './lib/tools.ts'

const SEED = 20_260_402
const ROUNDS = 10_000
/** The deadline where a server is frozen. */
const DEADLINE = 1000
/** More than that is a hang, and not a slow machine. */
const HANG = 10_000

const userOf = (password: string): string => {
  const page = readFileSync(join(ROOT, 'docs/operate/store.md'), 'utf8')
  const line =
    /^user ductape-mcp on >PASSWORD .*$/m.exec(page)?.[0] ?? assert.fail('the page has no such line')
  return line.replace('>PASSWORD', `>${password}`)
}

for (const { name, program } of SERVERS) {
  describe(`the store over ${name}`, { skip: unless(program) }, () => {
    const { launch, open, close } = workbench(program)
    const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-store-'))
    let server: Server

    before(async () => {
      server = await launch()
    })
    after(async () => {
      await close()
      rmSync(folder, { recursive: true, force: true })
    })

    contract(name, async () => {
      const one = await openStore({ url: server.url })
      const two = await openStore({ url: server.url })
      const raw = await rawClient(server.url)
      return {
        stores: [one.store, two.store],
        pass: raw.pass,
        async close() {
          await Promise.all([one.store.close(), two.store.close()])
          raw.close()
        },
      }
    })

    test('every key begins with the prefix and ends by itself, but for what is kept for ever', async () => {
      const { store } = await open({ url: server.url, prefix: 'release-b' })
      const raw = await rawClient(server.url)
      const budget = { capacity: 2, refill: 1, per: 60_000 }
      await store.setIfAbsent('k', 'v', 60_000)
      await store.lease('k', budget, 1)
      await store.acquire('k', 'holder', 2, 30_000)
      await store.acquire('k', 'other', 2, 60_000)
      await store.indexAdd('ends', 'm', 60_000, 5)
      await store.indexAdd('stays', 'm', 60_000, 5)
      await store.indexAdd('stays', 'n', undefined, 5)
      const keys = ((await raw.send('KEYS', '*')) as string[]).filter(
        (key) => !key.startsWith('ductape-mcp:'),
      )
      const lasting: string[] = []
      for (const key of keys) {
        const rest = Number(await raw.send('PTTL', key))
        if (rest === -1) lasting.push(key)
        else assert.ok(rest <= 60_001, key)
      }
      assert.deepEqual(
        keys.filter((key) => key !== 'release-b:ready').toSorted(),
        ['budget:k', 'index:ends', 'index:stays', 'places:k', 'value:k'].map((key) => `release-b:${key}`),
      )
      assert.deepEqual(lasting, ['release-b:index:stays'])
      assert.ok(Number(await raw.send('PTTL', 'release-b:places:k')) > 30_000, 'the last holder decides')
      await store.giveBack('k', budget, 1)
      assert.equal(await raw.send('EXISTS', 'release-b:budget:k'), 0, 'a full budget is not kept')
      raw.close()
    })

    test('a server that is not there yet is found when it comes', async () => {
      const late = await launch()
      await late.kill()
      const { store, reasons } = await open({ url: late.url })
      assert.equal(store.available(), false)
      assert.deepEqual(reasons, ['ECONNREFUSED'])
      for (const [what, operation] of everyOperation(store))
        await assert.rejects(operation(), StoreUnavailable, what)
      const found = until(store, true)
      await late.restart()
      await found
      for (const [, operation] of everyOperation(store)) await operation()
    })

    test('killed and started again in the middle of work: what was under way is refused, and it heals', async () => {
      const victim = await launch()
      const { store } = await open({ url: victim.url })
      const { store: other } = await open({ url: victim.url })
      const heard: string[] = []
      await other.subscribe('news', (message) => void heard.push(message))
      let stop = false
      const settled = { done: 0, refused: 0 }
      const work = async (): Promise<void> => {
        while (!stop) {
          const outcomes = await Promise.allSettled(everyOperation(store).map(([, operation]) => operation()))
          for (const outcome of outcomes) {
            if (outcome.status === 'fulfilled') settled.done++
            else {
              assert.ok(outcome.reason instanceof StoreUnavailable, String(outcome.reason))
              settled.refused++
            }
          }
          await turn()
        }
      }
      const workers = [work(), work(), work()]
      const lost = until(store, false)
      while (settled.done < 100) await turn()
      await victim.kill()
      await lost
      while (settled.refused < 50) await turn()
      assert.equal(store.available(), false)
      const found = Promise.all([until(store, true), until(other, true)])
      await victim.restart()
      await found
      const before = settled.done
      while (settled.done < before + 100) await turn()
      stop = true
      await Promise.all(workers)
      await store.publish('news', 'again')
      while (heard.length === 0) await turn()
      assert.deepEqual(heard, ['again'], 'the subscription was taken up again')
      assert.equal(store.fault(), undefined)
    })

    test('a frozen server: every operation is refused in time, and it heals when it thaws', async () => {
      const frozen = await launch()
      const { store, reasons } = await open({ url: frozen.url, timeout: DEADLINE })
      frozen.freeze()
      const begun = performance.now()
      const outcomes = await Promise.allSettled(everyOperation(store).map(([, operation]) => operation()))
      const first = performance.now() - begun
      for (const outcome of outcomes)
        assert.ok(outcome.status === 'rejected' && outcome.reason instanceof StoreUnavailable)
      assert.ok(first < DEADLINE + HANG, `${first} ms`)
      assert.equal(store.available(), false)
      assert.ok(reasons.includes('timeout'), reasons.join())
      // From here on nothing waits for the deadline again.
      for (let i = 0; i < 100; i++)
        for (const [, operation] of everyOperation(store)) await assert.rejects(operation(), StoreUnavailable)
      assert.ok(performance.now() - begun < DEADLINE + HANG)
      const found = until(store, true)
      frozen.thaw()
      await found
      for (const [, operation] of everyOperation(store)) await operation()
    })

    test('a frozen server is noticed without any operation, and closing does not wait for it', async () => {
      const frozen = await launch()
      const { store } = await open({ url: frozen.url, timeout: DEADLINE })
      const lost = until(store, false)
      frozen.freeze()
      await lost
      const begun = performance.now()
      const waiting = await openStore({ url: frozen.url, timeout: DEADLINE })
      assert.equal(waiting.store.available(), false)
      assert.deepEqual(waiting.reasons, ['timeout'])
      await waiting.store.close()
      await store.close()
      assert.ok(performance.now() - begun < DEADLINE + HANG)
    })

    test('a replica and a full server count as lost', async () => {
      const replica = await launch({ args: ['--replicaof', '127.0.0.1', String(server.port)] })
      const raw = await rawClient(replica.url)
      while (!String(await raw.send('INFO', 'replication')).includes('master_link_status:up')) await turn()
      const following = await open({ url: replica.url })
      assert.equal(following.store.available(), false)
      assert.equal(following.store.fault(), 'READONLY')
      const found = until(following.store, true)
      await raw.send('REPLICAOF', 'NO', 'ONE')
      await found
      const lost = until(following.store, false)
      await raw.send('REPLICAOF', '127.0.0.1', String(server.port))
      await assert.rejects(following.store.setIfAbsent('k', 'v', 1000), StoreUnavailable)
      await lost
      raw.close()
      const full = await launch({ args: ['--maxmemory', '1', '--maxmemory-policy', 'noeviction'] })
      const { store } = await open({ url: full.url })
      assert.equal(store.fault(), 'OOM')
    })

    test('a user with the rights of the documentation can do everything, and nothing else', async () => {
      const acl = join(folder, 'users.acl')
      writeFileSync(acl, `user default on >admin-password ~* &* +@all\n${userOf('first-password')}\n`)
      const guarded = await launch({ args: ['--aclfile', acl] })
      const admin = await rawClient(guarded.url, { username: 'default', password: 'admin-password' })
      const files = new Map([['password', 'first-password\n']])
      const readFile = (file: string): string => files.get(file) ?? assert.fail(file)
      const settings = { url: guarded.url, username: 'ductape-mcp', password: { file: 'password' } }
      const { store, reasons } = await open(settings, readFile)
      for (const [, operation] of everyOperation(store)) await operation()
      assert.deepEqual(
        (await inspectStore(store)).map(({ status }) => status),
        ['ok', 'ok', 'ok', 'ok'],
      )
      assert.deepEqual(await admin.send('ACL', 'LOG'), [], 'nothing was refused')
      const raw = await rawClient(guarded.url, { username: 'ductape-mcp', password: 'first-password' })
      for (const command of [
        ['KEYS', '*'],
        ['CONFIG', 'GET', '*'],
        ['GET', 'other:k'],
        ['FLUSHALL'],
        ['PUBLISH', 'x', 'y'],
      ])
        await assert.rejects(raw.send(...command), /NOPERM/, command.join(' '))
      raw.close()

      // Rotation: the file is read at the next connection.
      await admin.send('ACL', 'SETUSER', 'ductape-mcp', 'resetpass', '>second-password')
      const lost = until(store, false)
      await admin.send('CLIENT', 'KILL', 'USER', 'ductape-mcp')
      await lost
      while (!reasons.includes('WRONGPASS')) await turn()
      const error = await store.get('k').catch((reason: unknown) => reason)
      assert.ok(error instanceof StoreUnavailable && !String(error.stack).includes('password'))
      const found = until(store, true)
      files.set('password', 'second-password')
      await found
      for (const [, operation] of everyOperation(store)) await operation()
      // A file that is gone or empty is no way in as the default user.
      for (const content of [undefined, '', '\n']) {
        if (content === undefined) files.delete('password')
        else files.set('password', content)
        const closed = await open(settings, readFile)
        assert.deepEqual(closed.reasons, ['file'])
      }

      // doctor names what is missing.
      files.set('password', 'second-password')
      await admin.send('ACL', 'SETUSER', 'ductape-mcp', '-getdel', '-zadd', 'resetchannels')
      const { store: poor } = await open(settings, readFile)
      const found2 = await inspectStore(poor)
      assert.deepEqual(
        found2.filter(({ status }) => status === 'finding').map((one) => one.found),
        ['the store refuses GETDEL, acquire, index, SUBSCRIBE, PUBLISH'],
      )
      await admin.send('ACL', 'SETUSER', 'ductape-mcp', '-info')
      assert.match((await inspectStore(poor))[0]?.found ?? '', /INFO is refused/)
      admin.close()
    })

    test('doctor says what it thinks of the server', async () => {
      const { store } = await open({ url: server.url })
      const good = await inspectStore(store)
      assert.match(good[0]?.found ?? '', new RegExp(`^${name} \\d+\\.\\d+\\.\\d+$`))
      assert.ok(good.every(({ status }) => status === 'ok'))
      const forgetful = await launch({
        args: ['--maxmemory-policy', 'allkeys-lru', '--appendonly', 'yes', '--dir', folder],
      })
      const bad = await inspectStore((await open({ url: forgetful.url })).store)
      assert.deepEqual(
        bad.filter(({ status }) => status === 'finding').map(({ remedy }) => remedy),
        ['Set maxmemory-policy noeviction on the server.'],
      )
      await forgetful.kill()
      const gone = await inspectStore((await open({ url: forgetful.url })).store)
      assert.deepEqual(
        gone.map(({ status, found }) => [status, found]),
        [['finding', 'the store cannot be reached: ECONNREFUSED']],
      )
    })

    test('entries that were forged, changed or moved in the server read as absent', async () => {
      const { store } = await open({ url: server.url })
      const raw = await rawClient(server.url)
      const fleet = createFleet([{ id: 'k1', secret: Buffer.alloc(32, 1) }], true)
      const stranger = createFleet([{ id: 'k1', secret: Buffer.alloc(32, 2) }], true)
      const stored = (key: string): string => `ductape-mcp:value:${key}`
      const kinds = [
        [signEntry, readEntry],
        [sealEntry, openEntry],
      ] as const
      for (const [write, read] of kinds) {
        await raw.send('DEL', stored('approval:a'), stored('approval:b'))
        await store.setIfAbsent('approval:a', write(fleet, 'approval:a', 'approved'), 60_000)
        assert.equal(read(fleet, 'approval:a', await store.get('approval:a')), 'approved')
        await raw.send('COPY', stored('approval:a'), stored('approval:b'))
        assert.equal(read(fleet, 'approval:b', await store.get('approval:b')), undefined)
        await raw.send('SET', stored('approval:b'), write(stranger, 'approval:b', 'approved'))
        assert.equal(read(fleet, 'approval:b', await store.get('approval:b')), undefined)
        await raw.send('SETRANGE', stored('approval:a'), '20', 'X!')
        assert.equal(read(fleet, 'approval:a', await store.get('approval:a')), undefined)
      }
      raw.close()
    })

    const three = async () =>
      (await Promise.all([1, 2, 3].map(() => open({ url: server.url })))).map(({ store }) => store)

    test(`never two winners (seed ${SEED}, ${ROUNDS} rounds over 3 connections)`, async () => {
      await raceForOne(await three(), SEED, ROUNDS)
    })

    test(`three connections are never granted more than the capacity and what came in (seed ${SEED})`, async () => {
      const raw = await rawClient(server.url)
      await leaseTogether(await three(), raw.time, SEED, 40)
      raw.close()
    })
  })
}

describe('the store over TLS', { skip: unless('redis-server', 'openssl') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-store-tls-'))
  const { launch, open, close } = workbench('redis-server')
  let server: Server
  let certs: Certificates
  let strangers: Certificates
  const readFile = (file: string): string =>
    file === 'client.crt' || file === 'client.key'
      ? certs.client[file === 'client.crt' ? 'cert' : 'key'].toString()
      : readFileSync(file, 'utf8')
  const client = { cert: { file: 'client.crt' }, key: { file: 'client.key' } }

  before(async () => {
    certs = makeCertificates(folder, 'store')
    strangers = makeCertificates(folder, 'stranger')
    const files = ['--tls-cert-file', certs.server.certFile, '--tls-key-file', certs.server.keyFile]
    server = await launch({
      tls: true,
      args: [
        ...files,
        ...['--tls-ca-cert-file', certs.caFile, '--tls-auth-clients', 'yes'],
        ...['--bind', '127.0.0.1', '127.0.0.2'],
      ],
    })
  })
  after(async () => {
    await close()
    rmSync(folder, { recursive: true, force: true })
  })

  test('with the right certificates it serves', async () => {
    const { store } = await open({ url: server.url, ca: { file: certs.caFile }, ...client }, readFile)
    for (const [, operation] of everyOperation(store)) await operation()
  })

  test('a server that nobody vouches for, or for another name, is not believed', async () => {
    const unknown = await open({ url: server.url, ca: { file: strangers.caFile }, ...client }, readFile)
    assert.match(unknown.store.fault() ?? '', /CERT|UNABLE_TO/)
    const builtIn = await open({ url: server.url, ...client }, readFile)
    assert.match(builtIn.store.fault() ?? '', /CERT|UNABLE_TO/)
    const url = `rediss://127.0.0.2:${server.port}/0`
    const misnamed = await open({ url, ca: { file: certs.caFile }, ...client }, readFile)
    assert.equal(misnamed.store.fault(), 'ERR_TLS_CERT_ALTNAME_INVALID')
  })

  test('without a client certificate that the server asks for there is no way in', async () => {
    const { store } = await open({ url: server.url, ca: { file: certs.caFile } }, readFile)
    assert.equal(store.available(), false)
    for (const [name, operation] of everyOperation(store))
      await assert.rejects(operation(), StoreUnavailable, name)
  })

  test('plain text to a TLS listener is refused in time', async () => {
    const { store } = await open({ url: server.url.replace('rediss', 'redis') })
    assert.equal(store.available(), false)
  })
})
