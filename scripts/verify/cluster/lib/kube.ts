// kubectl and helm against the cluster of KUBECONFIG, with the errors as they came.
import { type Done, must, run, until } from '../../../cluster/lib/wait.ts'

export const NAMESPACE = 'ductape-mcp-verify'
export const RELEASE = 'mcp'
/** Name of the release's Deployment and Service: the chart's, because the release's does not hold it. */
export const NAME = `${RELEASE}-ductape-mcp`

type Options = Parameters<typeof run>[2]

export const tryKubectl = (args: readonly string[], options?: Options): Promise<Done> =>
  run('kubectl', args, options)
export const kubectl = (args: readonly string[], options?: Options): Promise<string> =>
  must('kubectl', args, options)
/** In the namespace of the release. */
export const inNamespace = (args: readonly string[], options?: Options): Promise<string> =>
  kubectl(['-n', NAMESPACE, ...args], options)

export const tryHelm = (args: readonly string[], options?: Options): Promise<Done> =>
  run('helm', args, { timeoutMs: 600_000, ...options })
export const helm = (args: readonly string[], options?: Options): Promise<string> =>
  must('helm', args, { timeoutMs: 600_000, ...options })

export const apply = (objects: readonly object[], namespace = NAMESPACE): Promise<string> =>
  kubectl(['-n', namespace, 'apply', '-f', '-'], {
    input: objects.map((object) => JSON.stringify(object)).join('\n---\n'),
  })

export interface Pod {
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly creationTimestamp: string
    readonly deletionTimestamp?: string
  }
  readonly status: {
    readonly phase: string
    readonly podIP?: string
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
    readonly containerStatuses?: readonly ContainerStatus[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
  }
}

export interface ContainerStatus {
  readonly name: string
  readonly restartCount: number
  readonly ready: boolean
  readonly containerID?: string
  readonly lastState: { readonly terminated?: { readonly exitCode: number; readonly reason: string } }
}

export async function pods(selector: string, namespace = NAMESPACE): Promise<readonly Pod[]> {
  const list = await kubectl(['-n', namespace, 'get', 'pods', '-l', selector, '-o', 'json'])
  return (JSON.parse(list) as { items: Pod[] }).items
}

/** The pods of the release's Deployment that are not on their way out. */
export async function serverPods(): Promise<readonly Pod[]> {
  const all = await pods(`app.kubernetes.io/instance=${RELEASE},app.kubernetes.io/component=server`)
  return all.filter(({ metadata }) => metadata.deletionTimestamp === undefined)
}

export const isReady = ({ status }: Pod): boolean =>
  status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false

export const rollout = (seconds = 300): Promise<string> =>
  inNamespace(['rollout', 'status', `deployment/${NAME}`, `--timeout=${seconds}s`], {
    timeoutMs: (seconds + 10) * 1_000,
  })

const app = ({ status }: Pod): ContainerStatus | undefined =>
  status.containerStatuses?.find(({ name }) => name === 'app')

/** Sends a signal to the service in a pod from the node, which has to be ours, and waits until the kubelet has started it again. */
export async function signalApp(victim: Pod, signal: NodeJS.Signals): Promise<void> {
  const id = app(victim)?.containerID?.replace('containerd://', '') ?? ''
  const before = app(victim)?.restartCount ?? 0
  const tasks = await must('ctr', ['-n', 'k8s.io', 'task', 'ls'])
  const pid = Number(new RegExp(`^${id}\\s+(\\d+)`, 'm').exec(tasks)?.[1])
  if (!(pid > 1)) throw new Error(`the process of ${victim.metadata.name} is not found`)
  process.kill(pid, signal)
  await until('the container to be restarted', 60, async () => {
    const now = (await serverPods()).find(({ metadata }) => metadata.uid === victim.metadata.uid)
    const container = now === undefined ? undefined : app(now)
    return container !== undefined && container.restartCount > before && container.ready ? true : undefined
  })
}
