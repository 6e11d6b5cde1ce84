// Checks who may import whom in src/ (docs/architecture.md), who may dial, and that files stay small and say what they are.
import { parse } from '@babel/parser'

/** What a layer may import besides itself and core; a name with a file is that file alone. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  outbound: [],
  // Its allowlists are the catalogue's.
  emulator: ['catalogue/index.ts'],
  // The schema composes the features' own sections.
  config: ['*/config.ts'],
  // A feature knows another one only by its public face.
  feature: ['*/index.ts'],
  pipeline: ['feature'],
  runtime: ['feature', 'config/index.ts'],
  parts: ['feature', 'config/index.ts', 'runtime'],
  routes: ['feature'],
  app: ['feature', 'config/index.ts', 'pipeline', 'parts', 'routes', 'runtime', 'outbound'],
  // doctor compiles what serve compiles, to say what is wrong with it.
  client: [
    'feature',
    'runtime',
    'cli/io.ts',
    'cli/identity.ts',
    'cli/table.ts',
    'config/index.ts',
    'outbound',
    'telemetry/spans.ts',
  ],
  cli: ['feature', 'config/index.ts', 'app', 'outbound'],
  main: ['cli', 'client', 'config/command.ts'],
}

const NOT_FEATURES = new Set(Object.keys(MAY_IMPORT))

/** Single files that may do what their layer may not, with the reason. */
const EXCEPTIONS: readonly { file: string; imports: string; because: string }[] = [
  { file: 'src/cli/dev.ts', imports: 'src/emulator/index.ts', because: 'the development commands' },
  {
    file: 'src/config/command.ts',
    imports: 'src/cli/io.ts',
    because: 'the commands of the configuration stand with it',
  },
  {
    file: 'src/cli/identity.ts',
    imports: 'package.json',
    because: 'name and version have one source',
  },
]

