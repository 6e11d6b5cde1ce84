// The test runner itself: nothing that failed, hung, was skipped on CI or never ran may look like success.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'

const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-runner-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const RUNNER = resolve(import.meta.dirname, '../../scripts/lib/run-tests.ts')
const HEAD = "import { test, describe } from 'node:test'\n"

interface Outcome {
  readonly code: number
  readonly last: string
  readonly out: string
}

/** Runs one file with this body in a process of its own, since a runner inside a runner does nothing. */
async function outcome(body: string, change: object = {}): Promise<Outcome> {
  const root = mkdtempSync(join(folder, 'case-'))
  writeFileSync(join(root, 'package.json'), '{"type":"module"}')
  writeFileSync(join(root, 'a.test.ts'), HEAD + body)
  const tier = {
    ...{ root, include: ['*.test.ts'], exclude: [], concurrency: 2, skipFails: false },
    ...{ testTimeoutMs: 60_000, fileTimeoutMs: 60_000, ...change },
  }
  const script = join(root, 'run.mjs')
  writeFileSync(
    script,
    `import { runTier } from ${JSON.stringify(RUNNER)}
    process.exitCode = await runTier(${JSON.stringify(tier)}, [])`,
  )
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  return new Promise((done) => {
    execFile(process.execPath, [script], { env, cwd: root }, (error, stdout) => {
      const code = error === null ? 0 : Number(error.code)
      done({ code, last: stdout.trimEnd().split('\n').at(-1) ?? '', out: stdout })
    })
  })
}

test('counts tests, also nested ones, and tells their diagnostics', async () => {
  const { code, last, out } = await outcome(`
    test('one', (t) => t.diagnostic('seed 42, 7 runs'))
    describe('group', () => { test('two', () => {}) })`)
  assert.equal(last, '2 passed, 0 failed')
  assert.equal(code, 0)
  assert.match(out, /seed 42, 7 runs/)
})

test('a failure is told with its place in the file, its error and the output around it', async () => {
  const { code, last, out } = await outcome(`
    describe('group', () => { test('breaks', () => { console.log('clue'); throw new Error('boom') }) })`)
  assert.equal(last, '0 passed, 2 failed')
  assert.equal(code, 1)
  assert.match(out, /group > breaks\n\s+Error: boom/)
  assert.match(out, /clue/)
})

test('a skipped test is named, and fails where CI is set', async () => {
  const body = `test('one', () => {}); test('two', { skip: 'runc not installed' }, () => {}); test('three', { todo: true }, () => {})`
  const here = await outcome(body)
  assert.equal(here.last, '1 passed, 0 failed')
  assert.equal(here.code, 0)
  assert.match(here.out, /skipped: two: runc not installed/)
  assert.match(here.out, /1 marked todo/)
  const ci = await outcome(body, { skipFails: true })
  assert.equal(ci.last, '1 passed, 1 failed')
  assert.equal(ci.code, 1)
})

for (const [name, body] of [
  ['holds no test', ''],
  ['ends its process before its tests end', `test('a', () => {}); test('b', () => process.exit(0))`],
  ['cannot be loaded', `import './nowhere.ts'`],
  ['throws after its tests', `test('a', () => {}); setImmediate(() => { throw new Error('late') })`],
] as const)
  test(`a file that ${name} has failed`, async () => {
    const { code, last } = await outcome(body)
    assert.match(last, /^\d+ passed, [1-9]\d* failed$/)
    assert.equal(code, 1)
  })

test('a file that does not end is ended', async () => {
  const { code, last, out } = await outcome(`test('a', () => {}); setInterval(() => {}, 1000)`, {
    fileTimeoutMs: 2000,
  })
  assert.match(last, /, 1 failed$/)
  assert.equal(code, 1)
  assert.match(out, /took longer than 2 s and was ended/)
})

test('no file is not success', async () => {
  const { code, last } = await outcome('', { include: ['*.nothing.ts'] })
  assert.equal(last, '0 passed, 0 failed')
  assert.equal(code, 1)
})
