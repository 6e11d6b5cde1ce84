// The parts of Kubernetes objects that the checks of the chart read, as types, and how to reach the pods in them.

export interface Meta {
  name: string
  namespace?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
}

export interface Selector {
  matchLabels?: Record<string, string>
  matchExpressions?: unknown[]
}

export interface Profile {
  type?: string
  localhostProfile?: string
}

export interface Probe {
  httpGet?: { path?: string; port?: string | number; scheme?: string }
  exec?: unknown
  tcpSocket?: unknown
  grpc?: unknown
  periodSeconds?: number
  failureThreshold?: number
}

export interface ContainerSecurity {
  allowPrivilegeEscalation?: boolean
  privileged?: boolean
  readOnlyRootFilesystem?: boolean
  runAsNonRoot?: boolean
  runAsUser?: number
  runAsGroup?: number
  capabilities?: { drop?: string[]; add?: string[] }
  procMount?: string
  seccompProfile?: Profile
  appArmorProfile?: Profile
}

export interface Container {
  name: string
  image: string
  imagePullPolicy?: string
  command?: string[]
  args?: string[]
  restartPolicy?: string
  env?: { name: string; value?: string; valueFrom?: { secretKeyRef?: unknown } }[]
  envFrom?: { secretRef?: unknown }[]
  ports?: { name?: string; containerPort: number; hostPort?: number; protocol?: string }[]
  volumeMounts?: {
    name: string
    mountPath: string
    readOnly?: boolean
    subPath?: string
    subPathExpr?: string
  }[]
  resources?: { requests?: Record<string, string>; limits?: Record<string, string> }
  securityContext?: ContainerSecurity
  startupProbe?: Probe
  readinessProbe?: Probe
  livenessProbe?: Probe
  lifecycle?: { preStop?: { sleep?: { seconds: number }; exec?: unknown } }
}

interface KeyedSource {
  name: string
  optional?: boolean
  items?: { key: string; path: string }[]
}

export interface Volume {
  name: string
  configMap?: KeyedSource
  secret?: { secretName: string; optional?: boolean; defaultMode?: number; items?: KeyedSource['items'] }
  emptyDir?: { medium?: string; sizeLimit?: string }
  projected?: {
    sources?: { configMap?: KeyedSource; secret?: KeyedSource; [other: string]: unknown }[]
    defaultMode?: number
  }
  [other: string]: unknown
}

export interface PodSpec {
  automountServiceAccountToken?: boolean
  serviceAccountName?: string
  enableServiceLinks?: boolean
  hostNetwork?: boolean
  hostPID?: boolean
  hostIPC?: boolean
  hostUsers?: boolean
  shareProcessNamespace?: boolean
  dnsConfig?: { options?: { name: string; value?: string }[] }
  securityContext?: {
    runAsNonRoot?: boolean
    runAsUser?: number
    runAsGroup?: number
    fsGroup?: number
    fsGroupChangePolicy?: string
    supplementalGroups?: number[]
    supplementalGroupsPolicy?: string
    seccompProfile?: Profile
    appArmorProfile?: Profile
    sysctls?: unknown[]
  }
  initContainers?: Container[]
  containers: Container[]
  volumes?: Volume[]
  topologySpreadConstraints?: {
    topologyKey: string
    maxSkew: number
    whenUnsatisfiable: string
    labelSelector?: Selector
    matchLabelKeys?: string[]
  }[]
  terminationGracePeriodSeconds?: number
  priorityClassName?: string
  restartPolicy?: string
  nodeSelector?: Record<string, string>
}

export interface Template {
  metadata: Omit<Meta, 'name'>
  spec: PodSpec
}

export interface Peer {
  podSelector?: Selector
  namespaceSelector?: Selector
  ipBlock?: { cidr: string; except?: string[] }
}

export interface Port {
  port?: number | string
  protocol?: string
}

export interface Rule {
  from?: Peer[]
  to?: Peer[]
  ports?: Port[]
}

/** One object, of any kind: a check reads the fields of the kinds that it asked for. */
export interface Item {
  apiVersion: string
  kind: string
  metadata: Meta
  automountServiceAccountToken?: boolean
  data?: Record<string, string>
  immutable?: boolean
  spec?: unknown
}

