// What the chart refuses: forty bad values by its schema, bad combinations by one sentence each; every refusal names the key or says what to do.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CHART, HELM, render, unlessBuilt } from '../lib/helm.ts'
import { accepts, type Combination, ISSUER_WAY, refusal, refuses, STORE } from './lib/refusals.ts'
import { at, LEAST, least, merge, type Values } from './lib/values.ts'

const skip = unlessBuilt(HELM)

/** Path of the value, the bad value, what the message has to hold besides the path. */
const BAD: readonly (readonly [path: string, value: unknown, says: RegExp])[] = [
  // A key that nobody knows, at every depth.
  ['replica', 3, /replica/],
  ['image.tagg', '1', /tagg/],
  ['proxy.image.digets', '', /digets/],
  ['proxy.resources.limits.memroy', '1Mi', /memroy/],
  ['pod.securityContext', {}, /securityContext/],
  ['networkPolicy.egress.backend.cidr', [], /cidr/],
  ['networkPolicy.ingress.form', [], /form/],
  ['tls.clientCA.secret', 'x', /secret/],
  ['people.enabled', true, /enabled/],
  ['people.tls.certManager.dnsNames', ['a.example.com'], /dnsNames/],
  ['live.kill.switchs', [], /switchs/],
  ['receipts.existingSecret', 'x', /existingSecret/],
  ['config.receipts', { keys: 'boot' }, /receipts/],
  ['config.audit.mode', 'lax', /strict/],
  ['config.htpp', {}, /htpp/],
  ['config.http.maxBdoy', '1MiB', /maxBdoy/],
  ['live.policy.role', {}, /role/],
  ['seccomp.profile', 'x', /profile/],
  // The wrong type.
  ['replicas', '3', /integer/],
  ['replicas', 0, /minimum|>= ?1|1/],
  ['replicas', 1.5, /integer/],
  ['networkPolicy.enabled', 'yes', /boolean/],
  ['image', 'ghcr.io/x/y:1', /object/],
  ['tls.existingSecret', ['x'], /string/],
  ['config', [], /object/],
  ['otel', { OTEL_SERVICE_NAME: 5 }, /string/],
  // A value out of its list.
  ['networkPolicy.flavor', 'calico', /kubernetes/],
  ['seccomp.type', 'Unconfined', /RuntimeDefault/],
  ['appArmorProfile', 'Unconfined', /RuntimeDefault/],
  ['service.type', 'NodePort', /ClusterIP/],
  ['image.pullPolicy', 'Sometimes', /IfNotPresent/],
  ['topologySpread.whenUnsatisfiable', 'Never', /ScheduleAnyway/],
  ['pod.supplementalGroupsPolicy', 'Merge', /Strict/],
  ['config.catalogue', 'maybe', /enforce/],
  // A text of the wrong form.
  ['image.digest', 'sha256:abc', /pattern|sha256/],
  ['image.tag', 'latest', /pattern/],
  ['proxy.image.tag', 'latest', /pattern/],
  ['resources.limits.memory', '512 MB', /pattern/],
  ['resources.requests.cpu', 'one', /pattern/],
  ['networkPolicy.egress.backend.cidrs', ['api.ductape.app'], /pattern/],
  ['networkPolicy.egress.backend.ports', [0], /minimum|1/],
  ['networkPolicy.dns.nodeLocal', '169.254.20.10', /pattern/],
  ['config.publicUrl', 'mcp.example.com', /pattern/],
  ['config.backend.timeout', '30', /pattern|timeout/],
  ['config.http.maxBody', '1MB', /pattern|maxBody/],
  ['store.redis.url', 'redis.example.com:6379', /pattern/],
  ['secrets.backend', {}, /minProperties/],
  ['live.policy.version', 2, /version/],
  ['live.limits.principal.rate.perMinute', 0, /minimum|1/],
  // Users and rights.
  ['pod.runAsUser', 0, /minimum|1/],
  ['pod.proxyRunAsUser', 'nginx', /integer/],
  ['pod.hostUsers', true, /false|null/],
  ['pod.preStopSeconds', 6, /minimum/],
]

