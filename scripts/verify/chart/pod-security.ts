// The Pod Security Standard "restricted" put to the chart's pods by Kyverno, without a cluster, and to pods that each lack one thing of it.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseItems } from '../../../test/platform/lib/helm.ts'

const POLICY = join(import.meta.dirname, 'restricted.yaml')

export interface Verdict {
  readonly pass: number
  readonly fail: number
  /** Kyverno's own words, with the name of each pod that falls short. */
  readonly says: string
}

/** `manifests` is a YAML stream; a Deployment counts as its pod. */
export function judge(kyverno: string, manifests: string): Verdict {
  const folder = mkdtempSync(join(tmpdir(), 'kyverno-'))
  try {
    const file = join(folder, 'manifests.yaml')
    writeFileSync(file, manifests)
    const { stdout, stderr } = spawnSync(
      kyverno,
      ['apply', POLICY, '--resource', file, '--continue-on-fail', '--remove-color'],
      { encoding: 'utf8', env: { PATH: process.env['PATH'], HOME: folder } },
    )
    const [, pass, fail, errors] = /pass: (\d+), fail: (\d+), warn: \d+, error: (\d+)/.exec(stdout) ?? []
    if (pass === undefined || errors !== '0') throw new Error(`kyverno: ${stdout}${stderr}`)
    return { pass: Number(pass), fail: Number(fail), says: stdout }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

type Json = Record<string, unknown>

const first = (spec: Json, list: string): Json => (spec[list] as Json[])[0] ?? {}
const security = (spec: Json): Json => first(spec, 'containers')['securityContext'] as Json

/** Each takes away one thing that the chart renders; the name is the pod's. */
export const WEAKENINGS: Readonly<Record<string, (spec: Json) => void>> = {
  privileged: (spec) => Object.assign(security(spec), { privileged: true, allowPrivilegeEscalation: true }),
  escalation: (spec) => Object.assign(security(spec), { allowPrivilegeEscalation: true }),
  'capability-added': (spec) =>
    Object.assign(security(spec), { capabilities: { drop: ['ALL'], add: ['NET_ADMIN'] } }),
  'capabilities-kept': (spec) => Object.assign(security(spec), { capabilities: {} }),
  'user-0': (spec) => Object.assign(security(spec), { runAsUser: 0 }),
  'may-be-root': (spec) => Object.assign(security(spec), { runAsNonRoot: false }),
  'no-seccomp': (spec) => Object.assign(security(spec), { seccompProfile: { type: 'Unconfined' } }),
  'sidecar-privileged': (spec) =>
    // Both: the API itself refuses a privileged container whose privileges may not grow, before Pod Security is asked.
    Object.assign(first(spec, 'initContainers')['securityContext'] as Json, {
      privileged: true,
      allowPrivilegeEscalation: true,
    }),
  'host-network': (spec) => Object.assign(spec, { hostNetwork: true }),
  'host-pid': (spec) => Object.assign(spec, { hostPID: true }),
  'host-ipc': (spec) => Object.assign(spec, { hostIPC: true }),
  'host-port': (spec) => Object.assign(first(first(spec, 'containers'), 'ports'), { hostPort: 9464 }),
  'host-path': (spec) => (spec['volumes'] as Json[]).push({ name: 'host', hostPath: { path: '/' } }),
  'a-sysctl': (spec) =>
    Object.assign(spec['securityContext'] as Json, { sysctls: [{ name: 'kernel.msgmax', value: '1' }] }),
}
export const WEAKENED = Object.keys(WEAKENINGS)

/** The pod of a rendering as it is, named `as-rendered`, and once for each weakening. */
export function weakenedPods(rendering: string): string {
  const deployment = parseItems(rendering).find(({ kind }) => kind === 'Deployment')
  const template = (deployment?.spec as { template?: { spec: Json } } | undefined)?.template
  if (template === undefined) throw new Error('the rendering has no Deployment')
  const pod = (name: string, weaken: (spec: Json) => void): string => {
    const spec = structuredClone(template.spec)
    weaken(spec)
    return JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec })
  }
  return [
    pod('as-rendered', () => undefined),
    ...Object.entries(WEAKENINGS).map(([name, weaken]) => pod(name, weaken)),
  ].join('\n---\n')
}
