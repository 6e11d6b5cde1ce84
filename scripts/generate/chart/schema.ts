// values.schema.json of the chart: closed at every level, in draft-07, with the service's own schemas of config.yaml and live/ inside.
import * as z from 'zod'
import { LIVE_SCHEMAS } from '../../../src/config/live-schemas.ts'
import { configSchema } from '../../../src/config/schema.ts'
import { OUTBOUND } from '../../../src/outbound.ts'

export interface Schema {
  [keyword: string]: unknown
  type?: string | string[]
  description?: string
  properties?: Record<string, Schema>
  required?: string[]
}

const closed = (properties: Record<string, Schema>, more: Schema = {}): Schema => ({
  type: 'object',
  properties,
  additionalProperties: false,
  ...more,
})
const flag: Schema = { type: 'boolean' }
const text = (pattern: string): Schema => ({ type: 'string', pattern })
const whole = (minimum: number, maximum: number): Schema => ({ type: 'integer', minimum, maximum })
const oneOf = (...values: string[]): Schema => ({ type: 'string', enum: values })
const listOf = (items: Schema, maxItems = 64): Schema => ({ type: 'array', items, maxItems })
const orNull = (schema: Schema): Schema => ({ ...schema, type: [schema.type as string, 'null'] })

// No pattern looks ahead and none uses \u: Helm's validator has RE2, editors have the regular expressions of JavaScript.
const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const NAME = `^(${LABEL}(\\.${LABEL})*)?$`
const dnsName = text(`^(\\*\\.)?${LABEL}(\\.${LABEL})*$`)
const objectName: Schema = { ...text(NAME), maxLength: 253 }
const requiredName: Schema = { ...text(NAME.replace('?$', '$')), maxLength: 253 }
const fileKey: Schema = { ...text('^[A-Za-z0-9_.-]*$'), maxLength: 253 }
const duration = text('^([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+$')
const quantity = text('^[1-9][0-9]*(Mi|Gi)$')
const cpu = text('^([1-9][0-9]*m?|0\\.[0-9]*[1-9][0-9]*)$')
const cidr = text(
  '^([0-9]{1,3}(\\.[0-9]{1,3}){3}/([0-9]|[12][0-9]|3[0-2])|[0-9a-f:]*:[0-9a-f:]*/([0-9]{1,2}|1[01][0-9]|12[0-8]))$',
)
const port = whole(1, 65535)
const stringMap = (names: string, values: Schema): Schema => ({
  type: 'object',
  propertyNames: { pattern: names },
  additionalProperties: values,
})
const LABEL_KEY = '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'
const labels = stringMap(LABEL_KEY, {
  ...text('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$'),
  maxLength: 63,
})
const annotations = stringMap(LABEL_KEY, { type: 'string' })

// A tag without a digit (latest, main, stable) moves.
const image = closed({
  repository: text('^[a-z0-9]([a-z0-9.:_/-]*[a-z0-9])?$'),
  tag: text('^([A-Za-z0-9_.-]*[0-9][A-Za-z0-9_.-]*)?$'),
  digest: text('^(sha256:[0-9a-f]{64})?$'),
  pullPolicy: oneOf('IfNotPresent', 'Always', 'Never'),
})

const resources = closed({
  requests: closed({ cpu, memory: quantity, 'ephemeral-storage': quantity }),
  limits: closed({ cpu, memory: quantity, 'ephemeral-storage': quantity }),
})

const pods = closed({ podLabels: labels, namespaceLabels: labels }, { minProperties: 1 })
const peer = closed(
  { podLabels: labels, namespaceLabels: labels, cidr },
  { minProperties: 1, dependencies: { cidr: { maxProperties: 1 } } },
)

const egressRow = closed({
  ports: { ...listOf(port), minItems: 1 },
  cidrs: listOf(cidr, 256),
  fqdns: listOf(dnsName),
  pods: listOf(pods),
  internet: flag,
})

const certManager = {
  enabled: flag,
  issuerRef: closed({ name: objectName, kind: text('^[A-Z][A-Za-z]*$'), group: requiredName }),
  duration,
  renewBefore: duration,
}
const networkService = closed({ type: oneOf('ClusterIP', 'LoadBalancer'), annotations })
const parentRefs = listOf(
  closed(
    { name: requiredName, namespace: requiredName, sectionName: requiredName, port },
    { required: ['name'] },
  ),
  32,
)

/** The rows of src/outbound.ts that the service itself dials; `service` is the client's. */
export const EGRESS = Object.entries(OUTBOUND).filter(([name]) => name !== 'service')