const issuer = (more: object) =>
  at('config.auth.oauth.issuers', [{ issuer: 'https://id.example.com', ...more }])
const noWay = { backend: { cidrs: [] } }

const COMBINATIONS: readonly Combination[] = [
  ['no key for receipts', at('receipts.keySecret', ''), 'Nothing signs receipts and checkpoints'],
  [
    'a witness that no rule leads to',
    at('config.audit.witness', { url: 'https://witness.example.com/checkpoints' }),
    'networkPolicy.egress.witness names no way',
  ],
  [
    'replay and a scaler without a store',
    merge(at('autoscaling.enabled', true), at('config.replay', {})),
    'config.replay with more than one replica needs store.redis.url',
  ],
  ['no way to the backend', at('networkPolicy.egress', noWay), 'names no way to the Ductape backend'],
  [
    'names without Cilium',
    at('networkPolicy.egress.backend.fqdns', ['api.ductape.app']),
    'needs networkPolicy.flavor cilium',
  ],
  ['egressProxy without a proxy', at('networkPolicy.flavor', 'egressProxy'), 'needs config.outbound.proxy'],
  [
    'a proxy that no rule leads to',
    merge(
      at('networkPolicy.flavor', 'egressProxy'),
      at('config.outbound.proxy', 'http://proxy.example.com:3128'),
    ),
    'names no way to the egress proxy',
  ],
  [
    'a proxy and another flavour',
    at('config.outbound.proxy', 'http://proxy.example.com:3128'),
    'must be egressProxy',
  ],
  ['an issuer that no rule leads to', issuer({}), 'networkPolicy.egress.issuer names no way'],
  ['a store that no rule leads to', at('store', STORE['store']), 'networkPolicy.egress.store names no way'],
  [
    'a collector that no rule leads to',
    at('otel.OTEL_EXPORTER_OTLP_ENDPOINT', 'http://otel:4318'),
    'networkPolicy.egress.otlp names no way',
  ],
  [
    'a port that no rule opens',
    at('config.backend.url', 'https://api.example.com:8443'),
    'config.backend.url has port 8443, which networkPolicy.egress.backend.ports does not name',
  ],
  [
    'DPoP and two replicas without a store',
    merge(at('replicas', 2), merge(issuer({ requireBinding: 'dpop' }), ISSUER_WAY)),
    'DPoP with more than one replica needs store.redis.url',
  ],
  [
    'DPoP and a scaler without a store',
    merge(at('autoscaling.enabled', true), at('config.auth.dpop', { maxAge: '60s' })),
    'DPoP with more than one replica needs store.redis.url',
  ],
  [
    'a store without TLS',
    merge(STORE, at('store.redis.url', 'redis://redis.example.com:6379')),
    'store.redis.url must begin with rediss://',
  ],
  [
    'a public URL without TLS',
    at('config.publicUrl', 'http://mcp.example.com'),
    'config.publicUrl must begin with https://',
  ],
  [
    'a store without its Secret',
    merge(STORE, at('store.secret.existingSecret', '')),
    'store.redis.url needs store.secret.existingSecret',
  ],
  [
    'a store user without password',
    merge(STORE, at('store', { redis: { username: 'mcp' }, secret: { passwordKey: '' } })),
    'store.redis.username needs store.secret.passwordKey',
  ],
  ['half of a client certificate', merge(STORE, at('store.secret.certKey', 'tls.crt')), 'belong together'],
  [
    'more pods than the store counts on',
    merge(STORE, merge(at('replicas', 5), at('store.maxReplicas', 3))),
    'store.maxReplicas is 3, and 6 pods can run',
  ],
  [
    'a scaler upside down',
    merge(STORE, at('autoscaling', { enabled: true, minReplicas: 4, maxReplicas: 2 })),
    'minReplicas is above',
  ],
  ['no server certificate', at('tls.existingSecret', ''), 'The server has no certificate'],
  [
    'two server certificates',
    at('tls.certManager', { enabled: true, issuerRef: { name: 'ca' } }),
    'are both set',
  ],
  [
    'cert-manager without issuer',
    at('tls', { existingSecret: '', certManager: { enabled: true } }),
    'needs tls.certManager.issuerRef.name',
  ],
  ['mutual TLS without a CA', at('tls.clientCA.existingSecret', ''), 'Mutual TLS has no CA'],
  ['two CAs', at('tls.clientCA.existingConfigMap', 'agents'), 'more than one source'],
  [
    'two revocation lists',
    at('tls.crl', { existingSecret: 'a', existingConfigMap: 'b' }),
    'tls.crl.existingSecret and tls.crl.existingConfigMap',
  ],
  [
    'Localhost without profile',
    at('seccomp.type', 'Localhost'),
    'seccomp.type Localhost needs seccomp.appProfile',
  ],
  [
    'Localhost with one of two profiles',
    at('seccomp', { type: 'Localhost', appProfile: 'app.json' }),
    'seccomp.type Localhost needs seccomp.appProfile',
  ],
  ['profiles that nobody uses', at('seccomp.appProfile', 'app.json'), 'need seccomp.type Localhost'],
  [
    'an operator that nobody uses',
    at('seccomp.spo.enabled', true),
    'seccomp.spo.enabled needs seccomp.type Localhost',
  ],
  [
    'memory that is not reserved',
    at('resources.requests.memory', '256Mi'),
    'resources.requests.memory must be 512Mi',
  ],
  [
    'a grace period that cuts calls',
    at('pod.terminationGracePeriodSeconds', 30),
    'pod.terminationGracePeriodSeconds is 30',
  ],
  ['a drain that is cut', at('config.http.drainTimeout', '1m'), 'pod.terminationGracePeriodSeconds is 45'],
  [
    'a file that nothing mounts',
    at('config.backend.ca', { file: '/etc/ductape-mcp/secrets/backend/ca.crt' }),
    'which no mount brings',
  ],
  [
    'two homes of the policy',
    merge(at('live.existingConfigMap', 'live'), at('live.limits.version', 1)),
    'have no effect',
  ],
  ['API keys without their file', at('config.auth.apiKeys', {}), 'config.auth.apiKeys needs live.keysSecret'],
  ['a key file that nobody reads', at('live.keysSecret', 'keys'), 'live.keysSecret has no effect'],
  ['a secret as a variable', at('otel.OTEL_EXPORTER_OTLP_HEADERS', 'authorization=x'), 'would be a secret'],
  [
    'two backends',
    merge(at('tryout.enabled', true), at('config.backend.url', 'https://api.example.com')),
    'tryout.enabled makes the emulator the backend',
  ],
  [
    'a route without gateway',
    at('tlsRoute', { enabled: true, hostnames: ['mcp.example.com'] }),
    'needs tlsRoute.parentRefs',
  ],
  [
    'a route without name',
    at('tlsRoute', { enabled: true, parentRefs: [{ name: 'edge' }] }),
    'needs tlsRoute.hostnames',
  ],
  [
    'two monitors',
    at('monitoring', { podMonitor: { enabled: true }, serviceMonitor: { enabled: true } }),
    'scraped twice',
  ],
  [
    'an SCC for nothing',
    at('openshift.scc.enabled', true),
    'openshift.scc.enabled is for seccomp.type Localhost',
  ],
]

