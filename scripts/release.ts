// The steps of a release that have something to decide; .github/workflows/release.yml calls them in this order.
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { checksums, notesOf, pinnedValues, releaseFaults, versionOf } from './lib/release.ts'

const HELP = `node scripts/release.ts COMMAND

  check TAG      refuses a tree that is not the release of this tag: versions, changelog, base images by digest
  notes TAG      prints the changelog of this version
  chart FOLDER --app DIGEST --proxy DIGEST
                 copies the chart to FOLDER, its images by digest
  checksums FOLDER
                 writes FOLDER/SHA256SUMS

Exit codes: 0 done, 1 refused, 2 wrong usage.
`

const ROOT = resolve(import.meta.dirname, '..')
const CHART = 'helm/ductape-mcp'
const DOCKERFILES = ['Dockerfile', 'nginx/Dockerfile']

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

function check(tag: string): number {
  const faults = releaseFaults(tag, {
    packageJson: read('package.json'),
    chartYaml: read(`${CHART}/Chart.yaml`),
    changelog: read('CHANGELOG.md'),
    dockerfiles: Object.fromEntries(DOCKERFILES.map((path) => [path, read(path)])),
  })
  for (const fault of faults) console.error(fault)
  console.error(faults.length === 0 ? `${tag}: may be released` : `${tag}: refused`)
  return faults.length === 0 ? 0 : 1
}

function notes(tag: string): number {
  const text = notesOf(read('CHANGELOG.md'), versionOf(tag))
  if (text === undefined) throw new Error(`CHANGELOG.md has nothing for ${tag}`)
  process.stdout.write(text)
  return 0
}

function chart(folder: string, digests: { app: string; proxy: string }): number {
  const values = pinnedValues(read(`${CHART}/values.yaml`), digests)
  cpSync(join(ROOT, CHART), folder, { recursive: true, errorOnExist: true, force: false })
  writeFileSync(join(folder, 'values.yaml'), values)
  return 0
}

function main(argv: readonly string[]): number {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { app: { type: 'string' }, proxy: { type: 'string' }, help: { type: 'boolean' } },
  })
  const [command, operand, ...rest] = positionals
  const { app, proxy } = values
  if (values.help) {
    process.stdout.write(HELP)
    return 0
  }
  if (operand !== undefined && rest.length === 0) {
    if (command === 'check') return check(operand)
    if (command === 'notes') return notes(operand)
    if (command === 'chart' && app !== undefined && proxy !== undefined) return chart(operand, { app, proxy })
    if (command === 'checksums') {
      writeFileSync(join(operand, 'SHA256SUMS'), checksums(operand))
      return 0
    }
  }
  process.stderr.write(HELP)
  return 2
}

try {
  process.exitCode = main(process.argv.slice(2))
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  process.exitCode = code.startsWith('ERR_PARSE_ARGS') ? 2 : 1
}
