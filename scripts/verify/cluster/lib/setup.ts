// What the release needs before it is installed: namespaces, certificates, a Redis with TLS, and pods from which probes run.
import { createHash, generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { EXECUTE } from '../../../../test/platform/lib/calls.ts'
import { ROOT } from '../../../cluster/lib/paths.ts'
import { must } from '../../../cluster/lib/wait.ts'
import { apply, kubectl, NAME, NAMESPACE, serverPods, tryKubectl } from './kube.ts'
import { type Context, check } from './proof.ts'

/** Holds what is not the release's: the store, a peer that nobody may reach, and a scraper's place. */
export const OUTSIDE = `${NAMESPACE}-outside`
export const MONITORING = `${NAMESPACE}-monitoring`
export const HOST = `${NAME}.${NAMESPACE}.svc`
export const URL = `https://${HOST}`

/** A call that the emulator answers, as the probes send it. */
export const CALL = JSON.stringify(EXECUTE.arguments)

/** Callers that lose their access in the course of the run, each in another way. */
export const VICTIMS = ['revoked-in-store', 'revoked-in-file', 'revoked-by-crl'] as const
const LISTEN = ['listen', '9000']

export const certs = async (folder: string, ...args: string[]): Promise<string> =>
  must(join(ROOT, 'scripts/certs'), [join(folder, 'certs'), ...args])

export const secret = (name: string, files: Readonly<Record<string, string>>): object => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name },
  data: Object.fromEntries(
    Object.entries(files).map(([key, file]) => [key, readFileSync(file).toString('base64')]),
  ),
})

export const configMap = (name: string, data: Readonly<Record<string, string>>): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
})

export const at = (folder: string, ...rest: string[]): string => join(folder, 'certs', ...rest)
const pair = (folder: string): Record<string, string> => ({
  'tls.crt': join(folder, 'tls.crt'),
  'tls.key': join(folder, 'tls.key'),
})

/** What Pod Security asks for at its level restricted, and more. */
const restricted = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
}
const podSecurity = (user: number): object => ({
  runAsNonRoot: true,
  runAsUser: user,
  runAsGroup: user,
  fsGroup: user,
  seccompProfile: { type: 'RuntimeDefault' },
})

/** A pod under the service's own image that waits for `kubectl exec`, or runs the probe with these arguments. */
export function probePod(
  name: string,
  labels: Readonly<Record<string, string>>,
  context: Context,
  args: readonly string[] = LISTEN,
  tls?: string,
): object {
  const mounts = [{ name: 'probe', mountPath: '/probe', readOnly: true }]
  const volumes: object[] = [{ name: 'probe', configMap: { name: 'probe' } }]
  if (tls !== undefined) {
    mounts.push({ name: 'tls', mountPath: '/tls', readOnly: true })
    volumes.push({ name: 'tls', secret: { secretName: tls, defaultMode: 0o440 } })
  }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels },
    spec: {
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      terminationGracePeriodSeconds: 0,
      securityContext: {
        ...podSecurity(10_003),
        // One of them listens on the port of DNS.
        sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }],
      },
      dnsConfig: { options: [{ name: 'ndots', value: '1' }] },
      containers: [
        {
          name: 'probe',
          image: context.images.app,
          command: ['/nodejs/bin/node', '/probe/probe.ts', ...args],
          env: [{ name: 'CALL', value: CALL }],
          securityContext: restricted,
          resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '320Mi' } },
          volumeMounts: mounts,
        },
      ],
      volumes,
    },
  }
}

const redis = (context: Context): object[] => [
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'redis' },
    spec: {
      selector: { matchLabels: { app: 'redis' } },
      strategy: { type: 'Recreate' },
      template: {
        metadata: { labels: { app: 'redis' } },
        spec: {
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 1,
          securityContext: podSecurity(10_002),
          containers: [
            {
              name: 'redis',
              image: context.images.redis,
              args: ['/config/redis.conf'],
              ports: [{ containerPort: 6379 }],
              readinessProbe: { tcpSocket: { port: 6379 }, periodSeconds: 1 },
              securityContext: restricted,
              resources: { requests: { cpu: '20m', memory: '32Mi' }, limits: { memory: '64Mi' } },
              volumeMounts: [
                { name: 'config', mountPath: '/config', readOnly: true },
                { name: 'tls', mountPath: '/tls', readOnly: true },
              ],
            },
          ],
          volumes: [
            { name: 'config', secret: { secretName: 'redis-config' } },
            { name: 'tls', secret: { secretName: 'redis-tls', defaultMode: 0o440 } },
          ],
        },
      },
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'redis' },
    spec: { selector: { app: 'redis' }, ports: [{ port: 6379 }] },
  },
]

const receiptKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

const namespace = (name: string): object => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } },
})

export async function removeNamespaces(): Promise<void> {
  await kubectl(
    ['delete', 'namespace', NAMESPACE, OUTSIDE, MONITORING, '--ignore-not-found', '--timeout=180s'],
    { timeoutMs: 200_000 },
  )
}