function valuesSchema(): Schema {
  return closed({
    nameOverride: objectName,
    fullnameOverride: objectName,
    global: closed({
      imageRegistry: text('^([a-z0-9]([a-z0-9.:_/-]*[a-z0-9])?)?$'),
      imagePullSecrets: listOf(requiredName),
    }),
    image,
    proxy: closed({
      image,
      rate: text('^[1-9][0-9]{0,5}r/[sm]$'),
      burst: whole(1, 100_000),
      connections: whole(1, 4096),
      resources,
    }),
    replicas: whole(1, 99),
    config: config(),
    live: closed({
      policy: live('policy.yaml'),
      limits: live('limits.yaml'),
      revocations: live('revocations.yaml'),
      kill: live('kill.yaml'),
      scan: live('scan.yaml'),
      existingConfigMap: objectName,
      keysSecret: objectName,
    }),
    tls: closed({
      existingSecret: objectName,
      certManager: closed({ ...certManager, dnsNames: listOf(dnsName) }),
      clientCA: closed({
        existingSecret: objectName,
        existingConfigMap: objectName,
        clusterTrustBundle: text('^[a-z0-9.:-]*$'),
        key: { ...fileKey, minLength: 1 },
      }),
      crl: closed({
        existingSecret: objectName,
        existingConfigMap: objectName,
        key: { ...fileKey, minLength: 1 },
      }),
    }),
    people: closed({
      tls: closed({ existingSecret: objectName, certManager: closed(certManager) }),
      service: networkService,
      tlsRoute: closed({ enabled: flag, parentRefs }),
    }),
    fleetKey: closed({ existingSecret: objectName, key: { ...fileKey, minLength: 1 } }),
    receipts: closed({ keySecret: objectName, key: { ...fileKey, minLength: 1 } }),
    store: store(),
    secrets: {
      ...stringMap(
        '^[a-z0-9]([-a-z0-9]{0,40}[a-z0-9])?$',
        closed({ existingSecret: requiredName, existingConfigMap: requiredName }, { minProperties: 1 }),
      ),
      maxProperties: 64,
    },
    otel: stringMap('^OTEL_[A-Z0-9_]+$', { type: 'string' }),
    service: networkService,
    tlsRoute: closed({
      enabled: flag,
      apiVersion: text('^gateway\\.networking\\.k8s\\.io/v1((alpha|beta)[0-9])?$'),
      hostnames: listOf(dnsName, 16),
      parentRefs,
    }),
    networkPolicy: closed({
      enabled: flag,
      flavor: oneOf('kubernetes', 'cilium', 'egressProxy'),
      ingress: closed({ from: listOf(peer), peopleFrom: listOf(peer), metricsFrom: listOf(peer) }),
      dns: closed({
        namespaceLabels: labels,
        podLabels: labels,
        port,
        nodeLocal: { ...cidr, pattern: `^$|${String(cidr['pattern'])}` },
      }),
      egress: closed({
        ...Object.fromEntries(EGRESS.map(([name]) => [name, egressRow])),
        proxy: closed({
          ports: { ...listOf(port), minItems: 1 },
          cidrs: listOf(cidr, 256),
          pods: listOf(pods),
        }),
      }),
    }),
    seccomp: closed({
      type: oneOf('RuntimeDefault', 'Localhost'),
      appProfile: text('^([A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*)?$'),
      proxyProfile: text('^([A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*)?$'),
      spo: closed({ enabled: flag }),
    }),
    appArmorProfile: { type: ['string', 'null'], enum: ['RuntimeDefault', null] },
    pod: closed({
      runAsUser: orNull(whole(1, 2 ** 31 - 1)),
      proxyRunAsUser: orNull(whole(1, 2 ** 31 - 1)),
      runAsGroup: orNull(whole(1, 2 ** 31 - 1)),
      fsGroup: orNull(whole(1, 2 ** 31 - 1)),
      hostUsers: { type: ['boolean', 'null'], enum: [false, null] },
      supplementalGroupsPolicy: { type: ['string', 'null'], enum: ['Strict', null] },
      labels,
      annotations,
      nodeSelector: labels,
      tolerations: listOf(
        closed({
          key: text(LABEL_KEY),
          operator: oneOf('Exists', 'Equal'),
          value: text('^[A-Za-z0-9]?([-A-Za-z0-9_.]*[A-Za-z0-9])?$'),
          effect: oneOf('NoSchedule', 'PreferNoSchedule', 'NoExecute'),
          tolerationSeconds: whole(0, 2 ** 31 - 1),
        }),
      ),
      priorityClassName: objectName,
      preStopSeconds: whole(7, 300),
      terminationGracePeriodSeconds: whole(10, 3600),
    }),
    resources,
    topologySpread: closed({ whenUnsatisfiable: oneOf('ScheduleAnyway', 'DoNotSchedule') }),
    podDisruptionBudget: closed({ enabled: flag, maxUnavailable: whole(1, 100) }),
    autoscaling: closed({
      enabled: flag,
      minReplicas: whole(1, 99),
      maxReplicas: whole(1, 99),
      targetCPUUtilization: whole(1, 100),
      scaleDownStabilizationSeconds: whole(0, 3600),
      customMetric: closed({
        name: text('^([a-zA-Z_:][a-zA-Z0-9_:]*)?$'),
        averageValue: text('^[1-9][0-9]*[mkM]?$'),
      }),
    }),
    monitoring: closed({
      podMonitor: closed({ enabled: flag }),
      serviceMonitor: closed({ enabled: flag }),
      rules: closed({ enabled: flag, runbook: text('^(https://[^\\s"]+/)?$') }),
      dashboard: closed({ enabled: flag, labels }),
      interval: text('^[1-9][0-9]*(s|m)$'),
      labels,
    }),
    openshift: closed({ scc: closed({ enabled: flag }) }),
    assumeApiVersions: listOf(text('^[a-z0-9.-]+/v[0-9][a-z0-9]*$')),
    test: closed({ clientSecret: objectName, tokenSecret: objectName, receipt: flag }),
    tryout: closed({ enabled: flag, image, trustDomain: text('^[a-z0-9._-]+$') }),
  })
}

