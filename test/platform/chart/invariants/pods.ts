// The checklist's rows about pods and their security: what every pod of every rendering has to say for itself.
import { eachContainer, eachPod, type Invariant, inContainer, inPod, theService } from '../lib/invariant.ts'
import {
  type Container,
  container,
  containersOf,
  type PodSpec,
  type Profile,
  quantity,
  type Volume,
} from '../lib/kubernetes.ts'

const ROLES = ['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding']

/** The volume types of the Pod Security Standard "restricted" that this chart has a use for. */
const VOLUMES: readonly (keyof Volume)[] = ['configMap', 'secret', 'emptyDir', 'projected']

const isStrictProfile = (profile: Profile | undefined): boolean =>
  profile?.type === 'RuntimeDefault' ||
  (profile?.type === 'Localhost' && (profile.localhostProfile ?? '') !== '')

const isNumericUser = (id: number | undefined): boolean => Number.isInteger(id) && Number(id) > 0

const volumes = (pod: PodSpec): Volume[] => pod.volumes ?? []

const heapLimit = (one: Container): number => {
  const options = one.env?.find(({ name }) => name === 'NODE_OPTIONS')?.value ?? ''
  return Number(/--max-old-space-size=(\d+)/.exec(options)?.[1]) * 2 ** 20
}

const isSocketFolder = (pod: PodSpec, name: string): boolean =>
  containersOf(pod).some(({ volumeMounts = [] }) =>
    volumeMounts.some((mount) => mount.name === name && mount.mountPath === '/run/ductape-mcp'),
  )

