// The release bundle: reproducible, without the emulator, and with the rarely used parts out of what `serve` loads.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Metafile } from 'esbuild'
import { build, loadedAtStart, ROOT } from '../../scripts/build.ts'
import { readSources } from '../../scripts/lib/sources.ts'
import { complete } from './lib/process.ts'

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
      if (name.endsWith('.mjs')) assert.ok(!/pk_demo_|req_fault/.test(text), name)
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

  test('serve starts without the MCP client, the OpenTelemetry SDK and the SDK of the 2025 era', () => {
    const start = loadedAtStart(metafile)
    const inputs = new Set(start.flatMap((name) => Object.keys(metafile.outputs[name]?.inputs ?? {})))
    for (const heavy of [
      '@modelcontextprotocol/sdk/',
      '@opentelemetry/sdk-node/',
      '@opentelemetry/exporter-trace',
    ])
      assert.deepEqual(
        [...inputs].filter((name) => name.includes(heavy)),
        [],
      )
    assert.deepEqual(
      [...inputs].filter((name) => name.startsWith('src/client/')),
      [],
    )
  })

  test('it runs outside the project, without node_modules', async () => {
    const entry = join(folder, 'a', 'ductape-mcp.mjs')
    const flags = ['--disable-proto=throw', '--disallow-code-generation-from-strings']
    const { code, stdout, stderr } = await complete(process.execPath, [...flags, entry, '--help'], {
      cwd: folder,
      env: {},
    })
    assert.equal(code, 0, stderr)
    assert.match(stdout, /Usage: ductape-mcp/)
    const emulator = await complete(process.execPath, [...flags, entry, 'emulator'], { cwd: folder, env: {} })
    assert.equal(emulator.code, 2)
    assert.match(emulator.stderr, /emulator is for development and is not part of this build/)
  })
})
