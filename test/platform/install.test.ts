// The commands of docs/operate/install.md up to the cluster itself: certificates are made as it says, and both installations render.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { complete } from './lib/process.ts'
import { path, ROOT, unless } from './lib/tools.ts'

const text = readFileSync(join(ROOT, 'docs/operate/install.md'), 'utf8')
const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, body = '']) => body)
const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-install-'))
after(() => rmSync(folder, { recursive: true, force: true }))

// A clone as the reader has it, but for what the commands write.
for (const name of ['scripts', 'helm']) symlinkSync(join(ROOT, name), join(folder, name))

/** The commands of the page that begin with this, lines that go on joined. */
const commands = (start: string): string[] =>
  blocks
    .flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'))
    .filter((line) => line.startsWith(start))

interface Manifest {
  kind: string
  metadata: { name: string }
  spec?: { replicas?: number; template?: { spec: { containers: { image: string }[]; volumes: unknown } } }
}

/** What an `helm install` of the page would apply. */
async function rendered(install: string, chart: string): Promise<Manifest[]> {
  const args = install
    .replace(/^helm install/, '')
    .replace(/ --wait\b/, '')
    .replace(/oci:\S+ --version \S+/, chart)
    .replaceAll(/"\$\{IMAGES\}([\w-]+)"/g, '127.0.0.1:5000/$1')
  // What a cluster with cert-manager would say of itself.
  const apis = ['cert-manager.io/v1', 'cert-manager.io/v1/Certificate'].flatMap((api) => [
    '--api-versions',
    api,
  ])
  const words = ['template', ...args.trim().split(/\s+/), '--kube-version', '1.34.0', ...apis]
  const { code, stdout, stderr } = await complete(path('helm'), words, { cwd: folder })
  assert.equal(code, 0, stderr)
  return parseAllDocuments(stdout)
    .map((document) => document.toJS() as Manifest | null)
    .filter((document) => document !== null)
}

test('the certificates are those that the Secrets are made from', { skip: unless('openssl') }, async () => {
  const [make = '', ...others] = commands('scripts/certs ')
  assert.deepEqual(others, [])
  const { code, stderr } = await complete('sh', ['-euc', make], { cwd: folder })
  assert.equal(code, 0, stderr)
  const files = commands('kubectl -n ductape-mcp create secret').flatMap((line) =>
    [...line.matchAll(/=(certs\/[\w./-]+)/g)].map(([, file = '']) => file),
  )
  assert.ok(files.length >= 6)
  assert.deepEqual(
    files.filter((file) => !existsSync(join(folder, file))),
    [],
  )
  const certificate = (file: string): X509Certificate =>
    new X509Certificate(readFileSync(join(folder, 'certs', file)))
  const authority = certificate('client-ca/ca.crt')
  const [, asked = ''] = /https:\/\/([\w.-]+):\d+\/v1\/tools/.exec(text) ?? []
  assert.equal(certificate('tls/tls.crt').checkHost(asked), asked)
  for (const file of ['tls/tls.crt', 'clients/agent-1/tls.crt'])
    assert.ok(certificate(file).verify(authority.publicKey), file)
})

test('the try-out renders: three images of the reader, and a test', { skip: unless('helm') }, async () => {
  const [install = ''] = commands('helm install ductape-mcp helm/ductape-mcp')
  const manifests = await rendered(install, '')
  const images = JSON.stringify(manifests).match(/127\.0\.0\.1:5000\/[\w-]+:[\w.]+/g) ?? []
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  const wanted = ['', '-emulator', '-proxy'].map((part) => `127.0.0.1:5000/ductape-mcp${part}:${version}`)
  assert.deepEqual([...new Set(images)].sort(), wanted.sort())
  assert.ok(manifests.some(({ kind, metadata }) => kind === 'Pod' && metadata.name.endsWith('-test')))
  // Each Secret that a pod mounts is one that the page has created.
  const created = commands('kubectl -n ductape-mcp create secret').map((line) => line.split(/\s+/)[6])
  const mounted = [
    ...JSON.stringify(manifests).matchAll(/"secret":\{[^{}]*?"(?:secretName|name)":"([\w-]+)"/g),
  ].map(([, name]) => name)
  assert.ok(mounted.length >= 2)
  assert.deepEqual(
    mounted.filter((name) => !created.includes(name)),
    [],
  )
})

test('the production values render', { skip: unless('helm') }, async () => {
  const [, values = ''] = /<<'VALUES'\n([\s\S]*?)^VALUES$/m.exec(text) ?? []
  writeFileSync(join(folder, 'values.yaml'), values)
  const [install = ''] = commands('helm install ductape-mcp oci://')
  const manifests = await rendered(install, 'helm/ductape-mcp')
  const deployment = manifests.find(({ kind }) => kind === 'Deployment')
  assert.equal(deployment?.spec?.replicas, 3)
  assert.ok(manifests.some(({ kind }) => kind === 'NetworkPolicy'))
})
