// The checklist's rows about the network: who may come in, where the pods may go, what is exposed.
import { breadth, within } from '../lib/addresses.ts'
import type { Invariant } from '../lib/invariant.ts'
import {
  fits,
  type Item,
  of,
  type Peer,
  type Port,
  type Rule,
  type Selector,
  service,
  workloads,
} from '../lib/kubernetes.ts'

interface CiliumSpec {
  endpointSelector?: Selector
  ingress?: {
    fromEndpoints?: Selector[]
    fromCIDR?: string[]
    fromEntities?: string[]
    toPorts?: { ports?: { port: string; protocol?: string }[] }[]
  }[]
  egress?: {
    toEndpoints?: Selector[]
    toFQDNs?: { matchName?: string; matchPattern?: string }[]
    toCIDRSet?: { cidr: string; except?: string[] }[]
    toCIDR?: string[]
    toEntities?: string[]
    toPorts?: { ports?: { port: string; protocol?: string }[]; rules?: { dns?: unknown[] } }[]
  }[]
}

const cilium = (items: readonly Item[]): { name: string; spec: CiliumSpec }[] =>
  items
    .filter(({ kind }) => kind === 'CiliumNetworkPolicy')
    .map(({ metadata, spec }) => ({ name: metadata.name, spec: spec as CiliumSpec }))

const isNamed = (selector: Selector | undefined): boolean =>
  Object.keys(selector?.matchLabels ?? {}).length + (selector?.matchExpressions?.length ?? 0) > 0

/** Says which pods or addresses it means; an empty selector means everybody. */
function isNamedPeer({ podSelector, namespaceSelector, ipBlock }: Peer): boolean {
  if (ipBlock !== undefined) return podSelector === undefined && namespaceSelector === undefined
  return isNamed(namespaceSelector) || isNamed(podSelector)
}

const rules = (items: readonly Item[], direction: 'ingress' | 'egress'): { where: string; rule: Rule }[] =>
  of(items, 'NetworkPolicy').flatMap(({ metadata, spec }) =>
    (spec[direction] ?? []).map((rule, at) => ({
      where: `NetworkPolicy ${metadata.name}, ${direction} ${at}`,
      rule,
    })),
  )

const isDns = ({ ports = [] }: Rule): boolean => ports.some(({ port }) => port === 53 || port === 5353)

const protocols = (ports: readonly Port[]): string =>
  ports
    .map(({ protocol = 'TCP', port }) => `${protocol}/${port}`)
    .sort()
    .join()

// What no rule to "the internet" may hold: the cluster, the node, its metadata service, and IPv6 ways to them. Not ::ffff:0:0/96: no packet
// has such an address, and the API server refuses an exception for it.
const INSIDE = [
  '10.0.0.1',
  '172.16.0.1',
  '192.168.0.1',
  '100.64.0.1',
  '169.254.169.254',
  '127.0.0.1',
  '192.0.0.1',
  '198.18.0.1',
  '224.0.0.1',
  '240.0.0.1',
  'fc00::1',
  'fe80::1',
  '64:ff9b::a00:1',
] as const

/** A network as large as the internet: then it has to leave out what is inside. A smaller one was written down by somebody who meant it. */
const isTooWide = ({ ipBlock }: Peer): boolean =>
  ipBlock !== undefined &&
  breadth(ipBlock.cidr) > 24 &&
  INSIDE.some(
    (address) =>
      within(ipBlock.cidr, address) && !(ipBlock.except ?? []).some((except) => within(except, address)),
  )

const policies = (items: readonly Item[]) => of(items, 'NetworkPolicy')

