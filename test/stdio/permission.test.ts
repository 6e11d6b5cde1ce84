// The recipe of docs/reference/stdio.md for Node's permission model: it works as printed, and each of its flags is needed.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { build } from '../../scripts/build.ts'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { EXECUTE, toolCall } from '../lib/calls.ts'
import { HARDENED, ROOT, type RunOptions, run, temporary } from '../lib/process.ts'

const RECIPE = join(ROOT, 'examples/clients/stdio-permission.json')
const DOC = join(ROOT, 'docs/reference/stdio.md')

const files = temporary()
const program = temporary()
let emulator: Emulator
/** Flags of the recipe with the paths of this test. */
let flags: string[]
let words: string[]
/** Folder of the records. */
let audit: string
let options: RunOptions

before(async () => {
  emulator = await startEmulator({})
  const { entry } = await build(program.path)
  audit = mkdtempSync(join(files.path, 'audit-'))
  const config = files.file(
    'config.yaml',
    JSON.stringify({ backend: { url: emulator.url }, audit: { sink: { directory: audit } } }),
  )
  const { mcpServers } = JSON.parse(readFileSync(RECIPE, 'utf8')) as {
    mcpServers: { ductape: { args: string[] } }
  }
  const args = mcpServers.ductape.args.map((word) =>
    word
      .replace('/opt/ductape-mcp', program.path)
      .replace('/etc/ductape-mcp/config.yaml', config)
      .replace('/var/log/ductape-mcp', audit),
  )
  const main = args.indexOf(entry)
  assert.ok(main > 0, 'the recipe starts the bundle')
  flags = args.slice(0, main)
  words = args.slice(main + 1)
  options = {
    main: entry,
    input: `${toolCall('ductape_execute', EXECUTE)}\n{"jsonrpc":"2.0","id":2,"method":"tools/list"}\n`,
  }
})
after(async () => {
  await emulator.close()
  files.remove()
  program.remove()
})

test('the page and the example are the same', () => {
  const blocks = [...readFileSync(DOC, 'utf8').matchAll(/```json\n(.*?)```/gs)].map(
    ([, text = '']) => JSON.parse(text) as unknown,
  )
  const example = (name: string): unknown =>
    JSON.parse(readFileSync(join(ROOT, 'examples/clients', name), 'utf8')) as unknown
  assert.deepEqual(blocks, [example('stdio.json'), example('stdio-permission.json')])
})

test('with all flags a call runs and is recorded', async () => {
  const done = await run(words, { ...options, node: [...HARDENED, ...flags] })
  assert.equal(done.code, 0, done.stderr)
  const answers = new Map(
    done.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { id: number; result: Record<string, unknown> })
      .map(({ id, result }) => [id, result]),
  )
  assert.match(JSON.stringify(answers.get(1)), /Production/)
  assert.match(JSON.stringify(answers.get(2)), /ductape_generate_snippet/)
  const [file = 'none'] = readdirSync(audit)
  assert.match(readFileSync(join(audit, file), 'utf8'), /"type":"outcome"/)
})

test('no flag can be left out', async (t) => {
  const expected: [flag: RegExp, check: (done: Awaited<ReturnType<typeof run>>) => void][] = [
    [/^--allow-fs-read=.*\*$/, (done) => assert.notEqual(done.code, 0)],
    [
      /^--allow-fs-read=.*config/,
      (done) => {
        assert.equal(done.code, 2)
        assert.match(done.stderr, /may not be read: node runs with --permission/)
      },
    ],
    [
      /^--allow-fs-write=/,
      (done) => {
        assert.equal(done.code, 2)
        assert.match(done.stderr, /audit\.sink: no file can be made in the folder/)
      },
    ],
    [/^--allow-net$/, (done) => assert.match(done.stdout, /backend_unreachable/)],
  ]
  // `--permission` itself is the next test.
  assert.equal(flags.length, expected.length + 1, 'every flag of the recipe has a row here')
  for (const [pattern, check] of expected) {
    const flag = flags.find((word) => pattern.test(word))
    assert.ok(flag, String(pattern))
    await t.test(`without ${pattern.source}`, async () => {
      check(await run(words, { ...options, node: [...HARDENED, ...flags.filter((word) => word !== flag)] }))
    })
  }
})

test('the model is on: a file outside the recipe stays closed, and opens without --permission', async () => {
  const other = files.file('other.yaml', JSON.stringify({ backend: { url: emulator.url } }))
  const named = ['stdio', '--config', other]
  const closed = await run(named, { ...options, node: flags })
  assert.equal(closed.code, 2)
  assert.match(closed.stderr, /may not be read: node runs with --permission/)
  const opened = await run(named, { ...options, node: [] })
  assert.equal(opened.code, 0, opened.stderr)
})
