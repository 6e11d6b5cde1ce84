// The checklist's rows about starting, stopping, spreading and scaling.
import { parse } from 'yaml'
import { allContainers, type Invariant, inContainer, inPod, theService } from '../lib/invariant.ts'
import {
  configMap,
  container,
  containersOf,
  fits,
  type Item,
  of,
  type PodSpec,
  type Probe,
  service,
} from '../lib/kubernetes.ts'

const PROBES = ['startupProbe', 'readinessProbe', 'livenessProbe'] as const

function seconds(duration: string): number {
  const [, count = '', unit = ''] = /^(\d+)(ms|s|m|h)$/.exec(duration) ?? []
  return Number(count) * ({ ms: 0.001, s: 1, m: 60, h: 3600 }[unit] ?? Number.NaN)
}

function drain(items: readonly Item[]): number {
  const config = parse(configMap(items, 'config.yaml').data['config.yaml'] ?? '') as {
    http?: { drainTimeout?: string }
  }
  return seconds(config.http?.drainTimeout ?? '25s')
}

const sleep = (pod: PodSpec, name: string): number =>
  container(pod, name).lifecycle?.preStop?.sleep?.seconds ?? 0

const isDrain = (exec: unknown): boolean =>
  (exec as { command?: string[] }).command?.join(' ') === '/usr/local/bin/ductape-mcp-proxy drain'

const isPlain = (probe: Probe | undefined): boolean =>
  probe === undefined ||
  (probe.httpGet !== undefined && probe.exec === undefined && (probe.httpGet.scheme ?? 'HTTP') === 'HTTP')

const portOf = (pod: PodSpec, name: string, probe: Probe | undefined): string | undefined => {
  const port = probe?.httpGet?.port
  return container(pod, name).ports?.find((one) => one.name === port || one.containerPort === port)?.name
}

/** The least replicas that the rendering has, and whether a scaler says so. */
function replicas(items: readonly Item[]): { least: number; hasScaler: boolean } {
  const [scaler] = of(items, 'HorizontalPodAutoscaler')
  if (scaler !== undefined) return { least: scaler.spec.minReplicas ?? 1, hasScaler: true }
  return { least: service(items).spec.replicas ?? 1, hasScaler: false }
}

const names = (pod: PodSpec): string =>
  containersOf(pod)
    .map(({ name }) => name)
    .sort()
    .join()