/** Packages that only some places may load; `types` = their types are free for all. */
const PACKAGES: readonly { name: RegExp; where: RegExp; types: boolean }[] = [
  { name: /^@modelcontextprotocol\//, where: /^src\/(mcp|client)\//, types: false },
  { name: /^undici(\/|$)/, where: /^src\/(outbound\.ts|client\/)/, types: true },
  { name: /^express$/, where: /^src\/http\//, types: true },
  { name: /^helmet$/, where: /^src\/http\//, types: true },
  { name: /^zod$/, where: /^src\/config\/|^src\/[a-z]+\/([a-z]+\/)?config\.ts$/, types: true },
  // The command that edits live/keys.yaml keeps its comments and order.
  { name: /^yaml$/, where: /^src\/config\/|^src\/cli\/key-file\.ts$/, types: true },
  { name: /^(jsonwebtoken|jwks-rsa)$/, where: /^src\/identity\//, types: true },
  { name: /^@marcbachmann\/cel-js$/, where: /^src\/admission\/policy\//, types: true },
  { name: /^re2js$/, where: /^src\/(admission\/policy|response\/scan)\//, types: true },
  // It dials itself: the row `store` of OUTBOUND is its destination.
  { name: /^@redis\/client$/, where: /^src\/store\//, types: true },
  { name: /^(@opentelemetry\/|prom-client$)/, where: /^src\/telemetry\//, types: true },
]

const DIALS = /^src\/(outbound\.ts|client\/)/
/** What of the network modules opens no connection. */
const HARMLESS: Readonly<Record<string, ReadonlySet<string>>> = {
  'node:http': new Set(['createServer', 'STATUS_CODES', 'Server']),
  'node:net': new Set(['isIP', 'isIPv4', 'isIPv6', 'BlockList', 'Server']),
}
const NETWORK = new Set([
  ...Object.keys(HARMLESS),
  'node:https',
  'node:http2',
  'node:tls',
  'node:dgram',
  'node:dns',
  'node:dns/promises',
  'node:child_process',
  'node:cluster',
  'node:worker_threads',
])
const DIALLING_GLOBALS = new Set(['fetch', 'WebSocket', 'EventSource', 'XMLHttpRequest'])
/** A pipe or socket given as a descriptor is no connection of ours. */
const DESCRIPTOR_SOCKET = 'src/audit/sink.ts'
/** Asks whether somebody listens on the service's own socket before it is replaced. */
const SOCKET_PROBE = 'src/cli/socket.ts'
const STANDARD_OUTPUT = 'src/cli/io.ts'

/** Tables: long, and one row a line. */
const DATA = new Set(['src/core/denials.ts', 'src/emulator/demo-data.ts'])
const MAX_LINES = 400

/** Path from the root to source text. */
export type Sources = ReadonlyMap<string, string>

/** Sentences about what is not allowed, one a violation. */
export function checkLayers(sources: Sources): string[] {
  const found: string[] = []
  for (const [file, text] of sources) {
    const report = (what: string): void => void found.push(`${file}: ${what}`)
    checkForm(file, text, report)
    if (file.startsWith('src/') && file.endsWith('.ts') && !file.endsWith('.d.ts'))
      checkSource(file, text, report)
  }
  return found
}

type Report = (what: string) => void

function checkForm(file: string, text: string, report: Report): void {
  const lines = text.split('\n')
  const count = text.endsWith('\n') ? lines.length - 1 : lines.length
  if (count > MAX_LINES && !DATA.has(file)) report(`has ${count} lines; split it, ${MAX_LINES} are the most`)
  const first = lines[0]?.startsWith('#!') ? lines[1] : lines[0]
  if (!first?.startsWith('// ')) report('does not begin with a comment that says what it does')
}

interface Import {
  source: string
  type: boolean
  /** Imported names; `*` for a whole module, `default` for the default export. */
  names: string[]
  /** Local name of a default or namespace import. */
  local: string | undefined
}

interface Node {
  type: string
  [member: string]: unknown
}

function checkSource(file: string, text: string, report: Report): void {
  const program = parse(text, { sourceType: 'module', plugins: ['typescript', 'importAttributes'] as never })
  const imports: Import[] = []
  const wholes = new Map<string, string>()
  walk(program.program as unknown as Node, (node) => {
    const one = importOf(node, report)
    if (one === undefined) return
    imports.push(one)
    if (one.local !== undefined && !one.type) wholes.set(one.local, one.source)
  })
  for (const one of imports) {
    if (one.source.startsWith('.')) checkRelative(file, one, report)
    else checkPackage(file, one, report)
  }
  walk(program.program as unknown as Node, (node) => checkUse(file, node, wholes, report))
}

function importOf(node: Node, report: Report): Import | undefined {
  const source = (node['source'] as { value?: string } | null | undefined)?.value
  if (
    (node.type === 'ImportDeclaration' ||
      node.type === 'ExportNamedDeclaration' ||
      node.type === 'ExportAllDeclaration') &&
    source !== undefined
  ) {
    const specifiers = (node['specifiers'] as Node[] | undefined) ?? []
    const typed = (item: Node): boolean => item['importKind'] === 'type' || item['exportKind'] === 'type'
    const values = specifiers.filter((item) => !typed(item))
    const whole = values.find((item) => /Default|Namespace/.test(item.type))
    return {
      source,
      type: typed(node) || (specifiers.length > 0 && values.length === 0),
      names: values.map((item) =>
        item === whole
          ? '*'
          : ((item['imported'] ?? item['local']) as { name?: string; value?: string }).name,
      ) as string[],
      local: whole === undefined ? undefined : (whole['local'] as { name: string }).name,
    }
  }
  const dynamic = node.type === 'ImportExpression' ? (node['source'] as Node) : importCall(node)
  if (dynamic === undefined) return undefined
  const value = dynamic['value']
  if (typeof value === 'string') return { source: value, type: false, names: ['*'], local: undefined }
  report('imports a module by a name that is computed')
  return undefined
}

/** `import(x)` and `process.getBuiltinModule(x)`. */
function importCall(node: Node): Node | undefined {
  if (node.type !== 'CallExpression') return undefined
  const callee = node['callee'] as Node
  const named = (callee['property'] as { name?: string } | undefined)?.name === 'getBuiltinModule'
  return callee.type === 'Import' || named ? (node['arguments'] as Node[])[0] : undefined
}

const layerOf = (path: string): string => /^src\/([^/]+?)(?:\.ts|\/)/.exec(path)?.[1] ?? ''
/** A feature's own part of the configuration; a folder inside a feature may have one too. */
const isSection = (path: string): boolean => /^src\/[a-z]+\/([a-z]+\/)?config\.ts$/.test(path)
const isFeature = (layer: string): boolean => layer !== '' && !NOT_FEATURES.has(layer)

function checkRelative(file: string, one: Import, report: Report): void {
  const target = resolvePath(file, one.source)
  if (EXCEPTIONS.some((row) => row.file === file && row.imports === target)) return
  const from = layerOf(file)
  const to = layerOf(target)
  if (from === to || to === 'core') return
  const rule = MAY_IMPORT[isFeature(from) ? 'feature' : from] ?? []
  const inside = target.slice('src/'.length)
  const allowed = rule.some((entry) => {
    if (entry === 'feature') return isFeature(to)
    if (entry === '*/config.ts') return isFeature(to) && isSection(target)
    if (entry.startsWith('*/')) return isFeature(to) && inside === `${to}/${entry.slice(2)}`
    return entry === to || entry === inside
  })
  if (allowed) return
  // A feature's section of the configuration is its own; what it is made of stands in config/.
  if (isFeature(from) && isSection(file) && inside === 'config/fields.ts') return
  if (from === 'cli' && one.type && to === 'config') return
  report(`may not import ${target}`)
}

function resolvePath(file: string, source: string): string {
  const parts = file.split('/').slice(0, -1)
  for (const part of source.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/')
}

function checkPackage(file: string, one: Import, report: Report): void {
  const row = PACKAGES.find(({ name }) => name.test(one.source))
  if (row !== undefined && !row.where.test(file) && !(one.type && row.types))
    report(`may not import ${one.source}`)
  const layer = layerOf(file)
  if (layer === 'core' && !one.type) report(`core imports nothing, but this imports ${one.source}`)
  if (one.type || DIALS.test(file) || !NETWORK.has(one.source)) return
  const harmless = HARMLESS[one.source]
  if (harmless === undefined) {
    report(`may not import ${one.source}: only outbound.ts dials`)
    return
  }
  for (const name of one.names) {
    if (name === '*' || harmless.has(name)) continue
    if (name === 'Socket' && file === DESCRIPTOR_SOCKET) continue
    if (name === 'connect' && file === SOCKET_PROBE) continue
    report(`may not use ${name} of ${one.source}: only outbound.ts dials`)
  }
}

function checkUse(file: string, node: Node, wholes: ReadonlyMap<string, string>, report: Report): void {
  if (node.type === 'CallExpression' || node.type === 'NewExpression') {
    const name = (node['callee'] as { name?: string }).name
    if (name !== undefined && DIALLING_GLOBALS.has(name) && !DIALS.test(file))
      report(`may not use ${name}: only outbound.ts dials`)
  }
  if (node.type !== 'MemberExpression') return
  const object = (node['object'] as { name?: string }).name
  const property = (node['property'] as { name?: string; value?: string }).name ?? '?'
  if (object === 'process' && property === 'stdout' && file !== STANDARD_OUTPUT)
    report('may not use process.stdout: records have their own writer')
  const source = object === undefined ? undefined : wholes.get(object)
  const harmless = source === undefined ? undefined : HARMLESS[source]
  if (harmless === undefined || DIALS.test(file) || harmless.has(property)) return
  if (property === 'Socket' && file === DESCRIPTOR_SOCKET) return
  report(`may not use ${property} of ${source}: only outbound.ts dials`)
}

function walk(node: Node, visit: (node: Node) => void): void {
  visit(node)
  for (const value of Object.values(node)) {
    const items = Array.isArray(value) ? value : [value]
    for (const item of items) {
      if (typeof item === 'object' && item !== null && typeof (item as Node).type === 'string')
        walk(item as Node, visit)
    }
  }
}
