// Installs and upgrades the release under test, with the values that every proof starts from.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../../../cluster/lib/paths.ts'
import { type Done, until } from '../../../cluster/lib/wait.ts'
import { isReady, NAMESPACE, RELEASE, serverPods, tryHelm } from './kube.ts'
import type { Context } from './proof.ts'
import { OUTSIDE } from './setup.ts'

export const CHART = join(ROOT, 'helm/ductape-mcp')
export const REPLICAS = 3

const image = (reference: string): { repository: string; digest?: string; tag?: string } => {
  const [repository = '', digest] = reference.split('@')
  if (digest !== undefined) return { repository, digest }
  const [, name = '', tag = ''] = /^(.*):([^:/]+)$/.exec(reference) ?? []
  return { repository: name, tag }
}

/** Limits that no proof's own load reaches. */
const NO_LIMITS = {
  version: 1,
  principal: { rate: { perMinute: 6_000_000, burst: 100_000 }, inputTokens: 'off', outputTokens: 'off' },
}

const caller = (name: string, scopes: readonly string[]): object => ({
  uri: `spiffe://example.test/ns/*/sa/${name}`,
  tenant: 'tryout',
  roles: ['tryout'],
  scopes,
})

export type Values = Readonly<Record<string, unknown>>

export const baseValues = ({ images, local }: Context): Values => ({
  replicas: REPLICAS,
  image: image(images.app),
  proxy: { image: image(images.proxy), rate: '2000r/s', burst: 5000 },
  tryout: { enabled: true, image: image(images.emulator), trustDomain: 'example.test' },
  // Where the node is ours, the project's own profiles are on it.
  seccomp: local
    ? {
        type: 'Localhost',
        appProfile: 'ductape-mcp/ductape-mcp.json',
        proxyProfile: 'ductape-mcp/nginx.json',
      }
    : { type: 'RuntimeDefault' },
  config: {
    http: { peerRate: { perMinute: 6_000_000, burst: 100_000 } },
    auth: {
      mtls: {
        trustDomains: ['example.test'],
        map: [caller('warden', ['ductape:write', 'ductape:admin']), caller('*', ['ductape:write'])],
      },
    },
  },
  live: { limits: NO_LIMITS },
  tls: {
    existingSecret: 'server-tls',
    clientCA: { existingSecret: 'client-ca' },
    crl: { existingSecret: 'client-crl' },
  },
  receipts: { keySecret: 'receipt-keys' },
  store: {
    redis: { url: `rediss://redis.${OUTSIDE}.svc:6379/0` },
    secret: { existingSecret: 'store', caKey: 'ca.crt' },
  },
  networkPolicy: {
    ingress: {
      metricsFrom: [{ namespaceLabels: { 'kubernetes.io/metadata.name': `${NAMESPACE}-monitoring` } }],
    },
    egress: {
      store: {
        pods: [{ podLabels: { app: 'redis' }, namespaceLabels: { 'kubernetes.io/metadata.name': OUTSIDE } }],
      },
    },
  },
  test: { clientSecret: 'agent-1' },
})

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export function merge(base: Values, over: Values): Values {
  const result: Record<string, unknown> = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const before = result[key]
    result[key] = isObject(before) && isObject(value) ? merge(before, value) : value
  }
  return result
}

/** `helm upgrade --install` with the base values and these over them; the answer is the caller's to judge. */
export function upgrade(
  context: Context,
  over: Values = {},
  {
    chart = CHART,
    wait = true,
    release = RELEASE,
    base = baseValues(context),
  }: { chart?: string; wait?: boolean; release?: string; base?: Values } = {},
): Promise<Done> {
  const file = join(context.folder, 'values.json')
  writeFileSync(file, JSON.stringify(merge(base, over)))
  const waiting = wait ? ['--wait', '--timeout=3m'] : []
  return tryHelm(['upgrade', '--install', release, chart, '-n', NAMESPACE, '-f', file, ...waiting])
}

export async function settled(count = REPLICAS, seconds = 180): Promise<void> {
  await until(`${count} ready pods and no other`, seconds, async () => {
    const all = await serverPods()
    return all.length === count && all.every(isReady) ? true : undefined
  })
}