/** The service's config.yaml without the keys that only the chart can know; naming one of those is an error like any unknown key. */
function config(): Schema {
  const schema = own(configSchema)
  for (const key of ['listen', 'ops', 'live', 'keys', 'receipts', 'store']) remove(schema, key)
  for (const key of ['sink', 'ocsf']) remove(child(schema, 'audit'), key)
  remove(child(schema, 'auth', 'mtls'), 'ca')
  return schema
}

function store(): Schema {
  const [shared] = (child(own(configSchema), 'store')['anyOf'] as Schema[]).filter(
    ({ type }) => type === 'object',
  )
  if (shared === undefined) throw new Error('chart: the store section has changed')
  const { url, username, prefix, timeout } = child(shared, 'redis').properties ?? {}
  return closed({
    redis: closed({
      url: orEmpty(url),
      username: orEmpty(username),
      prefix: prefix ?? {},
      timeout: timeout ?? {},
    }),
    maxReplicas: orNull(whole(1, 100)),
    secret: closed({
      existingSecret: objectName,
      passwordKey: fileKey,
      caKey: fileKey,
      certKey: fileKey,
      keyKey: fileKey,
    }),
  })
}

const orEmpty = ({ description: _, ...schema }: Schema = {}): Schema => ({
  ...schema,
  pattern: `^$|${String(schema['pattern'])}`,
})

const live = (file: keyof typeof LIVE_SCHEMAS): Schema => own(LIVE_SCHEMAS[file])

/** A schema of the service as draft-07, without what Helm's validator cannot read or has no use for. */
function own(schema: z.ZodType): Schema {
  const { $schema: _, ...plain } = z.toJSONSchema(schema, { io: 'input', target: 'draft-7' })
  return portable(plain) as Schema
}

function portable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(portable)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).flatMap(([key, member]): [string, unknown][] => {
    // Under `properties` the names are ours; what is left out are keywords, whose values tell them apart.
    if (key === 'default' && !isSchema(member)) return []
    if (key === 'pattern' && typeof member === 'string') return patternFor(member)
    return [[key, portable(member)]]
  })
  return Object.fromEntries(members)
}

const isSchema = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && ('type' in value || 'anyOf' in value)

/** RE2 has no look-ahead, so such a pattern is the service's alone to check; and no \u, so the character itself stands there. */
function patternFor(pattern: string): [string, unknown][] {
  if (/\(\?[!=<]/.test(pattern)) return []
  return [
    [
      'pattern',
      pattern.replace(/\\u([0-9a-f]{4})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
    ],
  ]
}

function child(schema: Schema, ...path: string[]): Schema {
  let at = schema
  for (const key of path) {
    const next = at.properties?.[key]
    if (next === undefined) throw new Error(`chart: the config schema has no ${path.join('.')}`)
    at = next
  }
  return at
}

function remove(schema: Schema, key: string): void {
  if (schema.properties?.[key] === undefined) throw new Error(`chart: the config schema has no ${key}`)
  delete schema.properties[key]
  if (schema.required !== undefined) schema.required = schema.required.filter((name) => name !== key)
  if (schema.required?.length === 0) delete schema.required
}

export const chartSchema = (): Schema => quiet(valuesSchema()) as Schema

/**
 * Helm repeats a text that does not match its pattern, and where a URL or a name is wanted somebody may have written a password. Of a constant it
 * says what it wanted. Names of keys stay as they are: they are no place for a secret.
 */
function quiet(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(quiet)
  if (typeof value !== 'object' || value === null) return value
  const { pattern, ...rest } = value as Schema
  const members = Object.entries(rest).map(([key, member]) => [
    key,
    key === 'propertyNames' ? member : quiet(member),
  ])
  const schema = Object.fromEntries(members) as Schema
  if (pattern === undefined) return schema
  if (typeof pattern !== 'string') return { ...schema, pattern: quiet(pattern) }
  return { ...schema, if: { pattern }, else: { const: `text of the pattern ${pattern}` } }
}
