// What a release is made of and why it is refused: versions that agree, base images by digest, checksums, the chart with its digests.
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { isMap, parseDocument } from 'yaml'

const VERSION = /^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/
const DIGEST = /^sha256:[0-9a-f]{64}$/

export interface Sources {
  readonly packageJson: string
  readonly chartYaml: string
  readonly changelog: string
  /** Dockerfiles of the images that are released, by path. */
  readonly dockerfiles: Readonly<Record<string, string>>
}

/** The version of a tag, `v1.2.3` or `v1.2.3-rc.1`. */
export function versionOf(tag: string): string {
  const version = tag.startsWith('v') ? tag.slice(1) : ''
  if (!VERSION.test(version))
    throw new Error(`${tag} is no release tag: it must be v and a semantic version, such as v1.2.3`)
  return version
}

/** The text below a version's heading in the changelog; undefined where there is none. */
export function notesOf(changelog: string, version: string): string | undefined {
  const section = changelog.split(/^## /m).find((part) => part.startsWith(`[${version}]`))
  const text = section?.slice(section.indexOf('\n') + 1).trim()
  return text === undefined || text === '' ? undefined : `${text}\n`
}

/** The images that a Dockerfile builds on and that are not named by digest. */
export function unpinnedBases(dockerfile: string): string[] {
  const values = new Map<string, string>()
  const stages = new Set(['scratch'])
  const found: string[] = []
  for (const line of dockerfile.replaceAll('\\\n', ' ').split('\n')) {
    const [, name, value = ''] = /^ARG\s+(\w+)(?:=(\S*))?/i.exec(line) ?? []
    if (name !== undefined) values.set(name, value)
    const [, image, stage] = /^FROM\s+(?:--platform=\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?/i.exec(line) ?? []
    if (image === undefined) continue
    const resolved = image.replace(/\$\{?(\w+)\}?/g, (_, variable: string) => values.get(variable) ?? '')
    if (!stages.has(resolved.toLowerCase()) && !DIGEST.test(resolved.split('@')[1] ?? ''))
      found.push(resolved === '' ? image : resolved)
    if (stage !== undefined) stages.add(stage.toLowerCase())
  }
  return found
}

/** Everything that keeps this tree from being the release of this tag. */
export function releaseFaults(tag: string, sources: Sources): string[] {
  const version = versionOf(tag)
  const faults: string[] = []
  const manifest = JSON.parse(sources.packageJson) as { version?: string }
  if (manifest.version !== version)
    faults.push(`package.json says version ${manifest.version}, the tag ${version}`)
  const chart = parseDocument(sources.chartYaml)
  for (const key of ['version', 'appVersion'])
    if (String(chart.get(key)) !== version)
      faults.push(`Chart.yaml says ${key} ${String(chart.get(key))}, the tag ${version}`)
  if (notesOf(sources.changelog, version) === undefined)
    faults.push(`CHANGELOG.md has nothing under ## [${version}]`)
  for (const [path, text] of Object.entries(sources.dockerfiles))
    for (const image of unpinnedBases(text))
      faults.push(`${path} builds on ${image} without a digest: run scripts/pin-images and commit`)
  return faults
}

/** `SHA256SUMS` of every file of a folder, as sha256sum writes and checks it, in the order of the names. */
export function checksums(folder: string, without = 'SHA256SUMS'): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  const other = files.find((entry) => !entry.isFile() && !entry.isDirectory())
  if (other !== undefined)
    throw new Error(`${join(other.parentPath, other.name)} is neither a file nor a folder`)
  const lines = files
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((name) => name !== without)
    .sort()
    .map(
      (name) =>
        `${createHash('sha256')
          .update(readFileSync(join(folder, name)))
          .digest('hex')}  ${name}\n`,
    )
  if (lines.length === 0) throw new Error(`${folder} has no files to release`)
  return lines.join('')
}

export interface Digests {
  readonly app: string
  readonly proxy: string
}

/** The chart's values with the images of this release by digest; comments and order stay. */
export function pinnedValues(values: string, digests: Digests): string {
  const document = parseDocument(values)
  for (const [digest, path] of [
    [digests.app, ['image']],
    [digests.proxy, ['proxy', 'image']],
  ] as const) {
    if (!DIGEST.test(digest))
      throw new Error(`${JSON.stringify(digest)} is no digest: sha256: and 64 hexadecimal digits`)
    const image = document.getIn(path)
    if (!isMap(image) || !image.has('digest'))
      throw new Error(`values.yaml has no ${[...path, 'digest'].join('.')}`)
    image.set('digest', digest)
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}
