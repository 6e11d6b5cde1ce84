// scripts/pin-images: asks the registries which digest each base's tag has now, and writes it into the Dockerfiles; --check only looks.
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { unpinnedBases } from './lib/release.ts'

const HELP = `scripts/pin-images [--check] [FILE...]

Writes the digest of each base image behind its tag, in the ARG lines of the Dockerfiles (default: both of ours).
With --check it asks nobody and writes nothing: exit 1 names the bases without a digest.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage.
`

const ROOT = resolve(import.meta.dirname, '..')
const DOCKERFILES = ['Dockerfile', 'nginx/Dockerfile'].map((path) => join(ROOT, path))
const TIMEOUT_MS = 30_000
const MAX_BYTES = 4 * 1024 * 1024
// The index of all architectures before the manifest of one.
const ACCEPT = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ')

// Host with a dot, a port or the name localhost, path, tag; a base without a host or a tag is not named exactly.
const BASE =
  /^(ARG [A-Z_]+=)((?:[\w-]+(?:\.[\w-]+)+(?::\d+)?|localhost(?::\d+)?)\/[\w./-]+:[\w][\w.-]*)(@sha256:[0-9a-f]{64})?$/gm

export interface ImageName {
  readonly origin: string
  readonly path: string
  readonly tag: string
}

export function parseImage(name: string): ImageName {
  const slash = name.indexOf('/')
  const colon = name.lastIndexOf(':')
  const host = name.slice(0, slash)
  const plain = /^(localhost|127\.0\.0\.1)(:\d+)?$/.test(host)
  return {
    // Docker Hub's registry has another name than its images.
    origin: `${plain ? 'http' : 'https'}://${host === 'docker.io' ? 'registry-1.docker.io' : host}`,
    path: name.slice(slash + 1, colon),
    tag: name.slice(colon + 1),
  }
}

/** The token that a registry wants even of anonymous readers, as its challenge describes (Docker Registry v2 authentication). */
async function anonymousToken(challenge: string): Promise<string> {
  const [, realm] = /^Bearer .*?realm="([^"]+)"/i.exec(challenge) ?? []
  if (realm === undefined) throw new Error(`the registry wants a login: ${challenge || 'no challenge'}`)
  const url = new URL(realm)
  for (const [, key = '', value = ''] of challenge.matchAll(/(service|scope)="([^"]*)"/gi))
    url.searchParams.set(key.toLowerCase(), value)
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (!response.ok) throw new Error(`${url.origin} gives no token: ${response.status}`)
  const { token, access_token } = (await response.json()) as { token?: string; access_token?: string }
  const found = token ?? access_token
  if (found === undefined) throw new Error(`${url.origin} gives no token`)
  return found
}

/** The digest that a tag has now: computed from the manifest itself, and compared with what the registry says. */
export async function digestOf(name: string): Promise<string> {
  const { origin, path, tag } = parseImage(name)
  const url = `${origin}/v2/${path}/manifests/${tag}`
  const ask = (headers: Record<string, string>): Promise<Response> =>
    fetch(url, { headers: { accept: ACCEPT, ...headers }, signal: AbortSignal.timeout(TIMEOUT_MS) })
  let response = await ask({})
  if (response.status === 401) {
    const token = await anonymousToken(response.headers.get('www-authenticate') ?? '')
    response = await ask({ authorization: `Bearer ${token}` })
  }
  if (!response.ok) throw new Error(`${url}: ${response.status}`)
  const manifest = Buffer.from(await response.arrayBuffer())
  if (manifest.length === 0 || manifest.length > MAX_BYTES)
    throw new Error(`${url}: ${manifest.length} bytes are no manifest`)
  const digest = `sha256:${createHash('sha256').update(manifest).digest('hex')}`
  const said = response.headers.get('docker-content-digest')
  if (said !== null && said !== digest)
    throw new Error(`${url}: the registry says ${said}, its manifest is ${digest}`)
  return digest
}

/** The Dockerfile with each base by digest. */
export async function pinned(dockerfile: string): Promise<string> {
  const digests = new Map<string, string>()
  for (const [, , name = ''] of dockerfile.matchAll(BASE)) digests.set(name, await digestOf(name))
  const text = dockerfile.replace(
    BASE,
    (_, arg: string, name: string) => `${arg}${name}@${digests.get(name)}`,
  )
  const left = unpinnedBases(text)
  if (left.length > 0)
    throw new Error(`${left.join(', ')}: not named as HOST/PATH:TAG in an ARG line, so it cannot be pinned`)
  return text
}

async function main(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { check: { type: 'boolean' }, help: { type: 'boolean' } },
  })
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  let code = 0
  for (const file of positionals.length > 0 ? positionals : DOCKERFILES) {
    const before = readFileSync(file, 'utf8')
    if (values.check) {
      for (const name of unpinnedBases(before)) {
        console.error(`${file}: ${name} has no digest: run scripts/pin-images and commit`)
        code = 1
      }
      continue
    }
    const after = await pinned(before)
    if (after !== before) writeFileSync(file, after)
    for (const [, , name, digest] of after.matchAll(BASE)) console.log(`${file}: ${name}${digest}`)
  }
  return code
}

if (import.meta.main)
  try {
    process.exitCode = await main(process.argv.slice(2))
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    process.exitCode = code.startsWith('ERR_PARSE_ARGS') ? 2 : 1
  }
