// scripts/pin-images against a registry of the test: which digest it writes, what it refuses, and that --check lets nothing unpinned through.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { digestOf, parseImage, pinned } from '../../scripts/pin-images.ts'
import { listenLocal } from '../lib/ports.ts'
import { complete } from '../platform/lib/process.ts'

const MANIFEST = JSON.stringify({ schemaVersion: 2, manifests: [] })
const DIGEST = `sha256:${createHash('sha256').update(MANIFEST).digest('hex')}`
const OTHER = `sha256:${'0'.repeat(64)}`
const SCRIPT = resolve(import.meta.dirname, '../../scripts/pin-images.ts')

const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-pin-'))
let server: Server
let host: string
let said: string | undefined
let wantsToken: boolean
let asked: { url: string; accept: string | undefined }[]

before(async () => {
  server = createServer((request, response) => {
    const { url = '', headers } = request
    asked.push({ url, accept: headers.accept })
    if (url.startsWith('/token')) response.end(JSON.stringify({ token: `for ${url}` }))
    else if (wantsToken && !headers.authorization?.startsWith('Bearer for /token?'))
      response
        .writeHead(401, {
          'www-authenticate': `Bearer realm="http://${host}/token",service="registry",scope="repository:a/node:pull"`,
        })
        .end()
    else if (url !== '/v2/a/node/manifests/26.10.0-slim') response.writeHead(404).end()
    else response.writeHead(200, said === undefined ? {} : { 'docker-content-digest': said }).end(MANIFEST)
  })
  host = `127.0.0.1:${await listenLocal(server)}`
})
beforeEach(() => {
  said = DIGEST
  wantsToken = false
  asked = []
})
after(() => {
  server.close()
  rmSync(folder, { recursive: true, force: true })
})

const dockerfile = (base: string): string =>
  `ARG BASE=${base}\nFROM \${BASE} AS build\nARG NOTE=a/b:c\nFROM scratch\nCOPY --from=build /x /x\n`
const image = (): string => `${host}/a/node:26.10.0-slim`

/** The script as a release runs it. */
async function run(...args: string[]): Promise<{ code: number | null; stderr: string }> {
  const { code, stderr } = await complete(process.execPath, [SCRIPT, ...args])
  return { code, stderr }
}

test('the name of an image says where its manifest is', () => {
  assert.deepEqual(parseImage('docker.io/library/node:26.10.0-slim'), {
    origin: 'https://registry-1.docker.io',
    path: 'library/node',
    tag: '26.10.0-slim',
  })
  assert.deepEqual(parseImage('localhost:5000/node:1'), {
    origin: 'http://localhost:5000',
    path: 'node',
    tag: '1',
  })
})

test('writes the digest of the index behind the tag, and asks again when there is one', async () => {
  const expected = dockerfile(`${image()}@${DIGEST}`)
  assert.equal(await pinned(dockerfile(image())), expected)
  assert.equal(await pinned(dockerfile(`${image()}@${OTHER}`)), expected)
  assert.match(asked[0]?.accept ?? '', /^application\/vnd\.oci\.image\.index/)
})

test('fetches the token that a registry wants of anonymous readers', async () => {
  wantsToken = true
  assert.equal(await digestOf(image()), DIGEST)
  assert.ok(asked.some(({ url }) => url === '/token?service=registry&scope=repository%3Aa%2Fnode%3Apull'))
})

test('a registry that says another digest than its manifest has is not believed', async () => {
  said = OTHER
  await assert.rejects(digestOf(image()), /says sha256:0{64}, its manifest is/)
  said = undefined
  assert.equal(await digestOf(image()), DIGEST)
})

test('an unknown tag and a base that cannot be pinned change nothing', async () => {
  await assert.rejects(pinned(dockerfile(`${host}/a/node:none`)), /manifests\/none: 404/)
  for (const base of ['node:26', `${host}/a/node`, ''])
    await assert.rejects(pinned(dockerfile(base)), /cannot be pinned/)
})

test('--check refuses a Dockerfile without digests, and passes the same file once it is pinned', async () => {
  const file = join(folder, 'Dockerfile')
  writeFileSync(file, dockerfile(image()))
  const refused = await run('--check', file)
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /node:26\.10\.0-slim has no digest: run scripts\/pin-images/)
  assert.equal((await run(file)).code, 0)
  assert.equal(readFileSync(file, 'utf8'), dockerfile(`${image()}@${DIGEST}`))
  assert.deepEqual(await run('--check', file), { code: 0, stderr: '' })
  assert.equal((await run('--nothing')).code, 2)
})

test('both of our Dockerfiles name every base so that it can be pinned', async () => {
  for (const path of ['Dockerfile', 'nginx/Dockerfile']) {
    const text = readFileSync(resolve(import.meta.dirname, '../..', path), 'utf8')
    // The registries are of no concern here: every tag is that of the test's own.
    const local = text.replace(/^(ARG (?:BUILDER|RUNTIME|NGINX)=)\S+$/gm, `$1${image()}`)
    assert.notEqual(local, text)
    assert.match(await pinned(local), new RegExp(`${DIGEST}$`, 'm'))
    for (const [, base = ''] of text.matchAll(/^ARG (?:BUILDER|RUNTIME|NGINX)=(\S+)$/gm))
      assert.match(base, /^[a-z.]+\/[\w./-]+:[\w.-]+(@sha256:[0-9a-f]{64})?$/)
  }
})