export const PODS: readonly Invariant[] = [
  {
    id: 'no-token',
    says: 'No pod gets a token of the Kubernetes API, by its own word and by that of its service account.',
    check: (items, context) => [
      ...eachPod(({ automountServiceAccountToken }) => automountServiceAccountToken === false)(
        items,
        context,
      ),
      ...items
        .filter(
          ({ kind, automountServiceAccountToken }) =>
            kind === 'ServiceAccount' && automountServiceAccountToken !== false,
        )
        .map(({ metadata }) => `ServiceAccount ${metadata.name}`),
    ],
    breaks: [
      inPod((pod) => {
        delete pod.automountServiceAccountToken
      }),
      (items) => {
        for (const item of items) if (item.kind === 'ServiceAccount') item.automountServiceAccountToken = true
      },
    ],
  },
  {
    id: 'no-rbac',
    says: 'The service asks nothing of the Kubernetes API, so there is no role and no binding.',
    check: (items) =>
      items
        .filter(({ kind }) => ROLES.includes(kind))
        .map(({ kind, metadata }) => `${kind} ${metadata.name}`),
    breaks: [
      (items) => {
        items.push({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'more' } })
      },
    ],
  },
  {
    id: 'own-account',
    says: 'Every pod runs under a service account of this release, never under the default one of the namespace.',
    check: eachPod(({ serviceAccountName }) => !['', 'default', undefined].includes(serviceAccountName)),
    breaks: [
      inPod((pod) => {
        pod.serviceAccountName = 'default'
      }),
    ],
  },
  {
    id: 'no-service-links',
    says: 'No pod gets variables that name the other services of the namespace.',
    check: eachPod(({ enableServiceLinks }) => enableServiceLinks === false),
    breaks: [
      inPod((pod) => {
        delete pod.enableServiceLinks
      }),
    ],
  },
  {
    id: 'no-host',
    says: "No pod sees the node's network, processes, IPC or files, and its containers do not see each other's processes.",
    check: (items, context) => [
      ...eachPod(
        (pod) =>
          pod.hostNetwork !== true &&
          pod.hostPID !== true &&
          pod.hostIPC !== true &&
          (pod.shareProcessNamespace ?? containersOf(pod).length > 1) === false &&
          pod.securityContext?.sysctls === undefined &&
          volumes(pod).every((volume) => VOLUMES.some((type) => volume[type] !== undefined)),
      )(items, context),
      ...eachContainer(({ ports = [] }) => ports.every(({ hostPort }) => hostPort === undefined))(
        items,
        context,
      ),
    ],
    breaks: [
      inPod((pod) => {
        pod.hostNetwork = true
      }),
      inPod((pod) => {
        pod.hostPID = true
      }),
      inPod((pod) => {
        pod.shareProcessNamespace = true
      }),
      inPod((pod) => {
        pod.volumes?.push({ name: 'node', hostPath: { path: '/' } })
      }),
      inContainer('proxy', (one) => {
        one.ports?.push({ containerPort: 9000, hostPort: 9000 })
      }),
    ],
  },
  {
    id: 'users',
    says: 'Every pod runs as a numeric user that is not root, with one group for its files and no group from the image.',
    check: eachPod(({ securityContext: context = {} }, { assignedUids }) => {
      const { runAsNonRoot, runAsUser, runAsGroup, fsGroup } = context
      const named = [runAsUser, runAsGroup, fsGroup]
      return (
        runAsNonRoot === true &&
        (assignedUids ? named.every((id) => id === undefined) : named.every(isNumericUser)) &&
        (assignedUids || context.fsGroupChangePolicy === 'OnRootMismatch') &&
        // Not every node has it (containerd 2.0), so the default leaves it out.
        ['Strict', undefined].includes(context.supplementalGroupsPolicy) &&
        (context.supplementalGroups ?? []).every(isNumericUser)
      )
    }),
    breaks: [
      inPod((pod) => {
        delete pod.securityContext?.runAsNonRoot
      }),
      inPod((pod) => {
        pod.securityContext = { ...pod.securityContext, runAsUser: 0 }
      }),
      inPod((pod) => {
        delete pod.securityContext?.fsGroup
      }),
      inPod((pod) => {
        pod.securityContext = { ...pod.securityContext, supplementalGroupsPolicy: 'Merge' }
      }),
      inPod((pod) => {
        pod.securityContext = { ...pod.securityContext, fsGroupChangePolicy: 'Always' }
      }),
    ],
  },
  {
    id: 'own-users',
    says: 'Proxy and app have different users, so that neither can touch the processes or files of the other; they share a group for the socket.',
    check: (items, { assignedUids }) =>
      assignedUids
        ? []
        : theService((pod) => {
            const user = (name: string): number | undefined =>
              container(pod, name).securityContext?.runAsUser ?? pod.securityContext?.runAsUser
            return user('app') === 10001 && user('proxy') === 10101 && pod.securityContext?.fsGroup === 10001
          })(items),
    breaks: [
      inContainer('proxy', (one) => {
        one.securityContext = { ...one.securityContext, runAsUser: 10001 }
      }),
    ],
  },
  {
    id: 'seccomp',
    says: 'The pod and each container name a system call filter: that of the runtime, or ours with its file name; never Unconfined.',
    check: (items, context) => [
      ...eachPod((pod) => isStrictProfile(pod.securityContext?.seccompProfile))(items, context),
      ...eachContainer((one) => isStrictProfile(one.securityContext?.seccompProfile))(items, context),
    ],
    breaks: [
      inPod((pod) => {
        delete pod.securityContext?.seccompProfile
      }),
      inContainer('app', (one) => {
        one.securityContext = { ...one.securityContext, seccompProfile: { type: 'Unconfined' } }
      }),
      inContainer('proxy', (one) => {
        one.securityContext = { ...one.securityContext, seccompProfile: { type: 'Localhost' } }
      }),
    ],
  },
  {
    id: 'apparmor',
    says: 'Every pod names the AppArmor profile of the runtime, and no container takes it back; left out for a laptop and for OpenShift, whose nodes have none.',
    check: (items, context) => [
      ...(context.hasAppArmor
        ? eachPod((pod) => pod.securityContext?.appArmorProfile?.type === 'RuntimeDefault')(items, context)
        : []),
      ...eachContainer((one) => one.securityContext?.appArmorProfile?.type !== 'Unconfined')(items, context),
    ],
    breaks: [
      inPod((pod) => {
        delete pod.securityContext?.appArmorProfile
      }),
      inContainer('app', (one) => {
        one.securityContext = { ...one.securityContext, appArmorProfile: { type: 'Unconfined' } }
      }),
    ],
  },
  {
    id: 'no-privileges',
    says: 'No container is privileged, gains privileges, has a capability or sees an unmasked /proc.',
    check: eachContainer(
      ({ securityContext: context = {} }) =>
        context.allowPrivilegeEscalation === false &&
        context.privileged === false &&
        context.capabilities?.drop?.join() === 'ALL' &&
        (context.capabilities.add ?? []).length === 0 &&
        (context.procMount ?? 'Default') === 'Default' &&
        context.runAsNonRoot !== false,
    ),
    breaks: [
      inContainer('app', (one) => {
        delete one.securityContext?.allowPrivilegeEscalation
      }),
      inContainer('proxy', (one) => {
        one.securityContext = { ...one.securityContext, privileged: true }
      }),
      inContainer('app', (one) => {
        one.securityContext = {
          ...one.securityContext,
          capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
        }
      }),
      inContainer('app', (one) => {
        one.securityContext = { ...one.securityContext, capabilities: { drop: ['NET_RAW'] } }
      }),
      inContainer('app', (one) => {
        one.securityContext = { ...one.securityContext, procMount: 'Unmasked' }
      }),
    ],
  },
  {
    id: 'read-only',
    says: 'No container can write to its image, and what it mounts is read-only unless it lies in memory or scratch space.',
    check: eachContainer(
      ({ securityContext, volumeMounts = [] }, pod) =>
        securityContext?.readOnlyRootFilesystem === true &&
        volumeMounts.every(
          ({ name, readOnly }) =>
            readOnly === true || volumes(pod).find((volume) => volume.name === name)?.emptyDir !== undefined,
        ),
    ),
    breaks: [
      inContainer('app', (one) => {
        one.securityContext = { ...one.securityContext, readOnlyRootFilesystem: false }
      }),
      inContainer('app', (one) => {
        for (const mount of one.volumeMounts ?? []) delete mount.readOnly
      }),
    ],
  },
  {
    id: 'resources',
    says: 'Every container has memory request = limit, a CPU request and an ephemeral-storage request and limit.',
    check: eachContainer(({ resources: { requests = {}, limits = {} } = {} }) => {
      const storage = limits['ephemeral-storage'] !== undefined && requests['ephemeral-storage'] !== undefined
      return (
        requests['cpu'] !== undefined &&
        limits['memory'] !== undefined &&
        requests['memory'] === limits['memory'] &&
        storage
      )
    }),
    breaks: [
      inContainer('app', (one) => {
        one.resources = { ...one.resources, requests: { ...one.resources?.requests, memory: '1Mi' } }
      }),
      inContainer('proxy', (one) => {
        delete one.resources?.requests?.['cpu']
      }),
      inContainer('proxy', (one) => {
        delete one.resources?.limits?.['ephemeral-storage']
      }),
    ],
  },
  {
    id: 'bounded-scratch',
    says: 'Every emptyDir has a size limit; the one with the socket lies in memory.',
    check: eachPod((pod) =>
      volumes(pod).every(
        ({ name, emptyDir }) =>
          emptyDir === undefined ||
          (emptyDir.sizeLimit !== undefined && (!isSocketFolder(pod, name) || emptyDir.medium === 'Memory')),
      ),
    ),
    breaks: [
      inPod((pod) => {
        for (const { emptyDir } of pod.volumes ?? []) delete emptyDir?.sizeLimit
      }),
      inPod((pod) => {
        for (const { emptyDir } of pod.volumes ?? []) delete emptyDir?.medium
      }),
    ],
  },
  {
    id: 'heap',
    says: 'The heap limit of Node is 60 to 80 percent of the memory limit, so that it ends by its own error and not by the kernel.',
    check: theService((pod) => {
      const app = container(pod, 'app')
      const share = heapLimit(app) / quantity(app.resources?.limits?.['memory'])
      return share >= 0.6 && share <= 0.8
    }),
    breaks: [
      inContainer('app', (one) => {
        delete one.env
      }),
      inContainer('app', (one) => {
        one.env = [{ name: 'NODE_OPTIONS', value: '--max-old-space-size=512' }]
      }),
    ],
  },
]
