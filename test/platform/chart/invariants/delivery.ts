// The checklist's rows about images, configuration, secrets, names and the contract with the images.
import {
  allContainers,
  eachContainer,
  eachPod,
  type Invariant,
  inContainer,
  inPod,
  theService,
} from '../lib/invariant.ts'
import {
  container,
  containersOf,
  type Item,
  type PodSpec,
  service,
  type Volume,
  workloads,
} from '../lib/kubernetes.ts'

const IMAGE = /^[a-z0-9][a-z0-9./:_-]*(?:@sha256:[0-9a-f]{64}|:[A-Za-z0-9_][A-Za-z0-9._-]*)$/

/** Where the image looks for its files. */
const MOUNTS: Readonly<Record<'app' | 'proxy', readonly string[]>> = {
  app: [
    '/etc/ductape-mcp/config.yaml',
    '/etc/ductape-mcp/live',
    '/etc/ductape-mcp/client-ca',
    '/run/ductape-mcp',
  ],
  proxy: ['/etc/nginx/tls', '/etc/nginx/client-ca', '/run/ductape-mcp', '/tmp/nginx'],
}

const PORTS: Readonly<Record<string, readonly [container: 'app' | 'proxy', port: number]>> = {
  mcp: ['proxy', 8443],
  'proxy-health': ['proxy', 18081],
  ops: ['app', 9464],
}

// The watcher that reloads nginx and raises its alarms; nginx alone would do neither.
const ENTRYPOINT = '/usr/local/bin/ductape-mcp-proxy'

/** Names of ConfigMaps that a pod mounts or reads. */
function configMaps(pod: PodSpec): string[] {
  return (pod.volumes ?? []).flatMap(({ configMap, projected }) => [
    ...(configMap === undefined ? [] : [configMap.name]),
    ...(projected?.sources ?? []).flatMap(({ configMap: source }) =>
      source === undefined ? [] : [source.name],
    ),
  ])
}

const modes = ({ secret, projected }: Volume): (number | undefined)[] => [
  ...(secret === undefined ? [] : [secret.defaultMode]),
  ...(projected?.sources?.some(({ secret: source }) => source !== undefined) === true
    ? [projected.defaultMode]
    : []),
]

