// Renders k8s/ from the chart: a base, and for each overlay what differs from it; run it after a change of the chart (needs helm: scripts/tools).
//   node scripts/generate/k8s.ts [--check]
// Each folder has the values.yaml that it is rendered from. The text of an object is helm's own, comments included.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parseDocument, stringify } from 'yaml'
import { type Change, difference } from './k8s-patch.ts'

const ROOT = resolve(import.meta.dirname, '../..')
export const K8S = 'k8s'
export const OVERLAYS = ['tryout', 'production'] as const
export const NAMESPACE = 'ductape-mcp'
const RELEASE = 'ductape-mcp'

// Kubernetes reads YAML 1.1, where 0440 is octal and `on` is true.
const YAML = { version: '1.1', lineWidth: 0 } as const
const HEAD =
  '# Rendered from the chart by `node scripts/generate/k8s.ts`. Do not edit: change values.yaml or the chart.\n'

/** Gives back the text of `helm template` with the values of one file. */
export type Template = (values: string, release: string, namespace: string) => string

interface Rendered {
  readonly file: string
  readonly kind: string
  readonly name: string
  readonly text: string
  readonly object: unknown
}

/** The objects of a rendering under the names of their files: the kind, and what the name adds to that of the release. */
export function objects(stream: string): Rendered[] {
  return stream
    .split(/^---$/m)
    .map((text) => text.replace(/^# Source: .*\n/m, '').trim())
    .filter((text) => text.replace(/^#.*$/gm, '').trim() !== '')
    .map((text) => {
      const object = parseDocument(text, YAML).toJS() as { kind: string; metadata: { name: string } }
      const { kind, metadata } = object
      const rest = metadata.name.replace(RELEASE, '')
      return {
        file: `${kind.toLowerCase()}${rest}.yaml`,
        kind,
        name: metadata.name,
        text: `${text}\n`,
        object,
      }
    })
    .sort((a, b) => (a.file < b.file ? -1 : 1))
}

const NAMESPACE_TEXT = `${HEAD}# The one object that the chart leaves to its user: nothing that falls short of "restricted" starts here.
apiVersion: v1
kind: Namespace
metadata:
  name: ${NAMESPACE}
  labels:
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/enforce-version: latest
    pod-security.kubernetes.io/warn: restricted
    pod-security.kubernetes.io/warn-version: latest
`

const kustomization = (fields: object): string =>
  `${HEAD}${stringify({ apiVersion: 'kustomize.config.k8s.io/v1beta1', kind: 'Kustomization', ...fields }, YAML)}`

const patchText = (changes: readonly Change[]): string => `${HEAD}${stringify(changes, YAML)}`

function base(template: Template): { files: Map<string, string>; items: Rendered[] } {
  const items = objects(template(join(K8S, 'base/values.yaml'), RELEASE, NAMESPACE))
  const files = new Map(items.map(({ file, text }) => [`base/${file}`, HEAD + text]))
  files.set('base/namespace.yaml', NAMESPACE_TEXT)
  const resources = ['namespace.yaml', ...items.map(({ file }) => file)]
  files.set('base/kustomization.yaml', kustomization({ namespace: NAMESPACE, resources }))
  return { files, items }
}

function overlay(name: string, template: Template, from: readonly Rendered[]): Map<string, string> {
  const folder = `overlays/${name}`
  const items = objects(template(join(K8S, folder, 'values.yaml'), RELEASE, NAMESPACE))
  const files = new Map<string, string>()
  const resources = ['../../base']
  const patches: object[] = []
  for (const { file, kind, name: object, text, object: wanted } of items) {
    const old = from.find((one) => one.file === file)
    if (old === undefined) {
      resources.push(file)
      files.set(`${folder}/${file}`, HEAD + text)
      continue
    }
    const changes = difference(old.object, wanted)
    if (changes.length === 0) continue
    files.set(`${folder}/patch-${file}`, patchText(changes))
    patches.push({ path: `patch-${file}`, target: { kind, name: object } })
  }
  const missing = from.filter(({ file }) => !items.some((one) => one.file === file))
  if (missing.length > 0) throw new Error(`${folder} has no ${missing[0]?.file}: an overlay adds and changes`)
  files.set(`${folder}/kustomization.yaml`, kustomization({ namespace: NAMESPACE, resources, patches }))
  return files
}

/** Every generated file of k8s/, by its path in it. */
export function k8sFiles(template: Template): Map<string, string> {
  const { files, items } = base(template)
  for (const name of OVERLAYS)
    for (const [path, text] of overlay(name, template, items)) files.set(path, text)
  return files
}

/** The generated files that stand in k8s/ now: all but the values and the page. */
export function committed(): Map<string, string> {
  const found = new Map<string, string>()
  for (const folder of ['base', ...OVERLAYS.map((name) => `overlays/${name}`)]) {
    const path = join(ROOT, K8S, folder)
    if (!existsSync(path)) continue
    for (const name of readdirSync(path))
      if (name !== 'values.yaml') found.set(`${folder}/${name}`, readFileSync(join(path, name), 'utf8'))
  }
  return found
}

/** The paths at which what is committed is not what the chart gives. */
export function differing(wanted: ReadonlyMap<string, string>, there: ReadonlyMap<string, string>): string[] {
  return [...new Set([...wanted.keys(), ...there.keys()])]
    .filter((path) => wanted.get(path) !== there.get(path))
    .sort()
}

async function main(args: readonly string[]): Promise<number> {
  const { helmTemplate } = await import('../../test/platform/lib/helm.ts')
  const isCheck = args.includes('--check')
  const wanted = k8sFiles(helmTemplate)
  const found = differing(wanted, committed())
  for (const path of found) {
    process.stdout.write(`${isCheck ? 'differs' : 'written'}: ${K8S}/${path}\n`)
    if (isCheck) continue
    const file = join(ROOT, K8S, path)
    const text = wanted.get(path)
    mkdirSync(dirname(file), { recursive: true })
    if (text === undefined) rmSync(file)
    else writeFileSync(file, text)
  }
  return isCheck && found.length > 0 ? 1 : 0
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2))
