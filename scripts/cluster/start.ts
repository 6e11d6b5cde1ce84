// Starts a one-node Kubernetes inside the namespaces that node-init made, and returns when pods can run and be reached by name.
import { spawn } from 'node:child_process'
import { cpSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { applyAddons, IN_PODS, waitForAddon } from './lib/addons.ts'
import * as daemons from './lib/daemons.ts'
import { type Image, pushImage } from './lib/image.ts'
import { bin, KUBECONFIG, LOGS, NODE, REGISTRY, ROOT } from './lib/paths.ts'
import { must, run, until } from './lib/wait.ts'

const started = performance.now()
const seconds = (): string => `${((performance.now() - started) / 1_000).toFixed(1)} s`.padStart(7)
const say = (text: string): void => {
  process.stdout.write(`${seconds()}  ${text}\n`)
}

const ended = new Map<string, string>()

function start({ name, command, args }: daemons.Daemon): void {
  const log = openSync(join(LOGS, `${name}.log`), 'a')
  const child = spawn(command, [...args], {
    stdio: ['ignore', log, log],
    env: { ...daemons.ENVIRONMENT },
    // Outlives this script: process 1 of the node adopts it.
    detached: true,
  })
  child.on('error', (error) => ended.set(name, error.message))
  child.on('exit', (code, signal) => ended.set(name, `exit ${code ?? signal}`))
  child.unref()
}

function allLive(): void {
  for (const [name, how] of ended) throw new Error(`${name} ended: ${how}; see ${join(LOGS, `${name}.log`)}`)
}

const kubectl = (...args: string[]): Promise<string> =>
  must(bin('kubectl'), ['--kubeconfig', KUBECONFIG, ...args])

async function waitFor(what: string, limit: number, probe: () => Promise<boolean>): Promise<void> {
  // A daemon that ended will not come back: nothing is left to wait for.
  await until(what, limit, async () => ended.size > 0 || (await probe()) || undefined)
  allLive()
  say(what)
}

/** The profiles that pods name as Localhost; the kubelet's folder is empty after each start. */
function installSeccompProfiles(): void {
  const folder = '/var/lib/kubelet/seccomp/ductape-mcp'
  mkdirSync(folder, { recursive: true })
  cpSync(join(ROOT, 'seccomp'), folder, { recursive: true, filter: (name) => !/\.(md|yaml)$/.test(name) })
}

mkdirSync(LOGS, { recursive: true })
installSeccompProfiles()
start(daemons.etcd)
start(daemons.containerd)
start(daemons.registry)
await waitFor('registry answers', 30, async () => (await fetch(`http://${REGISTRY}/v2/`)).ok)
start(daemons.apiserver)
const program = (name: string): Image => ({
  name,
  tag: '1',
  files: { [`/${name}`]: bin(name) },
  entrypoint: [`/${name}`],
  user: '65532:65532',
})
await Promise.all(['pause', ...IN_PODS].map((name) => pushImage(program(name))))
say('images of the node pushed')
await waitFor(
  'apiserver is ready',
  90,
  async () => (await run(bin('kubectl'), ['--kubeconfig', KUBECONFIG, 'get', '--raw=/readyz'])).code === 0,
)
for (const daemon of [daemons.controllerManager, daemons.scheduler, daemons.kubelet, daemons.kubeProxy])
  start(daemon)
await applyAddons()
say('addons applied')
await waitFor(
  'node has its pod addresses',
  60,
  async () => (await kubectl('get', 'node', NODE, '-o', 'jsonpath={.spec.podCIDR}')) !== '',
)
start(daemons.kubeRouter)
await waitFor(
  'node is Ready',
  90,
  async () =>
    (await kubectl('get', 'node', NODE, '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')) ===
    'True',
)
await waitFor('network policies are enforced', 60, async () =>
  (await run('iptables-save', ['-t', 'filter'])).stdout.includes('KUBE-ROUTER-FORWARD'),
)
for (const name of IN_PODS) {
  await waitForAddon(name)
  say(`${name} serves`)
}
allLive()
say('up')
// The daemons' handles would keep this process alive.
process.exit(0)
