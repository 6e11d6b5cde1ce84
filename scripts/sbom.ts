// scripts/sbom FOLDER: the bills of materials of the release, CycloneDX and SPDX, from the lockfile; the same lockfile gives the same bytes.
// `npm sbom --omit dev` leaves out what a development package needs as well, such as express; so the lockfile is read here.
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '..')

/** An entry of package-lock.json, version 3; its key is the folder. */
interface Locked {
  readonly name?: string
  readonly version: string
  readonly license?: string
  readonly integrity?: string
  readonly resolved?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly devOptional?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
}

interface Part {
  readonly name: string
  readonly version: string
  readonly purl: string
  readonly license: string | undefined
  readonly sha512: string | undefined
  readonly resolved: string | undefined
  /** Package URLs. */
  readonly needs: readonly string[]
}

function nameOf(folder: string, { name }: Locked): string {
  // An alias is installed in a folder of another name.
  return name ?? folder.replace(/^(?:.*\/)?node_modules\//, '')
}

function purlOf(folder: string, locked: Locked): string {
  return `pkg:npm/${nameOf(folder, locked).replace('@', '%40')}@${locked.version}`
}

/** The folder that Node finds a dependency in: the innermost node_modules that has it. */
function found(packages: Readonly<Record<string, Locked>>, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.replace(/(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/]+$/, '')) {
    const candidate = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`
    if (packages[candidate] !== undefined) return candidate
    if (folder === '') return undefined
  }
}

/** What can run in the image, the service itself first: no development package, and not Node, which is the base's. */
export function partsOf(lockfile: string): Part[] {
  const { packages } = JSON.parse(lockfile) as { packages: Record<string, Locked> }
  const inRelease = ({ dev, optional, devOptional }: Locked): boolean => !dev && !optional && !devOptional
  const parts = new Map<string, Part>()
  for (const [folder, locked] of Object.entries(packages)) {
    if (!inRelease(locked)) continue
    const purl = purlOf(folder, locked)
    const needs = Object.keys(locked.dependencies ?? {}).flatMap((name) => {
      const place = found(packages, folder, name)
      const dependency = place === undefined ? undefined : packages[place]
      return place !== undefined && dependency !== undefined && inRelease(dependency)
        ? [purlOf(place, dependency)]
        : []
    })
    // The same version in two folders is one part.
    const before = parts.get(purl)?.needs ?? []
    parts.set(purl, {
      name: nameOf(folder, locked),
      version: locked.version,
      purl,
      license: locked.license,
      sha512: /^sha512-(.+)$/.exec(locked.integrity ?? '')?.[1],
      resolved: locked.resolved,
      needs: [...new Set([...before, ...needs])].sort(),
    })
  }
  return [...parts.values()]
}

/** A UUID of the content (RFC 9562, version 8). */
function uuidOf(content: unknown): string {
  const hash = createHash('sha256').update(JSON.stringify(content)).digest()
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x80, 6)
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8)
  return hash.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

const hex = (base64: string): string => Buffer.from(base64, 'base64').toString('hex')
const timeOf = (seconds: number): string => new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')

export function cycloneDx(parts: readonly Part[], seconds: number): object {
  const component = (part: Part, type: string): object => ({
    type,
    'bom-ref': part.purl,
    name: part.name,
    version: part.version,
    purl: part.purl,
    ...(part.license === undefined ? {} : { licenses: [{ expression: part.license }] }),
    ...(part.sha512 === undefined ? {} : { hashes: [{ alg: 'SHA-512', content: hex(part.sha512) }] }),
  })
  const [own, ...others] = parts
  if (own === undefined) throw new Error('package-lock.json names no package')
  const content = {
    metadata: { timestamp: timeOf(seconds), component: component(own, 'application') },
    components: others.map((part) => component(part, 'library')),
    dependencies: parts.map(({ purl, needs }) => ({ ref: purl, dependsOn: needs })),
  }
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuidOf(content)}`,
    version: 1,
    ...content,
  }
}

export function spdx(parts: readonly Part[], seconds: number): object {
  const [own] = parts
  if (own === undefined) throw new Error('package-lock.json names no package')
  const ids = new Map(parts.map(({ purl }, index) => [purl, `SPDXRef-Package-${index}`]))
  const idOf = (purl: string): string => ids.get(purl) ?? 'NOASSERTION'
  const content = {
    packages: parts.map((part) => ({
      SPDXID: idOf(part.purl),
      name: part.name,
      versionInfo: part.version,
      downloadLocation: part.resolved ?? 'NOASSERTION',
      filesAnalyzed: false,
      licenseConcluded: 'NOASSERTION',
      licenseDeclared: part.license ?? 'NOASSERTION',
      copyrightText: 'NOASSERTION',
      ...(part.sha512 === undefined
        ? {}
        : { checksums: [{ algorithm: 'SHA512', checksumValue: hex(part.sha512) }] }),
      externalRefs: [
        { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: part.purl },
      ],
    })),
    relationships: [
      {
        spdxElementId: 'SPDXRef-DOCUMENT',
        relationshipType: 'DESCRIBES',
        relatedSpdxElement: idOf(own.purl),
      },
      ...parts.flatMap(({ purl, needs }) =>
        needs.map((need) => ({
          spdxElementId: idOf(purl),
          relationshipType: 'DEPENDS_ON',
          relatedSpdxElement: idOf(need),
        })),
      ),
    ],
  }
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${own.name}-${own.version}`,
    documentNamespace: `https://spdx.org/spdxdocs/${own.name}-${own.version}-${uuidOf(content)}`,
    creationInfo: { created: timeOf(seconds), creators: [`Tool: ${own.name}-scripts-sbom`] },
    ...content,
  }
}

export function writeSboms(folder: string, seconds: number): void {
  mkdirSync(folder, { recursive: true })
  const parts = partsOf(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
  for (const [file, bom] of [
    ['ductape-mcp.cdx.json', cycloneDx(parts, seconds)],
    ['ductape-mcp.spdx.json', spdx(parts, seconds)],
  ] as const)
    writeFileSync(join(folder, file), `${JSON.stringify(bom, null, 1)}\n`)
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2)
  const seconds = Number(process.env['SOURCE_DATE_EPOCH'] || 0)
  if (folder === undefined || folder.startsWith('-') || !Number.isSafeInteger(seconds) || seconds < 0) {
    console.error('usage: [SOURCE_DATE_EPOCH=SECONDS] scripts/sbom FOLDER')
    process.exitCode = 2
  } else writeSboms(folder, seconds)
}
