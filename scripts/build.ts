// npm run build: one minified ESM bundle of the service in dist/, the rarely used parts as chunks, without the emulator unless asked for.
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { build as bundle, type Metafile, type Plugin } from 'esbuild'
import { thirdPartyNotices } from './lib/notices.ts'

export const ROOT = resolve(import.meta.dirname, '..')
const DIST = join(ROOT, 'dist')
// `serve` is a chunk of its own, because each command loads only what it needs.
const SERVE = 'src/cli/serve.ts'
const EMULATOR = join(ROOT, 'src', 'emulator') + sep

// CommonJS dependencies inside an ES module still call `require` for Node's own modules, and for nothing else: all others are in the bundle.
// Node's createRequire would cost a millisecond in each chunk.
const REQUIRE =
  "const require = (name) => { const found = process.getBuiltinModule(name); if (found === undefined) throw new Error('the bundle has no module ' + name); return found };"

const leaveEmulatorOut: Plugin = {
  name: 'leave-emulator-out',
  setup(build) {
    // A development command reaches it by a path that is not there in a release, and says so.
    build.onResolve({ filter: /emulator/ }, (args) => {
      if (!args.path.startsWith('.')) return undefined
      const path = resolve(args.resolveDir, args.path)
      if (!path.startsWith(EMULATOR)) return undefined
      return { path: `./${relative(join(ROOT, 'src'), path).split(sep).join('/')}`, external: true }
    })
  },
}

// An import of node:http as an ES module reads every export, and one of its getters loads the whole of Node's own fetch and WebSocket; taken as
// the plain object, a builtin costs only what is used. Measured: 40 ms of the start.
const plainBuiltins: Plugin = {
  name: 'plain-builtins',
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === 'import-statement' ? { path, namespace: 'builtin', sideEffects: false } : undefined,
    )
    build.onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)})`,
      loader: 'js',
    }))
  },
}

// JSON.parse of a string is read faster than the same data as an object literal.
const parsedJson: Plugin = {
  name: 'parsed-json',
  setup(build) {
    build.onLoad({ filter: /catalogue\/ductape\.json$/ }, ({ path }) => ({
      contents: `export default JSON.parse(${JSON.stringify(JSON.stringify(JSON.parse(readFileSync(path, 'utf8'))))})`,
      loader: 'js',
    }))
  },
}

export interface BuildResult {
  readonly entry: string
  /** What went where, with paths relative to the project's root. */
  readonly metafile: Metafile
}

export interface BuildOptions {
  /** For the image of the try-out, which is never released. */
  readonly emulator?: boolean
}

/** The same input gives the same bytes: no path of this machine, no time and no random name goes in. */
export async function build(outdir: string, { emulator = false }: BuildOptions = {}): Promise<BuildResult> {
  const { metafile, outputFiles } = await bundle({
    absWorkingDir: ROOT,
    entryPoints: [{ in: 'src/main.ts', out: 'ductape-mcp' }],
    // Written by us below: so the source maps name the same paths wherever the bundle is put.
    outdir: DIST,
    write: false,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunks/[name]-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    minify: true,
    legalComments: 'external',
    sourcemap: 'external',
    banner: { js: REQUIRE },
    metafile: true,
    plugins: [...(emulator ? [] : [leaveEmulatorOut]), plainBuiltins, parsedJson],
    logLevel: 'warning',
  })
  rmSync(outdir, { recursive: true, force: true })
  for (const { path, contents } of outputFiles) {
    const target = join(outdir, relative(DIST, path))
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, contents)
  }
  writeFileSync(
    join(outdir, 'THIRD-PARTY-NOTICES.txt'),
    thirdPartyNotices(ROOT, Object.keys(metafile.inputs)),
  )
  return { entry: join(outdir, 'ductape-mcp.mjs'), metafile }
}

/** The outputs that `serve` loads at start: the entry, the command's own chunk and what both import statically. */
export function loadedAtStart(metafile: Metafile): string[] {
  const roots = ['src/main.ts', SERVE]
  const waiting = Object.entries(metafile.outputs)
    .filter(([, { entryPoint }]) => entryPoint !== undefined && roots.includes(entryPoint))
    .map(([name]) => name)
  const seen = new Set<string>()
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (seen.has(name)) continue
    seen.add(name)
    for (const edge of metafile.outputs[name]?.imports ?? []) {
      if (edge.kind !== 'import-statement') continue
      if (edge.external !== true) waiting.push(edge.path)
      else if (edge.path.startsWith('./emulator/'))
        throw new Error(
          `${name} imports ${edge.path}: only a development command may, the release has no emulator`,
        )
    }
  }
  return [...seen].sort()
}

async function main(): Promise<void> {
  const { metafile } = await build(DIST)
  const start = new Set(loadedAtStart(metafile))
  const scripts = Object.keys(metafile.outputs).filter((name) => name.endsWith('.mjs'))
  const kilobytes = (names: readonly string[]): string =>
    `${(names.reduce((sum, name) => sum + statSync(join(ROOT, name)).size, 0) / 1024).toFixed(0)} KB`
  const notable = scripts.filter((name) => statSync(join(ROOT, name)).size >= 20 * 1024)
  for (const name of notable.sort())
    console.log(`${kilobytes([name]).padStart(8)}  ${name}${start.has(name) ? '' : '  (loaded on demand)'}`)
  console.log(`${kilobytes([...start]).padStart(8)}  loaded by serve at start, ${kilobytes(scripts)} in all`)
}

if (import.meta.main)
  await main().catch((error: unknown) => {
    // esbuild has printed its own findings, each with the line it is about.
    if (!(error instanceof Error && 'errors' in error)) console.error(error)
    process.exitCode = 1
  })