export const NETWORK: readonly Invariant[] = [
  {
    id: 'default-deny',
    says: 'Every pod of the release is selected by a policy for both directions, so that what no rule names is refused.',
    check: (items) =>
      workloads(items)
        .filter(({ labels }) => {
          const types = policies(items)
            .filter(({ spec }) => fits(spec.podSelector, labels))
            .flatMap(({ spec }) => spec.policyTypes ?? [])
          const deny = cilium(items).filter(({ spec }) => fits(spec.endpointSelector, labels))
          return !(
            (types.includes('Ingress') || deny.some(({ spec }) => spec.ingress !== undefined)) &&
            (types.includes('Egress') || deny.some(({ spec }) => spec.egress !== undefined))
          )
        })
        .map(({ where }) => where),
    breaks: [
      (items) => {
        for (const { spec } of policies(items)) spec.policyTypes = ['Ingress']
      },
      (items) => {
        for (const { spec } of policies(items)) spec.podSelector = { matchLabels: { app: 'other' } }
      },
    ],
  },
  {
    id: 'named-callers',
    says: 'Every rule for incoming connections names who may come and to which port.',
    check: (items) =>
      rules(items, 'ingress')
        .filter(
          ({ rule: { from = [], ports = [] } }) =>
            from.length === 0 || ports.length === 0 || !from.every(isNamedPeer),
        )
        .map(({ where }) => where),
    breaks: [
      (items) => {
        for (const { rule } of rules(items, 'ingress')) delete rule.from
      },
      (items) => {
        for (const { rule } of rules(items, 'ingress')) delete rule.ports
      },
      (items) => {
        for (const { rule } of rules(items, 'ingress')) rule.from = [{ podSelector: {} }]
      },
    ],
  },
  {
    id: 'metrics-callers',
    says: 'The ports without a client certificate are open to namespaces that are named, and nobody else.',
    check: (items) =>
      rules(items, 'ingress')
        .filter(({ rule: { from = [], ports = [] } }) => {
          const isPlain = ports.some(({ port }) => [9464, 18081, 'ops', 'proxy-health'].includes(port ?? ''))
          return isPlain && !from.every(({ namespaceSelector }) => isNamed(namespaceSelector))
        })
        .map(({ where }) => where),
    breaks: [
      (items) => {
        policies(items)[0]?.spec.ingress?.push({
          from: [{ podSelector: { matchLabels: { app: 'agent-orchestrator' } } }],
          ports: [{ port: 9464 }],
        })
      },
    ],
  },
  {
    id: 'named-destinations',
    says: 'Every rule for outgoing connections names where to and to which port, and none opens the whole internet with the cluster in it.',
    check: (items) =>
      rules(items, 'egress')
        .filter(
          ({ rule: { to = [], ports = [] } }) =>
            to.length === 0 || ports.length === 0 || !to.every(isNamedPeer) || to.some(isTooWide),
        )
        .map(({ where }) => where),
    breaks: [
      (items) => {
        policies(items)[0]?.spec.egress?.push({ ports: [{ port: 443 }] })
      },
      (items) => {
        policies(items)[0]?.spec.egress?.push({ to: [{ namespaceSelector: {} }], ports: [{ port: 443 }] })
      },
      (items) => {
        policies(items)[0]?.spec.egress?.push({ to: [{ ipBlock: { cidr: '192.0.2.0/24' } }] })
      },
      // The seed's own rule: cloud metadata, carrier networks and IPv6 stay open.
      (items) => {
        const except = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16']
        policies(items)[0]?.spec.egress?.push({
          to: [{ ipBlock: { cidr: '0.0.0.0/0', except } }],
          ports: [{ protocol: 'TCP', port: 443 }],
        })
      },
    ],
  },
  {
    id: 'dns',
    says: 'DNS goes to the DNS pods of the cluster or to one address, by UDP and by TCP, in one rule.',
    check: (items) => {
      const found = rules(items, 'egress').filter(({ rule }) => isDns(rule))
      if (found.length === 0 && cilium(items).length === 0)
        return ['no rule for DNS: no name can be resolved']
      return found
        .filter(({ rule: { to = [], ports = [] } }) => {
          const isExact = to.every(({ namespaceSelector, podSelector, ipBlock }) =>
            ipBlock === undefined
              ? isNamed(namespaceSelector) && isNamed(podSelector)
              : breadth(ipBlock.cidr) === 0,
          )
          return !isExact || !['TCP/53,UDP/53', 'TCP/5353,UDP/5353'].includes(protocols(ports))
        })
        .map(({ where }) => where)
    },
    breaks: [
      // The seed's own rule: any pod of the cluster, and no TCP for long answers.
      (items) => {
        for (const { rule } of rules(items, 'egress')) {
          if (!isDns(rule)) continue
          rule.to = [{ namespaceSelector: {} }]
          rule.ports = [{ protocol: 'UDP', port: 53 }]
        }
      },
      (items) => {
        for (const { rule } of rules(items, 'egress'))
          if (isDns(rule)) rule.ports = [{ protocol: 'UDP', port: 53 }]
      },
      // Two items instead of one: all pods of kube-system, and pods of that label in this namespace.
      (items) => {
        for (const { rule } of rules(items, 'egress'))
          if (isDns(rule))
            rule.to =
              rule.to?.flatMap(({ namespaceSelector, podSelector }) => [
                { ...(namespaceSelector && { namespaceSelector }) },
                { ...(podSelector && { podSelector }) },
              ]) ?? []
      },
    ],
  },
  {
    id: 'cilium',
    says: 'A Cilium policy names its pods and destinations, and reads the DNS answers that its names depend on.',
    check: (items) =>
      cilium(items).flatMap(({ name, spec }) => {
        const egress = spec.egress ?? []
        const hasNames = egress.some(({ toFQDNs }) => (toFQDNs ?? []).length > 0)
        const readsDns = egress.some(({ toPorts }) =>
          toPorts?.some(({ rules }) => (rules?.dns ?? []).length > 0),
        )
        const found: string[] = []
        if (!isNamed(spec.endpointSelector)) found.push(`${name} selects every pod`)
        if (hasNames && !readsDns)
          found.push(`${name} has names and no L7 rule for DNS: it learns no address`)
        for (const [at, rule] of (spec.ingress ?? []).entries()) {
          const isAnybody = [rule.fromEndpoints, rule.fromCIDR].every((list) => (list ?? []).length === 0)
          if (isAnybody || rule.fromEndpoints?.every(isNamed) === false || rule.fromEntities !== undefined)
            found.push(`${name}, ingress ${at}: anybody`)
          if ((rule.toPorts ?? []).length === 0) found.push(`${name}, ingress ${at}: any port`)
        }
        for (const [at, rule] of egress.entries()) {
          const blocks = [...(rule.toCIDRSet ?? []), ...(rule.toCIDR ?? []).map((cidr) => ({ cidr }))]
          if (blocks.some((ipBlock) => isTooWide({ ipBlock })))
            found.push(`${name}, egress ${at}: the inside too`)
          if (rule.toEndpoints?.every(isNamed) === false) found.push(`${name}, egress ${at}: any pod`)
          if (rule.toEntities !== undefined) found.push(`${name}, egress ${at}: toEntities`)
          if ((rule.toPorts ?? []).length === 0) found.push(`${name}, egress ${at}: any port`)
          if (rule.toFQDNs?.some(({ matchPattern }) => matchPattern === '*'))
            found.push(`${name}, egress ${at}: any name`)
        }
        return found
      }),
    breaks: [
      (items) => {
        items.push({
          apiVersion: 'cilium.io/v2',
          kind: 'CiliumNetworkPolicy',
          metadata: { name: 'open' },
          spec: {
            endpointSelector: { matchLabels: { app: 'x' } },
            egress: [
              { toFQDNs: [{ matchName: 'api.example.com' }], toPorts: [{ ports: [{ port: '443' }] }] },
            ],
          },
        })
      },
      (items) => {
        items.push({
          apiVersion: 'cilium.io/v2',
          kind: 'CiliumNetworkPolicy',
          metadata: { name: 'open' },
          spec: { endpointSelector: { matchLabels: { app: 'x' } }, egress: [{ toEntities: ['world'] }] },
        })
      },
      (items) => {
        const ports = [{ ports: [{ port: '443', protocol: 'TCP' }] }]
        items.push({
          apiVersion: 'cilium.io/v2',
          kind: 'CiliumNetworkPolicy',
          metadata: { name: 'open' },
          spec: {
            endpointSelector: { matchLabels: { app: 'x' } },
            egress: [{ toCIDRSet: [{ cidr: '0.0.0.0/0', except: ['10.0.0.0/8'] }], toPorts: ports }],
          },
        })
      },
      (items) => {
        items.push({
          apiVersion: 'cilium.io/v2',
          kind: 'CiliumNetworkPolicy',
          metadata: { name: 'open' },
          spec: { endpointSelector: { matchLabels: { app: 'x' } }, ingress: [{ fromEndpoints: [{}] }] },
        })
      },
    ],
  },
  {
    id: 'service',
    says: 'The Service finds the pods and shows the TLS port only, that of people has its own; the plain ports have a Service without an address of its own, where a monitor needs one.',
    check: (items) => {
      const { labels = {} } = service(items).spec.template.metadata
      const own = of(items, 'Service').filter(({ spec }) =>
        fits({ matchLabels: spec.selector ?? {} }, labels),
      )
      const shown = ({ spec }: (typeof own)[number]): string =>
        spec.ports.map(({ port, targetPort }) => `${port}:${targetPort}`).join()
      if (own.filter((one) => shown(one) === '443:mcp').length !== 1)
        return ['not one Service that selects the pods']
      return own
        .filter((one) => {
          const { spec } = one
          const ports = shown(one)
          return (
            !['ClusterIP', 'LoadBalancer', undefined].includes(spec.type) ||
            spec.externalIPs !== undefined ||
            Object.keys(spec.selector ?? {}).length === 0 ||
            (spec.clusterIP === 'None'
              ? ports !== '9464:ops,18081:proxy-health'
              : !['443:mcp', '443:people'].includes(ports))
          )
        })
        .map(({ metadata }) => `Service ${metadata.name}`)
    },
    breaks: [
      (items) => {
        for (const { spec } of of(items, 'Service'))
          spec.ports.push({ name: 'ops', port: 9464, targetPort: 'ops' })
      },
      (items) => {
        for (const { spec } of of(items, 'Service')) spec.type = 'NodePort'
      },
      (items) => {
        for (const { spec } of of(items, 'Service')) spec.selector = { app: 'other' }
      },
    ],
  },
]
