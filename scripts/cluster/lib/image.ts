// Writes a one-layer container image (an OCI layout) from files of this machine and pushes it to the cluster's registry.
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { bin, REGISTRY } from './paths.ts'
import { must } from './wait.ts'

export interface Image {
  readonly name: string
  readonly tag: string
  /** Path in the image -> file or folder of this machine. */
  readonly files: Readonly<Record<string, string>>
  /** Path in the image -> what the link points to. */
  readonly links?: Readonly<Record<string, string>>
  readonly entrypoint: readonly string[]
  readonly command?: readonly string[]
  readonly env?: readonly string[]
  readonly workdir?: string
  readonly user: string
}

async function writeLayout(folder: string, image: Image): Promise<void> {
  const blobs = join(folder, 'blobs/sha256')
  mkdirSync(blobs, { recursive: true })
  const blob = (bytes: Buffer, mediaType: string): { mediaType: string; digest: string; size: number } => {
    const hex = createHash('sha256').update(bytes).digest('hex')
    writeFileSync(join(blobs, hex), bytes)
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length }
  }
  const root = join(folder, 'root')
  const place = (to: string): string => {
    mkdirSync(dirname(join(root, to)), { recursive: true })
    return join(root, to)
  }
  for (const [to, from] of Object.entries(image.files))
    cpSync(from, place(to), { recursive: true, dereference: true })
  for (const [to, target] of Object.entries(image.links ?? {})) symlinkSync(target, place(to))
  const tar = join(folder, 'layer.tar')
  const plain = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=@0', '--mode=a+rX']
  // Not compressed: it travels from this disk to this disk.
  await must('tar', [...plain, '-C', root, '-cf', tar, '.'])
  const layer = blob(readFileSync(tar), 'application/vnd.oci.image.layer.v1.tar')
  const config = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: {
      Entrypoint: image.entrypoint,
      Cmd: image.command,
      Env: image.env,
      User: image.user,
      WorkingDir: image.workdir ?? '/',
    },
    rootfs: { type: 'layers', diff_ids: [layer.digest] },
  }
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: blob(Buffer.from(JSON.stringify(config)), 'application/vnd.oci.image.config.v1+json'),
    layers: [layer],
  }
  const manifests = [blob(Buffer.from(JSON.stringify(manifest)), manifest.mediaType)]
  writeFileSync(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }))
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  rmSync(root, { recursive: true, force: true })
  rmSync(tar)
}

/** Pushes an OCI layout under the name; gives back the reference by digest. Only inside the node's namespaces. */
export async function pushLayout(folder: string, name: string, tag: string): Promise<string> {
  await must(bin('crane'), ['push', folder, `${REGISTRY}/${name}:${tag}`])
  const digest = await must(bin('crane'), ['digest', `${REGISTRY}/${name}:${tag}`])
  return `${REGISTRY}/${name}@${digest.trim()}`
}

export async function pushImage(image: Image): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'image-'))
  try {
    await writeLayout(folder, image)
    return await pushLayout(folder, image.name, image.tag)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
