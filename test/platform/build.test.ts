// The release bundle: reproducible, without the emulator, and with the rarely used parts out of what `serve` loads.
import assert from 'node:assert/strict'
import type { SpawnOptions } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Metafile } from 'esbuild'
import { build, ROOT } from '../../scripts/build.ts'
import { readSources } from '../../scripts/lib/sources.ts'
import { complete, start } from './lib/process.ts'

// Says of each script what V8 thought of the code that it was given.
const WATCH = `import vm from 'node:vm'
import { basename } from 'node:path'
const words = { undefined: 'compiled', false: 'taken', true: 'refused' }
vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options)
    process.stderr.write('loaded ' + basename(options.filename, '.js') + ': ' + words[this.cachedDataRejected] + '\\n')
  }
}`

describe('the bundle', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-build-'))
  let metafile: Metafile

  before(async () => {
    ;({ metafile } = await build(join(folder, 'a')))
  })

  after(() => rmSync(folder, { recursive: true, force: true }))

  const files = (name: string): Map<string, string> =>
    new Map(
      readdirSync(join(folder, name), { recursive: true, encoding: 'utf8' })
        .filter((file) => statSync(join(folder, name, file)).isFile())
        .sort()
        .map((file) => [file, readFileSync(join(folder, name, file), 'utf8')]),
    )

  test('the same sources give the same bytes, with no path of this machine in them', async () => {
    await build(join(folder, 'b'))
    const [first, second] = [files('a'), files('b')]
    assert.deepEqual([...first.keys()], [...second.keys()])
    for (const [name, text] of first) {
      assert.ok(text === second.get(name), `${name} differs`)
      assert.ok(!text.includes(ROOT), `${name} holds ${ROOT}`)
    }
  })

  test('no code of the emulator is in it', () => {
    const inputs = Object.keys(metafile.inputs)
    assert.ok(inputs.includes('src/main.ts') && inputs.includes('src/pipeline.ts'))
    assert.deepEqual(
      inputs.filter((name) => name.startsWith('src/emulator/')),
      [],
    )
    for (const [name, text] of files('a'))
      if (/\.m?js$/.test(name)) assert.ok(!/pk_demo_|req_fault/.test(text), name)
  })

  test('a CommonJS package that is loaded on demand is taken by its one export of the bundle', () => {
    const faults: string[] = []
    let seen = 0
    for (const [path, source] of readSources()) {
      if (!path.startsWith('src/')) continue
      for (const { 1: name = '', 2: taken } of source.matchAll(/import\('([^.'][^']*)'\)(\)\.default)?/g)) {
        const folder = name
          .split('/')
          .slice(0, name.startsWith('@') ? 2 : 1)
          .join('/')
        const manifest = readFileSync(join(ROOT, 'node_modules', folder, 'package.json'), 'utf8')
        if ((JSON.parse(manifest) as { type?: string }).type === 'module') continue
        seen++
        if (taken === undefined) faults.push(`${path}: ${name}`)
      }
    }
    assert.deepEqual(faults, [])
    assert.ok(seen >= 3)
  })

  test('the licence of each bundled package travels along', () => {
    const notices = files('a').get('THIRD-PARTY-NOTICES.txt') ?? ''
    const names = new Set(
      Object.keys(metafile.inputs).flatMap(
        (name) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(name)?.[1] ?? [],
      ),
    )
    assert.ok(names.size > 10)
    // The metrics library is installed under another name than its own.
    for (const name of names)
      assert.ok(notices.includes(`\n${name === 'prom-client' ? '@prometheus-io/client' : name} `), name)
    assert.ok(!notices.includes('no licence named'))
  })

  /** The bundle's command, with flags of Node before it, and what V8 thought of the code of its scripts on stderr. */
  const command = (args: readonly string[], flags: readonly string[]): [string, string[], SpawnOptions] => {
    const watch = join(folder, 'watch.mjs')
    writeFileSync(watch, WATCH)
    const usual = ['--disable-proto=throw', '--disallow-code-generation-from-strings', '--import', watch]
    return [
      process.execPath,
      [...usual, ...flags, join(folder, 'a', 'ductape-mcp.mjs'), ...args],
      { cwd: folder, env: { CODE_CACHE: join(folder, 'a', 'cache') } },
    ]
  }
  const run = (args: readonly string[], flags: readonly string[] = []) => complete(...command(args, flags))
  const loaded = (text: string): string[] =>
    [...text.matchAll(/^loaded (\w+)-\w+: (\w+)$/gm)].map(([, name, code]) => `${name} ${code}`)

  test('what a start does not need is a script of its own, which is loaded on demand', () => {
    const output = Object.entries(metafile.outputs).find(([name]) => /\/app-\w+\.js$/.test(name))?.[1]
    const own = Object.keys(output?.inputs ?? {})
    assert.ok(own.includes('src/cli/serve.ts') && own.some((name) => name.startsWith('node_modules/undici/')))
    for (const heavy of [
      '@modelcontextprotocol/sdk/',
      '@modelcontextprotocol/server/',
      '@opentelemetry/sdk-node/',
      '@opentelemetry/exporter-trace',
      '@redis/client/',
      'express/',
      'jsonwebtoken/',
      'libpg-query/',
      'prom-client/',
      're2js/',
    ])
      assert.deepEqual(
        own.filter((name) => name.includes(`node_modules/${heavy}`)),
        [],
      )
  })

  test('serve is ready with one script, and loads what the next requests need after that', async () => {
    const config = join(folder, 'config.yaml')
    writeFileSync(
      config,
      `version: 1\npublicUrl: "https://mcp.example.com"\nlisten: "127.0.0.1:0"\nops: "127.0.0.1:0"\nbackend: { url: "http://127.0.0.1:9" }\nlive: "${folder}"\nreceipts: { keys: boot }\nauth: { apiKeys: {} }\n`,
    )
    writeFileSync(join(folder, 'policy.yaml'), 'version: 1\nroles: { a: { allow: [{ tool: "*" }] } }\n')
    const service = start(...command(['serve', '--config', config], []))
    try {
      await service.line(/listening on/)
      assert.deepEqual(loaded(service.stderr().split('listening on')[0] ?? ''), ['app compiled'])
      for (const name of ['server', 'router', 'metrics'])
        await service.line(new RegExp(`^loaded ${name}-\\w+: compiled$`, 'm'))
    } finally {
      await service.stop()
    }
  })

  test('it runs from code that V8 made at an earlier run, and without where V8 refuses that', async () => {
    mkdirSync(join(folder, 'a', 'cache'))
    const record = ['--import', join(ROOT, 'scripts/image/record.ts')]
    const first = await run(['--version'], record)
    assert.deepEqual([first.code, loaded(first.stderr)], [0, ['app compiled']], first.stderr)
    const taken = await run(['--version'])
    assert.deepEqual([taken.code, loaded(taken.stderr)], [0, ['app taken']], taken.stderr)
    const refused = await run(['--version'], ['--max-lazy'])
    assert.deepEqual([refused.code, refused.stdout], [0, taken.stdout], refused.stderr)
    assert.deepEqual(loaded(refused.stderr), ['app refused'])
  })

  test('it runs outside the project, without node_modules', async () => {
    const { code, stdout, stderr } = await run(['--help'])
    assert.equal(code, 0, stderr)
    assert.match(stdout, /Usage: ductape-mcp/)
    const emulator = await run(['emulator'])
    assert.equal(emulator.code, 2)
    assert.match(emulator.stderr, /emulator is for development and is not part of this build/)
  })
})
