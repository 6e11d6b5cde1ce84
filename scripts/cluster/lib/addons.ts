// Applies the addons of the node (rights of the policy enforcer, DNS, metrics) and waits until they serve.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bin, DNS_IP, KUBECONFIG, REGISTRY, ROOT } from './paths.ts'
import { must } from './wait.ts'

/** The addons that are programs in pods; each has an image and a Deployment of its name. */
export const IN_PODS = ['coredns', 'metrics-server'] as const

const kubectl = (args: readonly string[], input?: string): Promise<string> =>
  must(bin('kubectl'), ['--kubeconfig', KUBECONFIG, ...args], input === undefined ? {} : { input })

export async function applyAddons(): Promise<void> {
  const folder = join(ROOT, 'scripts/cluster/addons')
  const texts = ['kube-router', ...IN_PODS].map((name) => readFileSync(join(folder, `${name}.yaml`), 'utf8'))
  const all = texts.join('\n---\n').replaceAll('REGISTRY', REGISTRY).replaceAll('DNS_IP', DNS_IP)
  await kubectl(['apply', '-f', '-'], all)
}

export async function waitForAddon(name: (typeof IN_PODS)[number]): Promise<void> {
  await kubectl(['-n', 'kube-system', 'rollout', 'status', `deployment/${name}`, '--timeout=90s'])
}
