// What a cluster could leave behind on the machine: links, mounts, sysctls, control groups, folders. Taken before and after, and compared.
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { run } from '../../../cluster/lib/wait.ts'

/** Those that a kubelet, a kube-proxy or a CNI plugin writes. */
const SYSCTLS = [
  'vm/overcommit_memory',
  'vm/panic_on_oom',
  'kernel/panic',
  'kernel/panic_on_oops',
  'kernel/keys/root_maxkeys',
  'kernel/keys/root_maxbytes',
  'net/ipv4/ip_forward',
]
const FOLDERS = [
  '/var/lib/kubelet',
  '/var/lib/containerd',
  '/var/lib/cni',
  '/run/containerd',
  '/run/netns',
  '/etc/cni',
]

const sysctl = (name: string): string => {
  const file = `/proc/sys/${name}`
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : 'none'
}

/** One line for each thing that is there. */
export async function machineState(): Promise<readonly string[]> {
  // Their counters change with every packet.
  const rules = (await run('nft', ['--stateless', 'list', 'ruleset'])).stdout
  return [
    ...readdirSync('/sys/class/net').map((name) => `link ${name}`),
    ...readFileSync('/proc/self/mounts', 'utf8')
      .trim()
      .split('\n')
      .map((line) => `mount ${line}`),
    ...SYSCTLS.map((name) => `${name} = ${sysctl(name)}`),
    ...globSync(['/sys/fs/cgroup/kubepods', '/sys/fs/cgroup/*/kubepods']).map((folder) => `group ${folder}`),
    ...FOLDERS.filter((folder) => existsSync(folder)).map((folder) => `folder ${folder}`),
    ...rules
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => `rule ${line}`),
  ]
}

/** What one state has and the other has not. */
export function differences(before: readonly string[], after: readonly string[]): string[] {
  return [
    ...before.filter((line) => !after.includes(line)).map((line) => `gone: ${line}`),
    ...after.filter((line) => !before.includes(line)).map((line) => `left: ${line}`),
  ]
}