export const LIFECYCLE: readonly Invariant[] = [
  {
    id: 'sidecar',
    says: 'The proxy is a native sidecar with a startup probe: it starts before the app and ends after it.',
    check: theService((pod) => {
      const proxy = pod.initContainers?.find(({ name }) => name === 'proxy')
      return proxy?.restartPolicy === 'Always' && proxy.startupProbe !== undefined
    }),
    breaks: [
      inContainer('proxy', (one) => {
        delete one.restartPolicy
      }),
      inContainer('proxy', (one) => {
        delete one.startupProbe
      }),
      inPod((pod) => {
        pod.containers.push(...(pod.initContainers ?? []))
        pod.initContainers = []
      }),
    ],
  },
  {
    id: 'probes',
    says: 'App and proxy have a liveness and a readiness probe and the app a startup probe, all by plain HTTP on a health port; no probe starts a process.',
    check: (items) => [
      ...theService(
        (pod) =>
          PROBES.every((probe) => portOf(pod, 'app', container(pod, 'app')[probe]) === 'ops') &&
          (['startupProbe', 'livenessProbe'] as const).every(
            (probe) => portOf(pod, 'proxy', container(pod, 'proxy')[probe]) === 'proxy-health',
          ),
      )(items),
      ...allContainers(items)
        .filter(({ one }) => PROBES.some((probe) => !isPlain(one[probe])))
        .map(({ where }) => where),
    ],
    breaks: [
      inContainer('app', (one) => {
        delete one.startupProbe
      }),
      inContainer('app', (one) => {
        one.livenessProbe = { exec: { command: ['/nodejs/bin/node'] } }
      }),
      inContainer('proxy', (one) => {
        one.livenessProbe = { httpGet: { path: '/healthz', port: 'mcp' } }
      }),
    ],
  },
  {
    id: 'liveness',
    says: 'Liveness asks the process alone, readiness what it needs: a lost dependency takes a pod out of service and never restarts it.',
    check: theService((pod) => {
      const { livenessProbe, readinessProbe } = container(pod, 'app')
      return livenessProbe?.httpGet?.path === '/livez' && readinessProbe?.httpGet?.path === '/readyz'
    }),
    breaks: [
      inContainer('app', (one) => {
        one.livenessProbe = { httpGet: { path: '/readyz', port: 'ops' } }
      }),
    ],
  },
  {
    id: 'grace',
    says: 'The app waits before SIGTERM until it is out of the endpoints, and the grace period is longer than this wait and the drain together.',
    check: (items) =>
      theService((pod) => {
        const wait = sleep(pod, 'app')
        return wait >= 1 && (pod.terminationGracePeriodSeconds ?? 30) > wait + drain(items)
      })(items),
    breaks: [
      inPod((pod) => {
        pod.terminationGracePeriodSeconds = 25
      }),
      inContainer('app', (one) => {
        delete one.lifecycle
      }),
      (items) => {
        configMap(items, 'config.yaml').data['config.yaml'] = 'http: { drainTimeout: "10m" }'
      },
    ],
  },
  {
    id: 'no-hooks',
    says: "No lifecycle hook starts a process, but for the proxy's own, which closes the connections that clients keep.",
    check: (items) =>
      allContainers(items)
        .filter(
          ({ one }) =>
            one.lifecycle?.preStop?.exec !== undefined &&
            !(one.name === 'proxy' && isDrain(one.lifecycle.preStop.exec)),
        )
        .map(({ where }) => where),
    breaks: [
      inContainer('app', (one) => {
        one.lifecycle = { preStop: { sleep: { seconds: 5 }, exec: { command: ['sleep', '5'] } } }
      }),
    ],
  },
  {
    id: 'rollout',
    says: 'A rollout starts a new pod before it ends an old one, waits for it, gives up in time and keeps three revisions.',
    check: (items) => {
      const { spec, metadata } = service(items)
      const { maxSurge, maxUnavailable } = spec.strategy?.rollingUpdate ?? {}
      const holds =
        spec.strategy?.type === 'RollingUpdate' &&
        maxSurge === 1 &&
        maxUnavailable === 0 &&
        (spec.minReadySeconds ?? 0) >= 1 &&
        spec.revisionHistoryLimit === 3 &&
        spec.progressDeadlineSeconds !== undefined
      return holds ? [] : [`Deployment ${metadata.name}`]
    },
    breaks: [
      (items) => {
        service(items).spec.strategy = { type: 'Recreate' }
      },
      (items) => {
        service(items).spec.strategy = {
          type: 'RollingUpdate',
          rollingUpdate: { maxSurge: 1, maxUnavailable: 1 },
        }
      },
      (items) => {
        delete service(items).spec.minReadySeconds
      },
      (items) => {
        delete service(items).spec.progressDeadlineSeconds
      },
    ],
  },
  {
    id: 'spread',
    says: 'The pods of one revision are spread over zones and over nodes.',
    check: (items) => {
      const { labels = {} } = service(items).spec.template.metadata
      return theService((pod) =>
        ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].every((key) =>
          pod.topologySpreadConstraints?.some(
            ({ topologyKey, labelSelector, matchLabelKeys }) =>
              topologyKey === key &&
              fits(labelSelector, labels) &&
              Object.keys(labelSelector?.matchLabels ?? {}).length > 0 &&
              matchLabelKeys?.join() === 'pod-template-hash',
          ),
        ),
      )(items)
    },
    breaks: [
      inPod((pod) => {
        pod.topologySpreadConstraints?.pop()
      }),
      inPod((pod) => {
        for (const one of pod.topologySpreadConstraints ?? []) delete one.matchLabelKeys
      }),
      inPod((pod) => {
        for (const one of pod.topologySpreadConstraints ?? [])
          one.labelSelector = { matchLabels: { app: 'other' } }
      }),
    ],
  },
  {
    id: 'disruption',
    says: 'Where there can be more than one replica, and only there, a disruption budget lets one pod go at a time and always one that is broken.',
    check: (items) => {
      const budgets = of(items, 'PodDisruptionBudget')
      const { least, hasScaler } = replicas(items)
      const wanted = hasScaler || least > 1 ? 1 : 0
      if (budgets.length !== wanted) return [`${budgets.length} PodDisruptionBudgets, not ${wanted}`]
      const { labels = {} } = service(items).spec.template.metadata
      return budgets
        .filter(
          ({ spec }) =>
            spec.maxUnavailable !== 1 ||
            spec.unhealthyPodEvictionPolicy !== 'AlwaysAllow' ||
            spec.selector.matchLabels === undefined ||
            !fits(spec.selector, labels),
        )
        .map(({ metadata }) => `PodDisruptionBudget ${metadata.name}`)
    },
    breaks: [
      (items) => {
        items.push({
          apiVersion: 'policy/v1',
          kind: 'PodDisruptionBudget',
          metadata: { name: 'second' },
          spec: { maxUnavailable: '50%', selector: { matchLabels: { app: 'other' } } },
        })
      },
      (items) => {
        for (const { spec } of of(items, 'PodDisruptionBudget')) delete spec.unhealthyPodEvictionPolicy
        for (const [at, { kind }] of items.entries()) if (kind === 'PodDisruptionBudget') items.splice(at, 1)
        service(items).spec.replicas = 3
      },
    ],
  },
  {
    id: 'scaler',
    says: 'A scaler names this Deployment, says how fast it moves, and is the only one who says how many replicas there are.',
    check: (items) => {
      const deployment = service(items)
      if (!replicas(items).hasScaler)
        return deployment.spec.replicas === undefined ? ['no replicas and no scaler'] : []
      const found = of(items, 'HorizontalPodAutoscaler')
        .filter(
          ({ apiVersion, spec }) =>
            apiVersion !== 'autoscaling/v2' ||
            spec.scaleTargetRef.name !== deployment.metadata.name ||
            spec.scaleTargetRef.kind !== 'Deployment' ||
            spec.behavior?.scaleUp === undefined ||
            spec.behavior.scaleDown === undefined ||
            (spec.metrics ?? []).length === 0 ||
            spec.maxReplicas < (spec.minReplicas ?? 1),
        )
        .map(({ metadata }) => `HorizontalPodAutoscaler ${metadata.name}`)
      if (deployment.spec.replicas !== undefined)
        found.push(`Deployment ${deployment.metadata.name} names replicas`)
      return found
    },
    breaks: [
      (items) => {
        delete service(items).spec.replicas
      },
      (items) => {
        items.push({
          apiVersion: 'autoscaling/v2',
          kind: 'HorizontalPodAutoscaler',
          metadata: { name: 'scaler' },
          spec: {
            maxReplicas: 3,
            scaleTargetRef: { kind: 'Deployment', name: service(items).metadata.name },
          },
        })
      },
    ],
  },
  {
    id: 'names',
    says: 'Names of the network are asked for once, not once for each search domain of the cluster (ndots 1).',
    check: theService(
      (pod) => pod.dnsConfig?.options?.some(({ name, value }) => name === 'ndots' && value === '1') === true,
    ),
    breaks: [
      inPod((pod) => {
        delete pod.dnsConfig
      }),
    ],
  },
  {
    id: 'no-priority-class',
    says: 'No PriorityClass is made: it would hold for the whole cluster.',
    check: (items) =>
      items.filter(({ kind }) => kind === 'PriorityClass').map(({ metadata }) => metadata.name),
    breaks: [
      (items) => {
        items.push({ apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: 'first' } })
      },
    ],
  },
  {
    id: 'no-plain-init',
    says: 'Nothing runs before the service but its proxy, and the emulator of a try-out.',
    check: theService((pod) => /^app,(emulator,)?proxy$/.test(names(pod))),
    breaks: [
      inPod((pod) => {
        pod.initContainers?.unshift({ name: 'wait', image: 'busybox' })
      }),
    ],
  },
]
