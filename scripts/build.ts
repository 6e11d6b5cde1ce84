// npm run build: the service as one minified script in dist/, the rarely used packages beside it, without the emulator unless asked for.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { type BuildOptions as BuildConfig, build as bundle, type Metafile, type Plugin } from 'esbuild'
import { thirdPartyNotices } from './lib/notices.ts'

export const ROOT = resolve(import.meta.dirname, '..')
const DIST = join(ROOT, 'dist')
const EMULATOR = join(ROOT, 'src', 'emulator') + sep

// Packages that a start does not need, each group a script that is loaded on demand. What two scripts have in common, zod for one, each has for itself.
const LATE: Readonly<Record<string, readonly string[]>> = {
  client: [
    '@modelcontextprotocol/sdk/client/index.js',
    '@modelcontextprotocol/sdk/client/streamableHttp.js',
    '@modelcontextprotocol/sdk/types.js',
  ],
  conditions: ['@marcbachmann/cel-js', 're2js'],
  metrics: ['prom-client'],
  oauth: ['jsonwebtoken', 'jwks-rsa'],
  proxy: ['undici'],
  redis: ['@redis/client'],
  router: ['express'],
  server: ['@modelcontextprotocol/server'],
  sql: ['libpg-query'],
  tracing: ['@opentelemetry/exporter-trace-otlp-http', '@opentelemetry/sdk-node'],
}

/** Files that a package reads from beside its own script. */
const BESIDE = ['node_modules/libpg-query/wasm/libpg-query.wasm']

const groupOf = (name: string): string | undefined =>
  Object.entries(LATE).find(([, packages]) => packages.includes(name))?.[0]

