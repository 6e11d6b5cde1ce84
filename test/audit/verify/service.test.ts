// What a running service wrote, handed out and showed its witness is good for a verifier that never speaks to it; also after a kill.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { DEMO } from '../../../src/emulator/index.ts'
import { run, temporary } from '../../lib/process.ts'
import { type Served, serve } from '../../lib/serve.ts'

const dir = temporary()
after(() => dir.remove())

const records = join(dir.path, 'records')
const witness = join(dir.path, 'witness')
mkdirSync(records)
const keyFile = dir.file(
  'key.pem',
  generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }) as string,
)
const args = {
  publishable_key: DEMO.main.publishableKey,
  module: 'product',
  method: 'environments.list',
  params: ['ductape:my-product'],
}

const start = (): Promise<Served> =>
  serve({
    config: {
      audit: { mode: 'strict', sink: { directory: records }, witness: { file: witness } },
      receipts: { keys: { file: keyFile } },
    },
    args: ['--emulator'],
  })

const post = (url: string, body: unknown): Promise<Response> =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

const mcp = (url: string, params: unknown): Promise<Response> =>
  post(`${url}/mcp`, { id: 1, jsonrpc: '2.0', method: 'tools/call', params })

const saved = (headers: Headers): string =>
  ['ductape-receipt', 'ductape-receipt-salts'].map((name) => `${name}: ${headers.get(name)}\n`).join('')

describe('the records of a service', () => {
  let receipts = ''
  let keys = ''

  test('calls and refusals, a drain, another start and a kill', async () => {
    const first = await start()
    keys = dir.file(
      'keys.json',
      await (await fetch(`${first.url}/.well-known/ductape-mcp/receipt-keys.json`)).text(),
    )
    const answers = await Promise.all([
      mcp(first.url, { name: 'ductape_execute', arguments: args }),
      mcp(first.url, { name: 'ductape_execute', arguments: { ...args, module: 'nothing' } }),
      ...Array.from({ length: 20 }, () => mcp(first.url, { name: 'ductape_execute', arguments: args })),
    ])
    for (const answer of answers) receipts += `${await answer.text()}\n`
    const rest = await post(`${first.url}/v1/tools/ductape_execute`, args)
    dir.file('headers', saved(rest.headers))
    dir.file('body', await rest.text())
    await fetch(`${first.url}/nothing`)
    first.child.kill('SIGTERM')
    assert.equal((await first.exit).code, 0)
    const second = await start()
    assert.equal((await mcp(second.url, { name: 'ductape_execute', arguments: args })).status, 200)
    second.child.kill('SIGKILL')
    await second.exit
  })

  test('verify, with their witness and all receipts', async () => {
    const argv = [
      'audit',
      'verify',
      records,
      '--keys',
      keys,
      '--witness',
      witness,
      '--receipts',
      dir.file('receipts', receipts),
    ]
    const { code, stderr, stdout } = await run([...argv, '--json'])
    assert.equal(code, 0, stdout + stderr)
    const report = JSON.parse(stdout)
    assert.deepEqual(
      report.chains.map(({ closed, lost, unknown }: Record<string, unknown>) => ({ closed, lost, unknown })),
      [
        { closed: true, lost: 0, unknown: 0 },
        { closed: false, lost: 0, unknown: report.chains[1].unknown },
      ],
    )
    assert.equal(report.receipts, 22)
    assert.deepEqual(report.population.tools['ductape_execute allowed'], 23)
  })

  test('do not verify where one line is missing, and without their key', async () => {
    const file = join(records, readdirSync(records).sort()[0] as string)
    const lines = readFileSync(file, 'utf8').split('\n')
    const cut = dir.file('cut.jsonl', lines.toSpliced(5, 1).join('\n'))
    const { code, stdout } = await run(['audit', 'verify', cut, '--keys', keys])
    assert.equal(code, 1)
    assert.match(stdout, /line 6, chain .*: seq_gap/)
    const other = await run(['audit', 'verify', records, '--keys', dir.file('none.json', '{"keys":[]}')])
    assert.match(other.stdout, /key_unknown/)
  })

  test('prove each receipt, its arguments and its result', async () => {
    const { publishable_key: _, ...disclosed } = args
    const argv = ['receipt', 'verify', join(dir.path, 'headers'), '--keys', keys]
    const files = ['--args', dir.file('args', JSON.stringify(disclosed)), '--result', join(dir.path, 'body')]
    const record = ['--record', join(records, readdirSync(records).sort()[0] as string)]
    const good = await run([...argv, ...files, ...record])
    assert.match(
      good.stdout,
      /^VERIFIED \(signature and path, arguments, result, record\)/,
      good.stdout + good.stderr,
    )
    const bad = await run([
      ...argv,
      '--args',
      dir.file('other', JSON.stringify({ ...disclosed, params: [] })),
    ])
    assert.deepEqual([bad.code, /digest_mismatch/.test(bad.stdout)], [1, true])
  })
})
