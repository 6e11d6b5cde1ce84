// What `call --receipt` saves from a running service is good for `receipt verify`, also after the file of the signing key was replaced under it.
import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { DEMO } from '../../src/emulator/index.ts'
import { type Ended, run, temporary } from '../lib/process.ts'
import { type Served, serve } from '../lib/serve.ts'

const DEADLINE_MS = 20_000
const dir = temporary()
const at = (name: string): string => join(dir.path, name)
const records = at('records')
const KEYS_PATH = '/.well-known/ductape-mcp/receipt-keys.json'

const keyPair = (): { privateKey: KeyObject; publicKey: KeyObject } => generateKeyPairSync('ed25519')
const pem = (key: KeyObject): string =>
  key.export({ format: 'pem', type: key.type === 'private' ? 'pkcs8' : 'spki' }) as string
/** Files that a service watches are replaced in one step. */
const replace = (name: string, text: string): void => renameSync(dir.file(`${name}.new`, text), at(name))

const ARGS = { module: 'product', method: 'environments.list', params: ['ductape:my-product'] }
const wordsOf = (args: object): string[] =>
  Object.entries(args).map(([name, value]) => `${name}=${JSON.stringify(value)}`)

describe('the receipt of a call', () => {
  const old = keyPair()
  const next = keyPair()
  let service: Served

  before(async () => {
    mkdirSync(records)
    replace('key.pem', pem(old.privateKey))
    service = await serve({
      config: {
        audit: { mode: 'strict', sink: { directory: records } },
        receipts: { keys: { file: at('key.pem') } },
      },
      args: ['--emulator'],
    })
  })
  after(async () => {
    service?.child.kill('SIGKILL')
    await service?.exit
    dir.remove()
  })

  const call = (receipt: string, args: object = ARGS): Promise<Ended> =>
    run(
      [
        'call',
        '--url',
        `${service.url}/mcp`,
        '--receipt',
        at(receipt),
        '--receipt-keys',
        at(`${receipt}.keys`),
        'ductape_execute',
        ...wordsOf(args),
      ],
      { env: { DUCTAPE_PUBLISHABLE_KEY: DEMO.main.publishableKey } },
    )
  const verify = (receipt: string, keys: string, ...more: string[]): Promise<Ended> =>
    run(['receipt', 'verify', at(receipt), '--keys', at(keys), ...more])
  const published = async (): Promise<string[]> => {
    const { keys } = (await (await fetch(`${service.url}${KEYS_PATH}`)).json()) as { keys: { kid: string }[] }
    return keys.map(({ kid }) => kid)
  }

  test('is saved with the keys that are published for it, and verifies with its arguments', async () => {
    const done = await call('first')
    assert.deepEqual([done.code, done.stderr], [0, ''])
    const args = dir.file('args', JSON.stringify(ARGS))
    const good = await verify('first', 'first.keys', '--args', args)
    assert.match(good.stdout, /^VERIFIED \(signature and path, arguments\)/, good.stdout + good.stderr)
    const other = dir.file('other', JSON.stringify({ ...ARGS, params: ['ductape:another'] }))
    const bad = await verify('first', 'first.keys', '--args', other)
    assert.deepEqual([bad.code, /digest_mismatch/.test(bad.stdout)], [1, true])
  })

  test('of a refused call is saved as well', async () => {
    const done = await call('refused', { ...ARGS, module: 'nothing' })
    assert.equal(done.code, 1)
    assert.match(done.stderr, /^\[module_unknown\]/)
    const { code, stdout, stderr } = await verify('refused', 'refused.keys')
    assert.equal(code, 0, stdout + stderr)
  })

  test('verifies before and after the key is replaced, and the log shows when it was', async () => {
    const [first] = await published()
    const older = `not-after: ${new Date(Date.now() + 3_600_000).toISOString()}\n${pem(old.publicKey)}`
    replace('key.pem', `${pem(next.privateKey)}${older}`)
    const end = Date.now() + DEADLINE_MS
    while ((await published()).length < 2 && Date.now() < end)
      await new Promise((done) => setTimeout(done, 100))
    const both = await published()
    assert.equal(both.length, 2, service.stderr())
    assert.equal(both[1], first)

    const done = await call('second')
    assert.deepEqual([done.code, done.stderr], [0, ''])
    for (const receipt of ['first', 'second']) {
      const { code, stdout, stderr } = await verify(receipt, 'second.keys')
      assert.equal(code, 0, stdout + stderr)
    }
    // Who has only the old key cannot know the new one.
    const stranger = await verify('second', 'first.keys')
    assert.deepEqual([stranger.code, /key_unknown/.test(stranger.stdout)], [1, true])

    service.child.kill('SIGTERM')
    assert.equal((await service.exit).code, 0)
    const lines = readdirSync(records)
      .toSorted()
      .flatMap((name) => readFileSync(join(records, name), 'utf8').trim().split('\n'))
      .map((line) => JSON.parse(line) as { type: string; key?: { jwk?: { x?: string } } })
    const rotations = lines.filter(({ type }) => type === 'key')
    assert.deepEqual(
      rotations.map(({ key }) => key?.jwk?.x),
      [next.publicKey.export({ format: 'jwk' }).x],
    )
    const report = await run(['audit', 'verify', records, '--keys', at('second.keys')])
    assert.equal(report.code, 0, report.stdout + report.stderr)
    const without = await run(['audit', 'verify', records, '--keys', at('first.keys')])
    assert.deepEqual([without.code, /key_unknown/.test(without.stdout)], [1, true])
  })
})