const ACCEPTED: readonly (readonly [name: string, values: Values])[] = [
  [
    'DPoP and two replicas with a store',
    merge(STORE, merge(at('replicas', 2), merge(issuer({ requireBinding: 'dpop' }), ISSUER_WAY))),
  ],
  [
    'names with Cilium',
    merge(
      at('networkPolicy.flavor', 'cilium'),
      at('networkPolicy.egress.backend', { cidrs: [], fqdns: ['api.ductape.app'] }),
    ),
  ],
  [
    'a proxy and its rule',
    merge(
      at('config.outbound.proxy', 'http://proxy.example.com:3128'),
      at('networkPolicy', {
        flavor: 'egressProxy',
        egress: { backend: { cidrs: [] }, proxy: { cidrs: ['192.0.2.1/32'] } },
      }),
    ),
  ],
  [
    'Localhost with both profiles',
    at('seccomp', { type: 'Localhost', appProfile: 'app.json', proxyProfile: 'nginx.json' }),
  ],
]

test('the values that the table starts from are accepted', { skip }, () => {
  const result = render(least())
  assert.ok(result.ok, result.ok ? '' : result.message)
})

test(`${BAD.length} bad values are refused with the key and the rule`, { skip }, async (t) => {
  assert.ok(BAD.length >= 40)
  for (const [path, value, says] of BAD) {
    await t.test(`${path}: ${JSON.stringify(value)}`, () => {
      const message = refusal(merge(LEAST as never, at(path, value)))
      assert.match(message, says)
      // The message names the place, and not a line of a template.
      assert.match(message, new RegExp(path.split('.').slice(0, -1).join('/') || path.split('.')[0] || ''))
      assert.doesNotMatch(message, /nil pointer|wrong type for value|executing "/)
    })
  }
})

test('combinations that cannot work are refused in one sentence', { skip }, (t) => refuses(t, COMBINATIONS))

test('their neighbours that do work are accepted', { skip }, (t) => accepts(t, ACCEPTED))

test('an API that the cluster lacks is named, and can be taken as present', { skip }, () => {
  const values = merge(LEAST as never, at('monitoring.podMonitor.enabled', true))
  const without = render({ values, apiVersions: [] })
  assert.ok(!without.ok)
  assert.match(
    without.message,
    /monitoring\.podMonitor\.enabled needs the Prometheus operator: the cluster has no/,
  )
  const assumed = render({
    values: { ...values, assumeApiVersions: ['monitoring.coreos.com/v1'] },
    apiVersions: [],
  })
  assert.ok(assumed.ok, assumed.ok ? '' : assumed.message)
})

test('a field that an old Kubernetes lacks is refused there, and an older one altogether', { skip }, () => {
  const hostUsers = render({ ...least(at('pod.hostUsers', false)), kubeVersion: '1.32.0' })
  assert.ok(!hostUsers.ok)
  assert.match(hostUsers.message, /pod\.hostUsers needs Kubernetes 1\.33 or newer, and this is v1\.32\.0/)
  assert.ok(render({ ...least(), kubeVersion: '1.30.0' }).ok)
  const old = render({ ...least(), kubeVersion: '1.29.9' })
  assert.ok(!old.ok)
  assert.match(old.message, /requires kubeVersion: >=1\.30\.0-0/)
})

interface Schema {
  readonly $schema?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: unknown
  readonly [other: string]: unknown
}

/** Where a schema names properties and takes any other beside them. */
function openPlaces(schema: unknown, path: string): string[] {
  if (Array.isArray(schema)) return schema.flatMap((one, at) => openPlaces(one, `${path}/${at}`))
  if (typeof schema !== 'object' || schema === null) return []
  const { properties, additionalProperties } = schema as Schema
  // A condition looks at single keys of what another schema has closed.
  const isCondition = /\/(?:if|then|else|not)(?:\/|$)/.test(path)
  const isOpen = properties !== undefined && additionalProperties !== false && !isCondition
  return [
    ...(isOpen ? [path] : []),
    ...Object.entries(schema).flatMap(([key, value]) => openPlaces(value, `${path}/${key}`)),
  ]
}

test('the schema is closed at every level', () => {
  const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as Schema
  assert.match(schema.$schema ?? '', /draft-07/)
  assert.deepEqual(openPlaces(schema, ''), [])
  assert.deepEqual(openPlaces({ properties: { a: {} } }, ''), [''])
})