export interface DeploymentSpec {
  replicas?: number
  minReadySeconds?: number
  progressDeadlineSeconds?: number
  revisionHistoryLimit?: number
  selector: Selector
  strategy?: {
    type?: string
    rollingUpdate?: { maxSurge?: number | string; maxUnavailable?: number | string }
  }
  template: Template
}

export interface ServiceSpec {
  type?: string
  clusterIP?: string
  selector?: Record<string, string>
  ports: { name?: string; port: number; targetPort?: number | string; protocol?: string }[]
  externalIPs?: string[]
}

export interface PolicySpec {
  podSelector: Selector
  policyTypes?: string[]
  ingress?: Rule[]
  egress?: Rule[]
}

export interface DisruptionSpec {
  maxUnavailable?: number | string
  minAvailable?: number | string
  unhealthyPodEvictionPolicy?: string
  selector: Selector
}

export interface ScalerSpec {
  minReplicas?: number
  maxReplicas: number
  scaleTargetRef: { kind: string; name: string }
  behavior?: { scaleUp?: unknown; scaleDown?: unknown }
  metrics?: { type: string }[]
}

interface Specs {
  Deployment: DeploymentSpec
  Service: ServiceSpec
  NetworkPolicy: PolicySpec
  PodDisruptionBudget: DisruptionSpec
  HorizontalPodAutoscaler: ScalerSpec
  Pod: PodSpec
}

export type Of<K extends keyof Specs> = Item & { spec: Specs[K] }

export function of<K extends keyof Specs>(items: readonly Item[], kind: K): Of<K>[] {
  return items.filter((item): item is Of<K> => item.kind === kind)
}

export interface Workload {
  readonly where: string
  readonly item: Item
  readonly labels: Record<string, string>
  readonly pod: PodSpec
}

/** Everything that makes pods, the pods of `helm test` too. */
export function workloads(items: readonly Item[]): Workload[] {
  return [
    ...of(items, 'Deployment').map((item) => ({
      where: `Deployment ${item.metadata.name}`,
      item,
      labels: item.spec.template.metadata.labels ?? {},
      pod: item.spec.template.spec,
    })),
    ...of(items, 'Pod').map((item) => ({
      where: `Pod ${item.metadata.name}`,
      item,
      labels: item.metadata.labels ?? {},
      pod: item.spec,
    })),
  ]
}

export const containersOf = (pod: PodSpec): Container[] => [...(pod.initContainers ?? []), ...pod.containers]

/** The Deployment of the service itself: the one with a container `app` behind a container `proxy`. */
export function service(items: readonly Item[]): Of<'Deployment'> {
  const found = of(items, 'Deployment').filter(({ spec }) =>
    spec.template.spec.containers.some(({ name }) => name === 'app'),
  )
  const [deployment] = found
  if (deployment === undefined || found.length > 1)
    throw new Error(`${found.length} Deployments with a container app`)
  return deployment
}

export function container(pod: PodSpec, name: string): Container {
  const found = containersOf(pod).find((one) => one.name === name)
  if (found === undefined) throw new Error(`no container ${name}`)
  return found
}

export function configMap(items: readonly Item[], key: string): Item & { data: Record<string, string> } {
  const found = items.find(({ kind, data }) => kind === 'ConfigMap' && data?.[key] !== undefined)
  if (found?.data === undefined) throw new Error(`no ConfigMap with ${key}`)
  return { ...found, data: found.data }
}

export function fits(selector: Selector | undefined, labels: Record<string, string>): boolean {
  if (selector?.matchExpressions !== undefined)
    throw new Error('matchExpressions: not expected in this chart')
  return Object.entries(selector?.matchLabels ?? {}).every(([name, value]) => labels[name] === value)
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  m: 0.001,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
}

export function quantity(text: string | number | undefined): number {
  const match = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(String(text))
  const unit = UNITS[match?.[2] ?? 'none']
  if (match === null || unit === undefined) throw new Error(`not a quantity: ${text}`)
  return Number(match[1]) * unit
}
