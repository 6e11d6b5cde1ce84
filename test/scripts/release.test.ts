// A release is refused unless versions, changelog and base images agree with its tag; checksums and chart are what the workflow publishes.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { parse } from 'yaml'
import {
  checksums,
  notesOf,
  pinnedValues,
  releaseFaults,
  type Sources,
  unpinnedBases,
  versionOf,
} from '../../scripts/lib/release.ts'

const ROOT = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-release-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`
const OTHER = `sha256:${'fedcba9876543210'.repeat(4)}`

const good: Sources = {
  packageJson: '{"version":"1.2.3"}',
  chartYaml: 'version: 1.2.3\nappVersion: 1.2.3\n',
  changelog: '# Changelog\n\n## [1.2.3] - 2026-11-21\n\n- First.\n\n## [1.2.2]\n\n- Before.\n',
  dockerfiles: { Dockerfile: `FROM example/base:1@${DIGEST}\n` },
}

test('a tree that agrees with its tag may be released', () => {
  assert.deepEqual(releaseFaults('v1.2.3', good), [])
})

const refusals: readonly (readonly [string, Partial<Sources>, RegExp])[] = [
  [
    'another version in package.json',
    { packageJson: '{"version":"1.2.4"}' },
    /package\.json says version 1\.2\.4/,
  ],
  [
    'another chart version',
    { chartYaml: 'version: 1.2.2\nappVersion: 1.2.3\n' },
    /Chart\.yaml says version 1\.2\.2/,
  ],
  [
    'another app version',
    { chartYaml: 'version: 1.2.3\nappVersion: 1.0.0\n' },
    /Chart\.yaml says appVersion 1\.0\.0/,
  ],
  [
    'no section in the changelog',
    { changelog: '## [Unreleased]\n\n- All of it.\n' },
    /nothing under ## \[1\.2\.3\]/,
  ],
  ['an empty section', { changelog: '## [1.2.3]\n\n## [1.2.2]\n\n- x\n' }, /nothing under ## \[1\.2\.3\]/],
  [
    'a base image by tag',
    { dockerfiles: { Dockerfile: 'FROM example/base:1\n' } },
    /example\/base:1 without a digest/,
  ],
]
for (const [name, change, sentence] of refusals)
  test(`is refused: ${name}`, () => {
    const faults = releaseFaults('v1.2.3', { ...good, ...change })
    assert.equal(faults.length, 1, faults.join('\n'))
    assert.match(faults[0] ?? '', sentence)
  })

test('a tag is v and a semantic version', () => {
  assert.equal(versionOf('v1.2.3'), '1.2.3')
  assert.equal(versionOf('v1.2.3-rc.1'), '1.2.3-rc.1')
  for (const tag of ['1.2.3', 'v1.2', 'v01.2.3', 'v1.2.3 ', 'v1.2.3+build', 'vlatest'])
    assert.throws(() => versionOf(tag), /is no release tag/, tag)
})

test('base images are found through arguments, platforms and stages', () => {
  const dockerfile = `
ARG BUILDER=example/node:26
ARG RUNTIME=example/run:26@${DIGEST}
FROM --platform=$BUILDPLATFORM \${BUILDER} AS build
FROM scratch AS empty
FROM \\
  \${RUNTIME} AS run
FROM run AS release
FROM example/late:1@sha256:short
ARG MISSING
FROM $MISSING
`
  assert.deepEqual(unpinnedBases(dockerfile), ['example/node:26', 'example/late:1@sha256:short', '$MISSING'])
  assert.deepEqual(unpinnedBases(`FROM a:1@${DIGEST} AS build\nFROM Build\n`), [])
})

test('the notes of a version are its own section', () => {
  assert.equal(notesOf(good.changelog, '1.2.3'), '- First.\n')
  assert.equal(notesOf(good.changelog, '9.9.9'), undefined)
})

test('checksums are those of sha256sum, in the order of the names', () => {
  const release = join(folder, 'release')
  mkdirSync(join(release, 'sbom'), { recursive: true })
  writeFileSync(join(release, 'b.txt'), 'b')
  writeFileSync(join(release, 'sbom/a.json'), '{}')
  const text = checksums(release)
  assert.deepEqual(
    text.split('\n').map((line) => line.slice(66)),
    ['b.txt', 'sbom/a.json', ''],
  )
  writeFileSync(join(release, 'SHA256SUMS'), text)
  assert.equal(checksums(release), text, 'the file is no part of itself')
  assert.match(
    execFileSync(process.execPath, ['scripts/release.ts', 'checksums', release], {
      cwd: ROOT,
      encoding: 'utf8',
    }),
    /^$/,
  )
  symlinkSync('/etc/hostname', join(release, 'link'))
  assert.throws(() => checksums(release), /neither a file nor a folder/)
  mkdirSync(join(folder, 'empty'))
  assert.throws(() => checksums(join(folder, 'empty')), /no files to release/)
})

test('the chart of a release names its images by digest and is the same otherwise', () => {
  const values = readFileSync(join(ROOT, 'helm/ductape-mcp/values.yaml'), 'utf8')
  const pinned = pinnedValues(values, { app: DIGEST, proxy: OTHER })
  const lines = values.split('\n')
  const changed = pinned.split('\n').filter((line, index) => line !== lines[index])
  assert.deepEqual(
    changed.map((line) => line.trim()),
    [`digest: "${DIGEST}"`, `digest: "${OTHER}"`],
  )
  const parsed = parse(pinned) as { image: { digest: string }; proxy: { image: { digest: string } } }
  assert.equal(parsed.image.digest, DIGEST)
  assert.equal(parsed.proxy.image.digest, OTHER)
  assert.throws(() => pinnedValues(values, { app: 'sha256:1', proxy: OTHER }), /is no digest/)
  assert.throws(() => pinnedValues('image: {}\n', { app: DIGEST, proxy: OTHER }), /has no image\.digest/)
})

test('the command says what is wrong and exits 1, or 2 where it was used wrongly', () => {
  const run = (...args: string[]): { code: number; stderr: string } => {
    try {
      execFileSync(process.execPath, ['scripts/release.ts', ...args], { cwd: ROOT, stdio: 'pipe' })
      return { code: 0, stderr: '' }
    } catch (error) {
      const { status, stderr } = error as { status: number; stderr: Buffer }
      return { code: status, stderr: String(stderr) }
    }
  }
  const refused = run('check', 'v999.0.0')
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /the tag 999\.0\.0[\s\S]*v999\.0\.0: refused/)
  assert.equal(run('check').code, 2)
  assert.equal(run('check', 'v1.0.0', '--nonsense').code, 2)
  assert.equal(run('--help').code, 0)
})
