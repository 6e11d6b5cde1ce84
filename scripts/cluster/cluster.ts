// `npm run cluster`: a real one-node Kubernetes in namespaces of its own, for tests and for a first try; the machine around it stays as it is.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  globSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { writeConfig } from './lib/config.ts'
import { bin, KUBECONFIG, LOGS, NODE_PID, ROOT, STATE } from './lib/paths.ts'
import { makePki } from './lib/pki.ts'
import { until } from './lib/wait.ts'

const USAGE = `usage: npm run cluster -- COMMAND

  build            makes the programs of the cluster in .cache/cluster, once (an hour on two cores)
  up               starts the cluster; does nothing if it runs
  exec COMMAND...  runs a command in the node's network and process namespaces, KUBECONFIG set
  status           exit 0 if it runs
  down             ends every process of the cluster and removes what it wrote

Root is needed. The API, the services and the pods are reached only through exec.
`

/** What `build` makes and a cluster cannot do without; cosign is for the proofs. */
const PROGRAMS = [
  'containerd',
  'coredns',
  'crane',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-proxy',
  'kube-router',
  'kube-scheduler',
  'kubectl',
  'kubelet',
  'metrics-server',
  'pause',
  'runc',
]

/** Process 1 of the node, as this machine numbers it. */
function nodePid(): number | undefined {
  if (!existsSync(NODE_PID)) return undefined
  const pid = Number(readFileSync(NODE_PID, 'utf8'))
  try {
    // A number that another program got since is not ours.
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('node-init') ? pid : undefined
  } catch {
    return undefined
  }
}

function children(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number)
}

async function up(): Promise<number> {
  if (nodePid() !== undefined) {
    process.stdout.write('already up\n')
    return 0
  }
  if (process.getuid?.() !== 0) {
    process.stderr.write('namespaces, mounts and bridges need root\n')
    return 2
  }
  const missing = PROGRAMS.filter((name) => !existsSync(bin(name)))
  if (missing.length > 0) {
    process.stderr.write(`${missing.join(', ')} not built: run npm run cluster -- build\n`)
    return 2
  }
  remove()
  if (podGroups().length > 0) {
    process.stderr.write(
      'another cluster runs on this machine, and each would end the pods of the other: take that one down first\n',
    )
    return 2
  }
  mkdirSync(LOGS, { recursive: true })
  makePki()
  writeConfig()
  const log = openSync(join(LOGS, 'node.log'), 'w')
  const namespaces = ['--net', '--mount', '--pid', '--uts', '--ipc', '--fork', '--kill-child', '--mount-proc']
  const init = [
    join(ROOT, 'scripts/cluster/node-init'),
    STATE,
    process.execPath,
    join(ROOT, 'scripts/cluster/start.ts'),
  ]
  // detached: a cluster that shares the caller's process group would end with it.
  const outer = spawn('unshare', [...namespaces, ...init], { stdio: ['ignore', log, log], detached: true })
  await once(outer, 'spawn')
  outer.unref()
  if (outer.pid === undefined) throw new Error('unshare did not start')
  const parent = outer.pid
  const pid = await until('the first process of the node', 10, async () => children(parent)[0])
  writeFileSync(NODE_PID, `${pid}\n`)
  const status = await until('the cluster to start', 300, async () => {
    if (existsSync(join(STATE, 'started'))) return readFileSync(join(STATE, 'started'), 'utf8').trim()
    return outer.exitCode === null ? undefined : `${outer.exitCode}`
  })
  process.stdout.write(readFileSync(join(LOGS, 'node.log'), 'utf8'))
  if (status === '0') return 0
  process.stderr.write(`the cluster did not start; its logs are in ${LOGS}\n`)
  return 1
}

/** Leaf groups first; those of another cluster are in use and stay. */
function removeGroups(folder: string): void {
  for (const name of readdirSync(folder)) {
    const inner = join(folder, name)
    if (statSync(inner).isDirectory()) removeGroups(inner)
  }
  try {
    rmdirSync(folder)
  } catch {
    // In use.
  }
}

/** Of every cluster on this machine, with the second version of control groups or the first. */
const podGroups = (): string[] => globSync(['/sys/fs/cgroup/kubepods', '/sys/fs/cgroup/*/kubepods'])

function remove(): void {
  for (const folder of podGroups()) removeGroups(folder)
  rmSync(STATE, { recursive: true, force: true })
}

async function down(): Promise<number> {
  const pid = nodePid()
  if (pid !== undefined) {
    // The kernel ends every process of a namespace with its first one.
    process.kill(pid, 'SIGKILL')
    await until('the processes of the node to end', 30, async () =>
      existsSync(`/proc/${pid}`) ? undefined : true,
    )
  }
  remove()
  return 0
}

function exec(command: readonly string[]): number {
  const pid = nodePid()
  if (pid === undefined) {
    process.stderr.write('the cluster is not up\n')
    return 2
  }
  const env = {
    ...process.env,
    KUBECONFIG,
    PATH: `${bin('')}:${join(ROOT, '.cache/tools/bin')}:${process.env['PATH']}`,
  }
  const result = spawnSync(
    'nsenter',
    ['--target', String(pid), '--all', `--wd=${process.cwd()}`, ...command],
    { stdio: 'inherit', env },
  )
  return result.status ?? 1
}

const [command, ...rest] = process.argv.slice(2)
if (command === 'build')
  process.exitCode = spawnSync(join(ROOT, 'scripts/cluster/build'), { stdio: 'inherit' }).status ?? 1
else if (command === 'up') process.exitCode = await up()
else if (command === 'down') process.exitCode = await down()
else if (command === 'status') process.exitCode = nodePid() === undefined ? 1 : 0
else if (command === 'exec' && rest.length > 0) process.exitCode = exec(rest)
else {
  process.stderr.write(USAGE)
  process.exitCode = 2
}
