// `ductape-mcp call` through real nginx with a client certificate, as the pod of helm test runs it.
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { build } from '../../scripts/build.ts'
import { callCommand } from '../../src/client/call.ts'
import { DEMO, type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { capture } from '../client/lib.ts'
import { freePort } from '../lib/ports.ts'
import { type Certificates, type KeyPair, makeCertificates } from './lib/certs.ts'
import { type Nginx, sharedFolder, startNginx } from './lib/nginx.ts'
import { complete, type Running, start } from './lib/process.ts'
import { mtlsSection, POLICY } from './lib/service.ts'
import { ROOT, unless } from './lib/tools.ts'

const LIST = [
  'ductape_execute',
  `publishable_key=${DEMO.main.publishableKey}`,
  'module=product',
  'method=environments.list',
  'params=["ductape:my-product"]',
]

describe('call with a client certificate', { skip: unless('nginx', 'openssl') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-call-'))
  const stranger = mkdtempSync(join(tmpdir(), 'ductape-mcp-call-stranger-'))
  let certs: Certificates
  let emulator: Emulator
  let nginx: Nginx
  let service: Running

  before(async () => {
    chmodSync(folder, 0o755)
    emulator = await startEmulator()
    certs = makeCertificates(folder, 'proxy')
    const socket = join(sharedFolder(join(folder, 'run')), 'mcp.sock')
    nginx = await startNginx(folder, certs, socket)
    const live = sharedFolder(join(folder, 'live'))
    writeFileSync(join(live, 'policy.yaml'), POLICY)
    const config = {
      version: 1,
      publicUrl: `https://localhost:${nginx.port}`,
      listen: `unix:${socket}`,
      ops: 'off',
      backend: { url: emulator.url },
      live,
      receipts: { keys: 'boot' },
      auth: { mtls: mtlsSection(certs.caFile) },
    }
    writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config))
    const main = join(ROOT, 'src/main.ts')
    service = start(process.execPath, [main, 'serve', '--config', join(folder, 'config.yaml')], {
      cwd: folder,
      env: {},
    })
    await service.line(/listening on unix:/)
  })
  after(async () => {
    await nginx?.close()
    await service?.stop()
    await emulator?.close()
    for (const each of [folder, stranger]) rmSync(each, { recursive: true, force: true })
  })

  const call = async (
    identity: KeyPair,
    ca: string,
    args: readonly string[],
    url = `https://localhost:${nginx.port}/mcp`,
  ) => {
    const named = { 'c.crt': identity.cert.toString(), 'c.key': identity.key.toString(), 'ca.crt': ca }
    const { io, out, err } = capture({}, named)
    const files = ['--client-cert=c.crt', '--client-key=c.key', '--ca=ca.crt']
    const code = await callCommand(['--url', url, ...files, ...args], io)
    return { code, out: out(), err: err() }
  }

  test('a tool is called, and its text is printed', async () => {
    const { code, out, err } = await call(certs.client, certs.ca, LIST)
    assert.deepEqual({ code, err }, { code: 0, err: '' })
    assert.match(out, /"slug": "dev"/)
  })

  test('the same from the bundle, which is what the image holds', async () => {
    const { entry } = await build(join(folder, 'dist'))
    const files = { cert: certs.client.cert, key: certs.client.key, ca: certs.ca }
    for (const [name, pem] of Object.entries(files)) writeFileSync(join(folder, `${name}.pem`), pem)
    const named = ['cert', 'key'].map((name) => `--client-${name}=${join(folder, `${name}.pem`)}`)
    const url = `https://localhost:${nginx.port}/mcp`
    const args = [entry, 'call', '--url', url, ...named, `--ca=${join(folder, 'ca.pem')}`, ...LIST]
    const { code, stdout, stderr } = await complete(process.execPath, args)
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.match(stdout, /"slug": "dev"/)
  })

  test('a caller whom the service refuses: 1, and 0 where a refusal is an answer too', async () => {
    const unknown = certs.issue('URI:spiffe://example.test/ns/others/sa/x')
    const plain = await call(unknown, certs.ca, ['--list'])
    assert.equal(plain.code, 1)
    assert.match(plain.err, /HTTP status 401 \(certificate_refused\)/)
    const accepted = await call(unknown, certs.ca, ['--list', '--accept-refusal'])
    assert.deepEqual(accepted, { ...plain, code: 0 })
  })

  test('a refused operation is an answer too', async () => {
    const write = [
      'ductape_execute',
      `publishable_key=${DEMO.main.publishableKey}`,
      'module=databases',
      'method=insert',
      'params=[{"product":"ductape:my-product","env":"dev","database":"main-db","table":"t","data":{}}]',
    ]
    assert.equal((await call(certs.client, certs.ca, write)).code, 1)
    const accepted = await call(certs.client, certs.ca, [...write, '--accept-refusal'])
    assert.match(accepted.err, /^Access denied: /)
    assert.equal(accepted.code, 0)
  })

  test('what is not an answer of the service fails all the same', async () => {
    const other = makeCertificates(stranger, 'stranger')
    // nginx refuses it before the service sees it.
    const refused = await call(other.client, certs.ca, ['--list', '--accept-refusal'])
    assert.equal(refused.code, 1)
    const untrusted = await call(certs.client, other.ca, ['--list', '--accept-refusal'])
    assert.equal(untrusted.code, 1)
    assert.match(untrusted.err, /certificate authority is not trusted/)
    const nothing = await call(
      certs.client,
      certs.ca,
      ['--list', '--accept-refusal'],
      `https://localhost:${await freePort()}/mcp`,
    )
    assert.match(nothing.err, /nothing listens there/)
  })

  test('wrong options are usage errors', async () => {
    const wrong = async (args: string[], said: RegExp): Promise<void> => {
      const { io } = capture({}, { a: 'no PEM' })
      await assert.rejects(callCommand([...args, '--list'], io), said)
    }
    await wrong(['--url=https://localhost/mcp', '--client-cert=a'], /belong together/)
    await wrong(['--url=http://localhost/mcp', '--ca=a'], /https URL/)
    await wrong(['--url=https://localhost/mcp', '--ca=b'], /--ca: the file "b" cannot be read/)
    await wrong(['--url=https://localhost/mcp', '--client-cert=a', '--client-key=a'], /in PEM/)
  })
})
