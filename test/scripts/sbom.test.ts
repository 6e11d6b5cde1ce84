// The bills of materials: the same lockfile gives the same bytes, and they hold what the release does and no more.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import { build } from '../../scripts/build.ts'
import { cycloneDx, partsOf, spdx, writeSboms } from '../../scripts/sbom.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const SECONDS = 1_700_000_000
const lockfile = readFileSync(join(ROOT, 'package-lock.json'), 'utf8')

interface CycloneDx {
  readonly serialNumber: string
  readonly metadata: { timestamp: string; component: { name: string; version: string; type: string } }
  readonly components: readonly { name: string; version: string; purl: string; hashes: object[] }[]
  readonly dependencies: readonly { ref: string; dependsOn: readonly string[] }[]
}
interface Spdx {
  readonly documentNamespace: string
  readonly creationInfo: { created: string }
  readonly packages: readonly { name: string; versionInfo: string; licenseDeclared: string }[]
  readonly relationships: readonly { relatedSpdxElement: string }[]
}

const cyclonedx = cycloneDx(partsOf(lockfile), SECONDS) as CycloneDx
const document = spdx(partsOf(lockfile), SECONDS) as Spdx

test('a second run writes the same bytes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-sbom-'))
  try {
    const written = (): string[] => {
      writeSboms(folder, SECONDS)
      return ['ductape-mcp.cdx.json', 'ductape-mcp.spdx.json'].map((name) =>
        readFileSync(join(folder, name), 'utf8'),
      )
    }
    const first = written()
    assert.deepEqual(written(), first)
    assert.deepEqual(JSON.parse(first[0] ?? ''), JSON.parse(JSON.stringify(cyclonedx)))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('time and identity come from the content: another lockfile, another identity', () => {
  assert.equal(cyclonedx.metadata.timestamp, '2023-11-14T22:13:20Z')
  assert.equal(document.creationInfo.created, '2023-11-14T22:13:20Z')
  const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
  assert.match(cyclonedx.serialNumber, uuid)
  assert.match(document.documentNamespace, uuid)
  const other = cycloneDx(partsOf(lockfile).slice(0, -1), SECONDS) as CycloneDx
  assert.notEqual(other.serialNumber, cyclonedx.serialNumber)
})

test('both name the service and every package whose code is in the bundle, in its version, and no development package', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-sbom-bundle-'))
  const { metafile } = await build(folder).finally(() => rmSync(folder, { recursive: true, force: true }))
  const bundled = new Set(
    Object.keys(metafile.inputs).flatMap(
      (input) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? [],
    ),
  )
  assert.ok(bundled.size > 50, String(bundled.size))
  const named = new Set(cyclonedx.components.map(({ name, version }) => `${name}@${version}`))
  for (const path of bundled) {
    const { name, version } = JSON.parse(readFileSync(join(ROOT, path, 'package.json'), 'utf8')) as {
      name: string
      version: string
    }
    assert.ok(named.has(`${name}@${version}`), `${name} ${version} is in the bundle`)
  }
  const { devDependencies, name, version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>
    name: string
    version: string
  }
  assert.ok(named.has('express@5.3.0') && !named.has(`esbuild@${devDependencies['esbuild']}`))
  const { component } = cyclonedx.metadata
  assert.deepEqual([component.name, component.version, component.type], [name, version, 'application'])
  assert.deepEqual(
    document.packages.map((each) => `${each.name}@${each.versionInfo}`),
    [`${name}@${version}`, ...cyclonedx.components.map((each) => `${each.name}@${each.version}`)],
  )
})

test('each part has a hash and a licence, and every dependency is one that is named', () => {
  const refs = new Set(cyclonedx.dependencies.map(({ ref }) => ref))
  assert.equal(refs.size, cyclonedx.components.length + 1)
  for (const { dependsOn } of cyclonedx.dependencies)
    for (const ref of dependsOn) assert.ok(refs.has(ref), ref)
  assert.ok(
    cyclonedx.components.every(({ hashes, purl }) => hashes.length === 1 && purl.startsWith('pkg:npm/')),
  )
  // Its manifest names licences in the plural, as before 2014, which npm does not take into the lockfile; the notices have the text.
  assert.deepEqual(
    document.packages
      .filter(({ licenseDeclared }) => licenseDeclared === 'NOASSERTION')
      .map(({ name }) => name),
    ['limiter'],
  )
  assert.ok(document.relationships.every(({ relatedSpdxElement }) => relatedSpdxElement !== 'NOASSERTION'))
})

test('finds a dependency where Node would: inside first, then outwards', () => {
  const parts = partsOf(
    JSON.stringify({
      packages: {
        '': { name: 'own', version: '1.0.0', dependencies: { a: '1', b: '1' } },
        'node_modules/a': { version: '1.0.0', dependencies: { b: '2', c: '1' } },
        'node_modules/a/node_modules/b': { version: '2.0.0' },
        'node_modules/b': { version: '1.0.0' },
        'node_modules/c': { name: '@real/c', version: '1.0.0' },
        'node_modules/d': { version: '1.0.0', dev: true },
      },
    }),
  )
  assert.deepEqual(
    parts.map(({ purl, needs }) => [purl, needs]),
    [
      ['pkg:npm/own@1.0.0', ['pkg:npm/a@1.0.0', 'pkg:npm/b@1.0.0']],
      ['pkg:npm/a@1.0.0', ['pkg:npm/%40real/c@1.0.0', 'pkg:npm/b@2.0.0']],
      ['pkg:npm/b@2.0.0', []],
      ['pkg:npm/b@1.0.0', []],
      ['pkg:npm/%40real/c@1.0.0', []],
    ],
  )
})
