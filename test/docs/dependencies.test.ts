// Each runtime dependency is exact, has its reason in CONTRIBUTING.md, and none brings the Ductape SDK or install scripts.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { page, tableRows } from './pages.ts'

interface Manifest {
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
  optionalDependencies: Record<string, string>
  scripts: Record<string, string>
}

interface LockEntry {
  version?: string
  integrity?: string
  resolved?: string
  hasInstallScript?: boolean
  optional?: boolean
}

const manifest = JSON.parse(page('package.json').text) as Manifest
const lock = JSON.parse(page('package-lock.json').text) as { packages: Record<string, LockEntry> }

test('CONTRIBUTING gives a reason for each runtime dependency and for no other', () => {
  const section = page('CONTRIBUTING.md')
    .text.split(/^## /m)
    .find((part) => part.startsWith('Runtime dependencies'))
  assert.ok(section, 'CONTRIBUTING.md has no section "Runtime dependencies"')
  const rows = tableRows(section)
  const listed = rows.map(([name = '']) => name.replaceAll('`', ''))
  assert.deepEqual([...listed].sort(), Object.keys(manifest.dependencies).sort())
  for (const [name, reason = ''] of rows) assert.ok(reason.length >= 20, `${name} has no reason`)
})

test('every version is exact', () => {
  const { dependencies, devDependencies, optionalDependencies } = manifest
  const loose = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies }).filter(
    ([, version]) => !/^(?:npm:@?[\w./-]+@)?\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version),
  )
  assert.deepEqual(loose, [])
})

test('every locked package carries a digest and no address', () => {
  const packages = Object.entries(lock.packages).filter(([path]) => path !== '')
  assert.deepEqual(
    packages.filter(([, entry]) => entry.integrity === undefined).map(([path]) => path),
    [],
  )
  assert.deepEqual(
    packages.filter(([, entry]) => entry.resolved !== undefined).map(([path]) => path),
    [],
  )
})

test('install scripts are off', () => {
  assert.match(page('.npmrc').text, /^ignore-scripts=true$/m)
  const lifecycle = ['preinstall', 'install', 'postinstall', 'prepare', 'prepublish']
  assert.deepEqual(
    Object.keys(manifest.scripts).filter((name) => lifecycle.includes(name)),
    [],
  )
})

test('no Ductape SDK is installed', () => {
  const found = Object.keys(lock.packages).filter((path) => /node_modules\/@ductape(?:$|\/)/.test(path))
  assert.deepEqual(found, [])
})
