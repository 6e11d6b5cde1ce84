// Turns the OpenAPI document of a kube-apiserver into the small strict schemas that kubeconform checks the chart with.
//   kubectl get --raw=/openapi/v2 >openapi.json && node scripts/generate-k8s-schemas.ts openapi.json
// Kept: the kinds that the chart renders, each file complete in itself. Left out: descriptions and what only servers read.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export const SCHEMAS_PATH = 'test/platform/chart/schemas/kubernetes'

/** Group, version and kind of everything built in that the chart or k8s/ renders; kubeconform names a missing one. */
const KINDS: readonly (readonly [group: string, version: string, kind: string])[] = [
  ['', 'v1', 'ConfigMap'],
  ['', 'v1', 'Namespace'],
  ['', 'v1', 'Pod'],
  ['', 'v1', 'Secret'],
  ['', 'v1', 'Service'],
  ['', 'v1', 'ServiceAccount'],
  ['apps', 'v1', 'Deployment'],
  ['autoscaling', 'v2', 'HorizontalPodAutoscaler'],
  ['networking.k8s.io', 'v1', 'NetworkPolicy'],
  ['policy', 'v1', 'PodDisruptionBudget'],
]

type Json = string | number | boolean | null | Json[] | { [name: string]: Json }
type Schema = { [name: string]: Json }

interface OpenApi {
  readonly info: { readonly version: string }
  readonly definitions: Readonly<Record<string, Schema>>
}

const PREFIX = '#/definitions/'
const KEPT = ['type', 'enum', 'required', 'minimum', 'maximum', 'pattern'] as const

const isSchema = (value: Json | undefined): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** One schema, strict: a property that it does not name is refused. `found` gets the definitions that it refers to. */
function strict(schema: Schema, found: Set<string>): Schema {
  const reference = schema['$ref']
  if (typeof reference === 'string') {
    found.add(reference.slice(PREFIX.length))
    return { $ref: reference }
  }
  // The apiserver takes either form for these two, its document names one only.
  if (schema['format'] === 'int-or-string') return { type: ['integer', 'string'] }
  const kept: Schema = {}
  for (const key of KEPT) if (schema[key] !== undefined) kept[key] = schema[key]
  if (isSchema(schema['items'])) kept['items'] = strict(schema['items'], found)
  const { properties, additionalProperties } = schema
  if (isSchema(properties)) {
    const entries = Object.entries(properties).filter((entry): entry is [string, Schema] =>
      isSchema(entry[1]),
    )
    kept['properties'] = Object.fromEntries(entries.map(([name, value]) => [name, strict(value, found)]))
    kept['additionalProperties'] = false
  }
  if (isSchema(additionalProperties)) kept['additionalProperties'] = strict(additionalProperties, found)
  return kept
}

const isQuantity = (name: string): boolean => name === 'io.k8s.apimachinery.pkg.api.resource.Quantity'

/** The definitions that a kind needs, itself first. */
function reachable(openApi: OpenApi, first: string): Map<string, Schema> {
  const made = new Map<string, Schema>()
  const open = new Set([first])
  for (const name of open) {
    const definition = openApi.definitions[name]
    if (definition === undefined) throw new Error(`the document has no definition ${name}`)
    made.set(name, isQuantity(name) ? { type: ['string', 'number'] } : strict(definition, open))
  }
  return made
}

function definitionName(openApi: OpenApi, group: string, version: string, kind: string): string {
  const wanted = JSON.stringify({ group, kind, version })
  const found = Object.entries(openApi.definitions).find(([, schema]) => {
    const kinds = schema['x-kubernetes-group-version-kind']
    if (!Array.isArray(kinds) || kinds.length !== 1 || !isSchema(kinds[0])) return false
    const { group: g, kind: k, version: v } = kinds[0]
    return JSON.stringify({ group: g, kind: k, version: v }) === wanted
  })
  if (found === undefined) throw new Error(`the document has no ${group}/${version} ${kind}`)
  return found[0]
}

/** File name to text, named as kubeconform looks for it; one definition a line, so that a new version reads as a diff. */
export function schemaFiles(openApi: OpenApi): Map<string, string> {
  const files = new Map<string, string>()
  for (const [group, version, kind] of KINDS) {
    const name = definitionName(openApi, group, version, kind)
    const definitions = reachable(openApi, name)
    const top = definitions.get(name)
    if (top === undefined || !isSchema(top['properties'])) throw new Error(`${kind} has no properties`)
    definitions.delete(name)
    const apiVersion = group === '' ? version : `${group}/${version}`
    top['properties'] = { ...top['properties'], apiVersion: { enum: [apiVersion] }, kind: { enum: [kind] } }
    top['required'] = ['apiVersion', 'kind', ...(Array.isArray(top['required']) ? top['required'] : [])]
    const lines = [...definitions].sort(([a], [b]) => (a < b ? -1 : 1))
    const head = JSON.stringify({ $comment: `Kubernetes ${openApi.info.version}`, ...top }).slice(0, -1)
    const body = lines.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',\n')
    const suffix = [group.split('.')[0], version].filter((part) => part !== '').join('-')
    files.set(`${kind.toLowerCase()}-${suffix}.json`, `${head},"definitions":{\n${body}\n}}\n`)
  }
  return files
}

function main(file: string | undefined): number {
  if (file === undefined) {
    process.stderr.write('usage: node scripts/generate-k8s-schemas.ts OPENAPI.json\n')
    return 2
  }
  const folder = resolve(import.meta.dirname, '..', SCHEMAS_PATH)
  const files = schemaFiles(JSON.parse(readFileSync(file, 'utf8')) as OpenApi)
  mkdirSync(folder, { recursive: true })
  for (const name of readdirSync(folder)) rmSync(join(folder, name))
  let bytes = 0
  for (const [name, text] of files) {
    writeFileSync(join(folder, name), text)
    bytes += text.length
  }
  process.stdout.write(`${files.size} schemas, ${bytes} bytes, in ${SCHEMAS_PATH}\n`)
  return 0
}

if (import.meta.main) process.exitCode = main(process.argv[2])
