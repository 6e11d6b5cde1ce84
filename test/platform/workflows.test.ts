// actionlint (with shellcheck on every script) and zizmor have nothing to say about the workflows; both notice a bad one.
import assert from 'node:assert/strict'
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { complete } from './lib/process.ts'
import { path, ROOT, unless } from './lib/tools.ts'

const skip = unless('actionlint', 'shellcheck', 'zizmor')
const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-workflows-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const ours = globSync('.github/workflows/*.yml', { cwd: ROOT }).map((name) => join(ROOT, name))

// A branch name that becomes part of a script, a script with a fault of its own, an action by a name that can move.
const BAD = `name: bad
on: pull_request_target
jobs:
  bad:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v7
      - run: echo "\${{ github.head_ref }}" $UNQUOTED
`
const bad = join(folder, '.github/workflows/bad.yml')
mkdirSync(join(folder, '.github/workflows'), { recursive: true })
writeFileSync(bad, BAD)

const actionlint = (files: readonly string[]) =>
  complete(path('actionlint'), ['-no-color', '-shellcheck', path('shellcheck'), ...files])
// Offline: a test asks nobody; what needs the network (known bad commits) is for the maintainer's own run.
const zizmor = (files: readonly string[]) =>
  complete(path('zizmor'), ['--offline', '--no-progress', '--color=never', '--persona=auditor', ...files])

test('actionlint finds nothing', { skip }, async () => {
  const { code, stdout } = await actionlint(ours)
  assert.equal(code, 0, stdout)
})

test('actionlint would find a fault', { skip }, async () => {
  const { code, stdout } = await actionlint([bad])
  assert.equal(code, 1)
  assert.match(stdout, /SC2086/)
  assert.match(stdout, /untrusted/)
})

test('zizmor finds nothing, even as an auditor', { skip }, async () => {
  const { code, stdout, stderr } = await zizmor(ours)
  assert.equal(code, 0, stdout + stderr)
})

test('zizmor would find a fault', { skip }, async () => {
  const { code, stdout } = await zizmor([bad])
  assert.notEqual(code, 0)
  for (const audit of ['template-injection', 'unpinned-uses', 'dangerous-triggers'])
    assert.match(stdout, new RegExp(audit))
})