/** In our own code, such a package is what the script of its group exports; `files` has the file of each group. */
const takeLate = (files: ReadonlyMap<string, string>): Plugin => ({
  name: 'take-late',
  setup(build) {
    build.onResolve({ filter: /^[^.]/ }, ({ path, importer }) =>
      importer.startsWith(join(ROOT, 'src')) && groupOf(path) !== undefined
        ? { path, namespace: 'late' }
        : undefined,
    )
    build.onLoad({ filter: /./, namespace: 'late' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(files.get(groupOf(path) ?? ''))})[${JSON.stringify(path)}]`,
      loader: 'js',
    }))
    build.onResolve({ filter: /./, namespace: 'late' }, ({ path }) => ({ path, external: true }))
  },
})

/** The script of a group exports its packages by name. */
const bundleLate: Plugin = {
  name: 'bundle-late',
  setup(build) {
    build.onResolve({ filter: /^late:/ }, ({ path }) => ({
      path: path.slice('late:'.length),
      namespace: 'group',
    }))
    build.onLoad({ filter: /./, namespace: 'group' }, ({ path }) => ({
      contents: (LATE[path] ?? [])
        .map((name) => JSON.stringify(name))
        .map((name) => `exports[${name}] = require(${name})`)
        .join('\n'),
      resolveDir: ROOT,
      loader: 'js',
    }))
  },
}

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

// An import of node:http as an ES module reads every export, and one of its getters loads the whole of Node's own fetch and WebSocket; each name
// taken from the plain object costs only itself. Measured: 40 ms of the start.
const plainBuiltins: Plugin = {
  name: 'plain-builtins',
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === 'import-statement' ? { path, namespace: 'builtin', sideEffects: false } : undefined,
    )
    build.onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => {
      const names = Object.keys(process.getBuiltinModule(path) ?? {}).filter(
        (name) => /^[a-zA-Z_$][\w$]*$/.test(name) && name !== 'default',
      )
      const lines = names.map((name) => `export const ${name} = /* @__PURE__ */ (() => builtin.${name})()`)
      return {
        contents: `const builtin = process.getBuiltinModule(${JSON.stringify(path)})\nexport default builtin\n${lines.join('\n')}`,
        loader: 'js',
      }
    })
  },
}

// What undici needs for HTTP/2 only, which brings the whole of node:http2: the backend is asked over HTTP/1.1.
const lateHttp2: Plugin = {
  name: 'late-http2',
  setup(build) {
    build.onResolve({ filter: /^\.\/client-h2\.js$/ }, ({ resolveDir, namespace }) =>
      namespace === 'http2' ? undefined : { path: 'client-h2', namespace: 'http2', pluginData: resolveDir },
    )
    build.onLoad({ filter: /./, namespace: 'http2' }, ({ pluginData: resolveDir }) => ({
      contents: "module.exports = (...args) => require('./client-h2.js')(...args)",
      resolveDir,
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
  const common = {
    absWorkingDir: ROOT,
    // Written by us below: so the source maps name the same paths wherever the bundle is put.
    outdir: DIST,
    write: false,
    bundle: true,
    platform: 'node',
    target: 'node26',
    minify: true,
    legalComments: 'external',
    sourcemap: 'external',
    metafile: true,
    logLevel: 'warning',
  } as const satisfies BuildConfig
  // One expression each, which scripts/image/boot.ts calls with its own `require`.
  const script = {
    ...common,
    // A name for these very bytes, and for the code that V8 makes of them.
    entryNames: '[name]-[hash]',
    format: 'cjs',
    supported: { 'dynamic-import': false },
    banner: { js: '(function(require,module,__dirname){var exports=module.exports;' },
    footer: { js: '})' },
  } as const satisfies BuildConfig
  const late = await bundle({
    ...script,
    entryPoints: Object.keys(LATE).map((name) => ({ in: `late:${name}`, out: name })),
    plugins: [bundleLate],
  })
  const files = new Map<string, string>()
  const note = ({ outputs }: Metafile): void => {
    for (const path of Object.keys(outputs)) {
      const [name, group] = /([a-z]+)-[A-Z0-9]+\.js$/.exec(path) ?? []
      if (name !== undefined && group !== undefined) files.set(group, `./${name}`)
    }
  }
  note(late.metafile)
  const app = await bundle({
    ...script,
    entryPoints: [{ in: 'src/main.ts', out: 'app' }],
    plugins: [...(emulator ? [] : [leaveEmulatorOut]), takeLate(files), plainBuiltins, lateHttp2, parsedJson],
  })
  note(app.metafile)
  const boot = await bundle({
    ...common,
    entryPoints: [{ in: 'scripts/image/boot.ts', out: 'ductape-mcp' }],
    outExtension: { '.js': '.mjs' },
    format: 'esm',
    banner: { js: '#!/usr/bin/env node' },
    define: { APP: JSON.stringify(files.get('app')) },
  })
  const made = [app, late, boot]
  rmSync(outdir, { recursive: true, force: true })
  for (const { path, contents } of made.flatMap(({ outputFiles }) => outputFiles)) {
    const target = join(outdir, relative(DIST, path))
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, contents)
  }
  for (const file of BESIDE) copyFileSync(join(ROOT, file), join(outdir, basename(file)))
  const metafile: Metafile = {
    inputs: Object.assign({}, ...made.map(({ metafile }) => metafile.inputs)),
    outputs: Object.assign({}, ...made.map(({ metafile }) => metafile.outputs)),
  }
  writeFileSync(
    join(outdir, 'THIRD-PARTY-NOTICES.txt'),
    thirdPartyNotices(ROOT, Object.keys(metafile.inputs)),
  )
  return { entry: join(outdir, 'ductape-mcp.mjs'), metafile }
}

async function main(): Promise<void> {
  const { metafile } = await build(DIST)
  for (const [name, { bytes }] of Object.entries(metafile.outputs))
    if (/\.m?js$/.test(name)) console.log(`${(bytes / 1024).toFixed(0).padStart(8)} KB  ${name}`)
}

if (import.meta.main)
  await main().catch((error: unknown) => {
    // esbuild has printed its own findings, each with the line it is about.
    if (!(error instanceof Error && 'errors' in error)) console.error(error)
    process.exitCode = 1
  })
