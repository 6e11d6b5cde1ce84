// Who gets through the rendered NetworkPolicies, asked of a small model of them: what has to pass passes, its nearest neighbour does not. The cluster area asks a real one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HELM, rendered, unlessBuilt } from '../lib/helm.ts'
import { within } from './lib/addresses.ts'
import { fits, type Item, of, type Peer, service } from './lib/kubernetes.ts'
import { at, least, merge } from './lib/values.ts'

const skip = unlessBuilt(HELM)

/** The other side: a pod with its labels and those of its namespace, or an address. */
interface Other {
  readonly labels?: Record<string, string>
  /** Left out: the namespace of the release. */
  readonly namespace?: Record<string, string>
  readonly address?: string
}

const OWN = { 'kubernetes.io/metadata.name': 'ductape' }

function matches(
  { podSelector, namespaceSelector, ipBlock }: Peer,
  { labels, namespace = OWN, address }: Other,
): boolean {
  if (ipBlock !== undefined)
    return (
      address !== undefined &&
      within(ipBlock.cidr, address) &&
      !(ipBlock.except ?? []).some((cidr) => within(cidr, address))
    )
  if (labels === undefined) return false
  // Without a selector of namespaces a peer is of the policy's own.
  const isThere = namespaceSelector === undefined ? namespace === OWN : fits(namespaceSelector, namespace)
  return isThere && (podSelector === undefined || fits(podSelector, labels))
}

function passes(
  items: Item[],
  direction: 'ingress' | 'egress',
  other: Other,
  port: number,
  protocol = 'TCP',
): boolean {
  const { labels = {} } = service(items).spec.template.metadata
  return of(items, 'NetworkPolicy')
    .filter(({ spec }) => fits(spec.podSelector, labels))
    .flatMap(({ spec }) => spec[direction] ?? [])
    .some(({ from, to, ports }) => {
      const peers = from ?? to
      const isPeer = peers === undefined || peers.some((peer) => matches(peer, other))
      return (
        isPeer &&
        (ports ?? [{ port, protocol }]).some(
          (one) => one.port === port && (one.protocol ?? 'TCP') === protocol,
        )
      )
    })
}

const AGENT = { app: 'agent-orchestrator' }
const named = (name: string): Record<string, string> => ({ 'kubernetes.io/metadata.name': name })

test('the model tells one list item with two selectors from two items with one each', { skip }, () => {
  const pods = { matchLabels: { 'k8s-app': 'kube-dns' } }
  const spaces = { matchLabels: named('kube-system') }
  const other: Other = { labels: { app: 'x' }, namespace: named('kube-system') }
  assert.ok(!matches({ podSelector: pods, namespaceSelector: spaces }, other))
  assert.ok(matches({ namespaceSelector: spaces }, other))
})

test('in: agents of the namespace reach the TLS port, monitoring the plain ones, nobody else anything', {
  skip,
}, () => {
  const items = rendered(least())
  const rows: readonly (readonly [Other, number, boolean])[] = [
    [{ labels: AGENT }, 8443, true],
    [{ labels: { app: 'other' } }, 8443, false],
    [{ labels: AGENT, namespace: named('elsewhere') }, 8443, false],
    [{ labels: AGENT }, 9464, false],
    [{ labels: AGENT }, 18081, false],
    [{ labels: { app: 'prometheus' }, namespace: named('monitoring') }, 9464, true],
    [{ labels: { app: 'prometheus' }, namespace: named('monitoring') }, 18081, true],
    [{ labels: { app: 'prometheus' }, namespace: named('monitoring') }, 8443, false],
    [{ labels: { app: 'prometheus' }, namespace: named('elsewhere') }, 9464, false],
    [{ address: '10.1.2.3' }, 8443, false],
  ]
  for (const [other, port, expected] of rows)
    assert.equal(passes(items, 'ingress', other, port), expected, `${JSON.stringify(other)} ${port}`)
})

test('out: the DNS of the cluster and the backend, nobody else', { skip }, () => {
  const items = rendered(least())
  const dns: Other = { labels: { 'k8s-app': 'kube-dns' }, namespace: named('kube-system') }
  const rows: readonly (readonly [Other, number, string, boolean])[] = [
    [dns, 53, 'UDP', true],
    [dns, 53, 'TCP', true],
    [dns, 443, 'TCP', false],
    [{ ...dns, labels: { app: 'other' } }, 53, 'UDP', false],
    [{ ...dns, namespace: named('elsewhere') }, 53, 'UDP', false],
    [{ address: '192.0.2.7' }, 443, 'TCP', true],
    [{ address: '192.0.2.7' }, 80, 'TCP', false],
    [{ address: '192.0.3.7' }, 443, 'TCP', false],
    [{ address: '8.8.8.8' }, 53, 'UDP', false],
    [{ labels: { app: 'redis' } }, 6379, 'TCP', false],
  ]
  for (const [other, port, protocol, expected] of rows)
    assert.equal(passes(items, 'egress', other, port, protocol), expected, `${JSON.stringify(other)} ${port}`)
})

test('out: the internet, where it is asked for, is without the inside of cluster, node and cloud', {
  skip,
}, () => {
  const items = rendered(least(at('networkPolicy.egress.backend', { cidrs: [], internet: true })))
  for (const address of ['8.8.8.8', '2606:4700::1111'])
    assert.ok(passes(items, 'egress', { address }, 443), address)
  for (const address of [
    '10.0.0.1',
    '172.16.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '169.254.169.254',
    '168.63.129.16',
    '127.0.0.1',
    '198.18.0.1',
    '224.0.0.1',
    'fd00::1',
    'fe80::1',
    '64:ff9b::a00:1',
    '::1',
  ])
    assert.ok(!passes(items, 'egress', { address }, 443), address)
})

test('what an operator adds is let in, and no more than that', { skip }, () => {
  const items = rendered(
    least(
      merge(
        at('networkPolicy.ingress.from', [
          { podLabels: AGENT, namespaceLabels: named('agents') },
          { cidr: '10.20.0.0/16' },
        ]),
        at('networkPolicy.dns', { nodeLocal: '169.254.20.10/32' }),
      ),
    ),
  )
  assert.ok(passes(items, 'ingress', { labels: AGENT, namespace: named('agents') }, 8443))
  assert.ok(passes(items, 'ingress', { address: '10.20.3.4' }, 8443))
  assert.ok(!passes(items, 'ingress', { labels: AGENT }, 8443))
  assert.ok(!passes(items, 'ingress', { labels: { app: 'other' }, namespace: named('agents') }, 8443))
  assert.ok(!passes(items, 'ingress', { address: '10.21.3.4' }, 8443))
  assert.ok(passes(items, 'egress', { address: '169.254.20.10' }, 53, 'UDP'))
  assert.ok(!passes(items, 'egress', { address: '169.254.20.11' }, 53, 'UDP'))
})
