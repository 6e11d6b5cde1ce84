// Renders the chart with the real helm and gives back the objects, or the sentence with which it was refused.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { Item } from '../chart/lib/kubernetes.ts'
import { ROOT } from './tools.ts'

export const CHART = join(ROOT, 'helm/ductape-mcp')
export const CI = join(CHART, 'ci')
/** Every values file of ci/, one feature each. */
export const CI_FILES = existsSync(CI)
  ? readdirSync(CI)
      .filter((name) => name.endsWith('.yaml'))
      .sort()
  : []
// Built from source by scripts/tools, or taken from the machine; helm is only asked to render, never to reach a cluster.
export const HELM = join(ROOT, '.cache/tools/bin/helm')
export const KUBECONFORM = join(ROOT, '.cache/tools/bin/kubeconform')

export interface Options {
  readonly files?: readonly string[]
  /** Values as data, over the files. */
  readonly values?: object
  readonly kubeVersion?: string
  readonly apiVersions?: readonly string[]
  readonly release?: string
  readonly namespace?: string
}

export type Rendered =
  | { readonly ok: true; readonly items: Item[]; readonly text: string }
  | { readonly ok: false; readonly message: string }

/** Every optional API that a template asks the cluster for, as helm names what it finds there. */
export const ALL_APIS = [
  'cert-manager.io/v1/Certificate',
  'monitoring.coreos.com/v1/PodMonitor',
  'monitoring.coreos.com/v1/ServiceMonitor',
  'monitoring.coreos.com/v1/PrometheusRule',
  'gateway.networking.k8s.io/v1/TLSRoute',
  'cilium.io/v2/CiliumNetworkPolicy',
  'security-profiles-operator.x-k8s.io/v1/SeccompProfile',
  'security.openshift.io/v1/SecurityContextConstraints',
  'certificates.k8s.io/v1beta1/ClusterTrustBundle',
] as const

export function helm(args: readonly string[]): { ok: boolean; stdout: string; stderr: string } {
  // Nothing of the user's own helm, plugins or repositories takes part.
  const home = mkdtempSync(join(tmpdir(), 'helm-'))
  try {
    const env = {
      PATH: process.env['PATH'],
      HOME: home,
      HELM_CACHE_HOME: home,
      HELM_CONFIG_HOME: home,
      HELM_DATA_HOME: home,
    }
    const stdout = execFileSync(HELM, args, {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 64 * 1024 * 1024,
    })
    return { ok: true, stdout, stderr: '' }
  } catch (error) {
    const { stdout = '', stderr = String(error) } = error as { stdout?: string; stderr?: string }
    return { ok: false, stdout, stderr }
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

/** The documents of a YAML stream; a key given twice is an error, an empty document is left out. */
export function parseItems(text: string): Item[] {
  // Kubernetes reads YAML 1.1, where 0440 is octal.
  return parseAllDocuments(text, { uniqueKeys: true, version: '1.1' }).flatMap((document) => {
    const [problem] = [...document.errors, ...document.warnings]
    if (problem !== undefined) throw new Error(`rendered YAML: ${problem.message}`)
    const item = document.toJS() as Item | null
    return item === null ? [] : [item]
  })
}

export function render(options: Options = {}): Rendered {
  const folder = mkdtempSync(join(tmpdir(), 'values-'))
  try {
    mkdirSync(folder, { recursive: true })
    const own = join(folder, 'values.json')
    writeFileSync(own, JSON.stringify(options.values ?? {}))
    const result = helm([
      'template',
      options.release ?? 'ductape-mcp',
      CHART,
      `--namespace=${options.namespace ?? 'ductape'}`,
      `--kube-version=${options.kubeVersion ?? '1.34.0'}`,
      ...(options.apiVersions ?? ALL_APIS).map((name) => `--api-versions=${name}`),
      ...[...(options.files ?? []), own].flatMap((file) => ['--values', file]),
    ])
    if (!result.ok) return { ok: false, message: result.stderr.trim() }
    return { ok: true, items: parseItems(result.stdout), text: result.stdout }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** For values that have to hold. */
export function rendered(options: Options = {}): Item[] {
  const result = render(options)
  if (!result.ok) throw new Error(`helm refused the values: ${result.message}`)
  return result.items
}

const isOnCi = !['', 'false', '0'].includes(process.env['CI'] ?? '')

/** As `unless` of tools.ts, for what scripts/tools builds: a reason to skip, on CI an error. */
export function unlessBuilt(...programs: readonly string[]): string | false {
  const missing = programs.filter((program) => !existsSync(program))
  if (missing.length === 0) return false
  const reason = `${missing.join(', ')} not built (scripts/tools builds it)`
  if (isOnCi) throw new Error(`on CI every tool must be there: ${reason}`)
  return reason
}

/** What `scripts/generate/k8s.ts` renders with: no optional API, the chart as somebody without a cluster sees it. */
export function helmTemplate(values: string, release: string, namespace: string): string {
  const { ok, stdout, stderr } = helm([
    'template',
    release,
    CHART,
    `--namespace=${namespace}`,
    '--kube-version=1.34.0',
    `--values=${join(ROOT, values)}`,
  ])
  if (!ok) throw new Error(`${values}: ${stderr.trim()}`)
  return stdout
}