export async function setUp(context: Context): Promise<void> {
  const { folder } = context
  await removeNamespaces()
  await apply([NAMESPACE, OUTSIDE, MONITORING].map(namespace), 'default')
  await certs(folder, '--host', HOST, '--host', 'localhost')
  for (const name of ['warden', ...VICTIMS]) await certs(folder, 'client', name)
  // The store has a certificate of the same authority, under its own name.
  const store = join(folder, 'store')
  await must(join(ROOT, 'scripts/certs'), [store, '--host', `redis.${OUTSIDE}.svc`])
  const password = createHash('sha256').update(`${Date.now()}`).digest('hex')
  const write = (name: string, text: string): string => {
    const file = join(folder, name)
    writeFileSync(file, text, { mode: 0o600 })
    return file
  }
  const conf = [
    'port 0',
    'tls-port 6379',
    'tls-cert-file /tls/tls.crt',
    'tls-key-file /tls/tls.key',
    'tls-auth-clients no',
    `requirepass ${password}`,
    'save ""',
    'appendonly no',
    'maxmemory-policy noeviction',
    'dir /',
  ]
  await apply(
    [
      secret('redis-tls', pair(join(store, 'tls'))),
      secret('redis-config', { 'redis.conf': write('redis.conf', `${conf.join('\n')}\n`) }),
      ...redis(context),
    ],
    OUTSIDE,
  )
  const fleet = `k1 ${createHash('sha256').update(`fleet ${password}`).digest('base64url')}\n`
  const agent = (name: string): Record<string, string> => ({
    ...pair(at(folder, 'clients', name)),
    'ca.crt': at(folder, 'ca/ca.crt'),
  })
  await apply([
    secret('server-tls', pair(at(folder, 'tls'))),
    secret('client-ca', { 'ca.crt': at(folder, 'client-ca/ca.crt') }),
    secret('client-crl', { 'crl.pem': at(folder, 'crl/crl.pem') }),
    secret('agent-1', agent('agent-1')),
    ...['warden', ...VICTIMS].map((name) => secret(name, agent(name))),
    secret('store', { password: write('password', password), 'ca.crt': join(store, 'ca/ca.crt') }),
    secret(`${NAME}-fleet`, { keys: write('fleet', fleet) }),
    secret('receipt-keys', { 'keys.pem': write('keys.pem', receiptKey()) }),
  ])
  const probe = configMap('probe', {
    'probe.ts': readFileSync(join(ROOT, 'scripts/verify/cluster/probe.ts'), 'utf8'),
    // The extension alone does not say that it is a module.
    'package.json': '{"type":"module"}',
  })
  for (const where of [NAMESPACE, OUTSIDE, MONITORING]) await apply([probe], where)
  await apply([
    probePod('agent', { app: 'agent-orchestrator' }, context, LISTEN, 'agent-1'),
    ...['warden', ...VICTIMS].map((name) =>
      probePod(name, { app: 'agent-orchestrator' }, context, LISTEN, name),
    ),
    probePod('stranger', { app: 'stranger' }, context, LISTEN, 'agent-1'),
  ])
  await apply([probePod('peer', { app: 'peer' }, context, ['listen', '9000', '6379', '53'])], OUTSIDE)
  await apply([probePod('scraper', { app: 'prometheus' }, context)], MONITORING)
  await kubectl(['-n', OUTSIDE, 'rollout', 'status', 'deployment/redis', '--timeout=120s'])
  await kubectl([
    '-n',
    NAMESPACE,
    'wait',
    '--for=condition=Ready',
    'pod/agent',
    'pod/warden',
    ...VICTIMS.map((name) => `pod/${name}`),
    'pod/stranger',
    '--timeout=120s',
  ])
  await kubectl(['-n', OUTSIDE, 'wait', '--for=condition=Ready', 'pod/peer', '--timeout=120s'])
  await kubectl(['-n', MONITORING, 'wait', '--for=condition=Ready', 'pod/scraper', '--timeout=120s'])
}

/** Runs the probe in a pod and gives back the lines that it printed. */
export async function probe(
  pod: string,
  args: readonly string[],
  where = NAMESPACE,
): Promise<readonly Record<string, unknown>[]> {
  const { code, stdout, stderr } = await tryKubectl([
    '-n',
    where,
    'exec',
    pod,
    '--',
    '/nodejs/bin/node',
    '/probe/probe.ts',
    ...args,
  ])
  if (code !== 0) throw new Error(`probe ${args.join(' ')} in ${pod}: ${stderr.trim()}`)
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

export const addresses = async (): Promise<string[]> =>
  (await serverPods()).map(({ status }) => status.podIP ?? '')

/** Milliseconds until the slowest pod answers as wanted, for the caller in this pod. */
export async function untilAll(pod: string, wanted: string, seconds: number): Promise<number> {
  const [seen = {}] = await probe(pod, [
    'until',
    URL,
    '/tls',
    wanted,
    String(seconds),
    ...(await addresses()),
  ])
  const rows = Object.entries(seen as Record<string, { code: string; ms: number | null }>)
  for (const [address, { code, ms }] of rows)
    check(ms !== null, `${address} still answers ${code} after ${seconds} s, not ${wanted}`)
  return Math.max(...rows.map(([, { ms }]) => ms ?? Number.NaN))
}