const hasMount = (pod: PodSpec, name: 'app' | 'proxy', path: string): boolean =>
  container(pod, name).volumeMounts?.some(
    ({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`),
  ) === true

const STANDARD = ['name', 'instance', 'version', 'managed-by'].map((name) => `app.kubernetes.io/${name}`)

export const DELIVERY: readonly Invariant[] = [
  {
    id: 'images',
    says: 'Every image has a digest or an exact tag; never latest, never none.',
    check: eachContainer(({ image }) => IMAGE.test(image) && !/:latest(@|$)/.test(image)),
    breaks: [
      inContainer('app', (one) => {
        one.image = 'example.com/ductape-mcp:latest'
      }),
      inContainer('proxy', (one) => {
        one.image = 'example.com/nginx'
      }),
    ],
  },
  {
    id: 'checksum',
    says: 'The pods carry a checksum of the static configuration, so that a change of it is a rollout.',
    check: (items) => {
      const { annotations = {} } = service(items).spec.template.metadata
      return Object.entries(annotations).some(
        ([name, value]) => name.startsWith('checksum/config') && /^[0-9a-f]{16,64}$/.test(value),
      )
        ? []
        : ['no checksum/config']
    },
    breaks: [
      (items) => {
        service(items).spec.template.metadata.annotations = {}
      },
    ],
  },
  {
    id: 'no-subpath',
    says: 'No mount has a subPath where files change while the pod runs: such a mount never would.',
    check: eachContainer(({ volumeMounts = [] }) =>
      volumeMounts.every(
        ({ mountPath, subPath, subPathExpr }) =>
          subPathExpr === undefined &&
          (subPath === undefined || mountPath === '/etc/ductape-mcp/config.yaml'),
      ),
    ),
    breaks: [
      inContainer('app', (one) => {
        for (const mount of one.volumeMounts ?? [])
          if (mount.mountPath.endsWith('/live')) mount.subPath = 'policy.yaml'
      }),
    ],
  },
  {
    id: 'secrets-as-files',
    says: 'A Secret is a file, readable for owner and group, never a variable.',
    check: (items, context) => [
      ...eachContainer(
        ({ env = [], envFrom = [] }) =>
          env.every(({ valueFrom }) => valueFrom?.secretKeyRef === undefined) &&
          envFrom.every(({ secretRef }) => secretRef === undefined),
      )(items, context),
      ...eachPod(({ volumes = [] }) =>
        volumes.flatMap(modes).every((mode) => mode === 0o440 || mode === 0o400),
      )(items, context),
    ],
    breaks: [
      inContainer('app', (one) => {
        one.env?.push({ name: 'KEY', valueFrom: { secretKeyRef: { name: 'x', key: 'y' } } })
      }),
      inPod((pod) => {
        pod.volumes?.push({ name: 'more', secret: { secretName: 'x' } })
      }),
    ],
  },
  {
    id: 'no-secret-data',
    says: 'The rendering holds no Secret: values files and release records are no place for one.',
    check: (items) =>
      items.filter(({ kind }) => kind === 'Secret').map(({ metadata }) => `Secret ${metadata.name}`),
    breaks: [
      (items) => {
        items.push({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'key' } })
      },
    ],
  },
  {
    id: 'references',
    says: 'Every mount has its volume, every port name its port, every ConfigMap and service account of this release its object.',
    check: (items) => {
      const has = (kind: string, name: string): boolean =>
        items.some((item) => item.kind === kind && item.metadata.name === name)
      const release = service(items).metadata.name
      return [
        ...allContainers(items)
          .filter(({ one, pod }) =>
            (one.volumeMounts ?? []).some(
              ({ name }) => pod.volumes?.some((volume) => volume.name === name) !== true,
            ),
          )
          .map(({ where }) => `${where}: a mount without volume`),
        ...workloads(items).flatMap(({ where, pod }) => [
          ...(pod.volumes ?? [])
            .filter(
              ({ name }) =>
                !containersOf(pod).some((one) => one.volumeMounts?.some((mount) => mount.name === name)),
            )
            .map(({ name }) => `${where}: volume ${name} is not mounted`),
          ...configMaps(pod)
            .filter((name) => name.startsWith(`${release}-`) && !has('ConfigMap', name))
            .map((name) => `${where}: no ConfigMap ${name}`),
          ...(has('ServiceAccount', pod.serviceAccountName ?? '') ||
          pod.serviceAccountName?.startsWith(release) !== true
            ? []
            : [`${where}: no ServiceAccount ${pod.serviceAccountName}`]),
        ]),
      ]
    },
    breaks: [
      inContainer('app', (one) => {
        one.volumeMounts?.push({ name: 'nowhere', mountPath: '/x' })
      }),
      inPod((pod) => {
        pod.volumes?.push({ name: 'unused', emptyDir: { sizeLimit: '1Mi' } })
      }),
      (items) => {
        for (const [at, { kind }] of items.entries()) if (kind === 'ConfigMap') items.splice(at, 1)
      },
    ],
  },
  {
    id: 'mounts',
    says: 'Both containers find every file where their image looks for it.',
    check: theService((pod) =>
      (['app', 'proxy'] as const).every((name) => MOUNTS[name].every((path) => hasMount(pod, name, path))),
    ),
    breaks: [
      inContainer('app', (one) => {
        one.volumeMounts = (one.volumeMounts ?? []).filter(({ mountPath }) => !mountPath.endsWith('/live'))
      }),
      inContainer('proxy', (one) => {
        one.volumeMounts = (one.volumeMounts ?? []).filter(
          ({ mountPath }) => mountPath !== '/run/ductape-mcp',
        )
      }),
    ],
  },
  {
    id: 'ports',
    says: 'The ports have the names and numbers that policy, Service and monitoring refer to.',
    check: theService((pod) =>
      Object.entries(PORTS).every(([port, [name, number]]) =>
        container(pod, name).ports?.some((one) => one.name === port && one.containerPort === number),
      ),
    ),
    breaks: [
      inContainer('app', (one) => {
        delete one.ports
      }),
    ],
  },
  {
    id: 'entrypoint',
    says: "The app starts by the image's own entrypoint, because a command would take Node's permission flags away; the proxy ends in its own.",
    check: theService(
      (pod) =>
        container(pod, 'app').command === undefined &&
        (container(pod, 'proxy').command ?? [ENTRYPOINT]).join(' ').endsWith(ENTRYPOINT),
    ),
    breaks: [
      inContainer('app', (one) => {
        one.command = ['/nodejs/bin/node', '/app/ductape-mcp.mjs']
      }),
      inContainer('proxy', (one) => {
        one.command = ['nginx', '-g', 'daemon off;']
      }),
    ],
  },
  {
    id: 'labels',
    says: 'Every object carries the standard labels, stays in the namespace of the release and has a name that DNS takes.',
    check: (items: Item[]) =>
      items
        .filter(
          ({ kind, metadata: { labels = {}, name, namespace } }) =>
            !STANDARD.every((label) => labels[label] !== undefined) ||
            !/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name) ||
            (namespace !== undefined &&
              kind !== 'PodMonitor' &&
              kind !== 'ServiceMonitor' &&
              namespace !== 'ductape'),
        )
        .map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    breaks: [
      (items) => {
        for (const { metadata } of items) delete metadata.labels
      },
      (items) => {
        for (const { metadata } of items) metadata.namespace = 'kube-system'
      },
    ],
  },
]
