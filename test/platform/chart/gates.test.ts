// What the chart decides by its values: what rolls the pods and what does not, how images are named, what each switch brings and takes away.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entrypoint } from '../../../scripts/image/entrypoint.ts'
import { OUTBOUND } from '../../../src/outbound.ts'
import { HELM, rendered, unlessBuilt } from '../lib/helm.ts'
import { configMap, container, type Item, of, service } from './lib/kubernetes.ts'
import { at, least, merge, type Values } from './lib/values.ts'

const skip = unlessBuilt(HELM)
const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`

const withValues = (...more: readonly Values[]): Item[] => rendered(least(...more))
const pod = (items: Item[]) => service(items).spec.template
const kinds = (items: Item[]): string[] => items.map(({ kind }) => kind).sort()

test('a change of the static configuration or of nginx rolls the pods, a change of live/ does not', {
  skip,
}, () => {
  const before = pod(withValues())
  assert.deepEqual(pod(withValues()), before, 'the same values give the same pods')
  const live = withValues(
    at('live.limits', { version: 1, principal: { rate: 'off' } }),
    at('live.policy.roles', { reader: { allow: [{ name: 'look', tool: 'ductape_*', effect: 'read' }] } }),
  )
  assert.match(configMap(live, 'policy.yaml').data['policy.yaml'] ?? '', /reader/)
  assert.deepEqual(pod(live), before)
  for (const change of [at('config.http.maxBody', '2MiB'), at('config.telemetry.log.level', 'debug')])
    assert.notDeepEqual(pod(withValues(change)).metadata.annotations, before.metadata.annotations)
})

test('a digest wins over a tag, a mirror stands in for the registry of both images', { skip }, () => {
  const images = (...more: readonly Values[]): string[] => {
    const { spec } = pod(withValues(...more))
    return ['app', 'proxy'].map((name) => container(spec, name).image)
  }
  for (const image of images(
    at('image.digest', DIGEST),
    at('image.tag', '1.2.3'),
    at('proxy.image.digest', DIGEST),
  ))
    assert.match(image, new RegExp(`^[^@:]+@${DIGEST}$`))
  for (const image of images(at('global.imageRegistry', 'mirror.example.com/hub')))
    assert.match(image, /^mirror\.example\.com\/hub\/(?!ghcr\.io)[^@]+:\d/)
  assert.deepEqual(
    new Set(
      images(at('image.tag', '9.9.9'), at('proxy.image.tag', '9.9.9')).map((image) => image.split(':')[1]),
    ),
    new Set(['9.9.9']),
  )
})

test('publicUrl is the name of the Service, unless one is given; both are in the Host check', {
  skip,
}, () => {
  const config = (...more: readonly Values[]): string =>
    configMap(withValues(...more), 'config.yaml').data['config.yaml'] ?? ''
  assert.match(config(), /^publicUrl: https:\/\/ductape-mcp\.ductape\.svc$/m)
  const own = config(at('config.publicUrl', 'https://mcp.example.com'))
  assert.match(own, /^publicUrl: https:\/\/mcp\.example\.com$/m)
  assert.match(own, /^ +- ductape-mcp\.ductape\.svc$/m)
})

test('the fleet key is asked for where replicas or a store need it, and only there', { skip }, () => {
  const secrets = (items: Item[]): string[] =>
    (pod(items).spec.volumes ?? []).flatMap(({ secret, projected }) => [
      ...(secret === undefined ? [] : [secret.secretName]),
      ...(projected?.sources ?? []).flatMap(({ secret: source }) =>
        source === undefined ? [] : [source.name],
      ),
    ])
  assert.ok(!secrets(withValues()).some((name) => name.endsWith('-fleet')))
  assert.ok(secrets(withValues(at('replicas', 2))).includes('ductape-mcp-fleet'))
  assert.ok(secrets(withValues(at('replicas', 2), at('fleetKey.existingSecret', 'mine'))).includes('mine'))
})

const people = [
  at('config.peopleUrl', 'https://approvals.example.com'),
  at('config.auth.people', { issuer: 'https://id.example.com', clientId: 'approvals', tenant: 'acme' }),
  at('networkPolicy', {
    ingress: { peopleFrom: [{ cidr: '192.0.2.128/25' }] },
    egress: { issuer: { cidrs: ['198.51.100.2/32'] } },
  }),
  at('people.tls.existingSecret', 'people-tls'),
].reduce(merge)

test('peopleUrl brings a server for people: Service, port, certificate, host and the rule that lets them in; without it there is nothing of it', {
  skip,
}, () => {
  const conf = (items: Item[]): string => configMap(items, 'nginx.conf').data['nginx.conf'] ?? ''
  const proxyOf = (items: Item[]) => container(pod(items).spec, 'proxy')
  const rules = (items: Item[]) =>
    of(items, 'NetworkPolicy').flatMap(({ spec }) =>
      (spec.ingress ?? []).filter(({ ports = [] }) => ports.some(({ port }) => port === 8444)),
    )
  const [off, on] = [withValues(), withValues(people)]
  assert.deepEqual([...kinds(off), 'Service'].sort(), kinds(on))
  assert.deepEqual(
    of(on, 'Service').map(({ metadata, spec }) => [metadata.name, spec.ports[0]?.targetPort]),
    [
      ['ductape-mcp', 'mcp'],
      ['ductape-mcp-people', 'people'],
    ],
  )
  assert.deepEqual(rules(on)[0]?.from, [{ ipBlock: { cidr: '192.0.2.128/25' } }])
  assert.equal(proxyOf(on).ports?.find(({ name }) => name === 'people')?.containerPort, 8444)
  // The entrypoint watches the certificate of people where it is told their host.
  assert.equal(
    proxyOf(on).env?.find(({ name }) => name === 'MCP_PEOPLE_HOST')?.value,
    'approvals.example.com',
  )
  assert.ok(pod(on).spec.volumes?.some(({ secret }) => secret?.secretName === 'people-tls'))
  assert.match(conf(on), /^ +if \(\$host != approvals\.example\.com\) \{$/m)
  assert.match(conf(on), /^ +listen 8444 ssl/m)

  assert.deepEqual(rules(off), [])
  assert.doesNotMatch(conf(off).replace(/^ *#.*$/gm, ''), /people|8444/)
  assert.ok(!JSON.stringify(pod(off)).includes('people'))
  const cilium = withValues(
    people,
    at('networkPolicy', {
      flavor: 'cilium',
      egress: { backend: { cidrs: [], fqdns: ['api.ductape.app'] } },
    }),
  ).filter(({ kind }) => kind === 'CiliumNetworkPolicy')
  assert.match(
    JSON.stringify(cilium),
    /"fromCIDR":\["192\.0\.2\.128\/25"\],"toPorts":\[\{"ports":\[\{"port":"8444"/,
  )
})

test('live/kill.yaml is hot like the rest of live/', { skip }, () => {
  const kill = withValues(at('live.kill', { version: 1, kill: [{ kind: 'everything', reason: 'drill' }] }))
  assert.match(configMap(kill, 'kill.yaml').data['kill.yaml'] ?? '', /kind: everything/)
  assert.deepEqual(pod(kill), pod(withValues()))
})

test('kill.yaml and revocations.yaml are there when they are empty: a pod that starts reads what running ones have read', {
  skip,
}, () => {
  const { data } = configMap(withValues(), 'kill.yaml')
  assert.deepEqual([data['kill.yaml'], data['revocations.yaml']], ['version: 1\n', 'version: 1\n'])
})

test('the rules know the memory limit of the pods and where the runbook is', { skip }, () => {
  const text = (...more: readonly Values[]): string =>
    JSON.stringify(
      withValues(at('monitoring.rules.enabled', true), ...more).filter(
        ({ kind }) => kind === 'PrometheusRule',
      ),
    )
  assert.match(text(), /0\.85 \* 536870912\)/)
  assert.match(text(), /"docs\/operate\/runbook\.md#ductapemcpabsent"/)
  const memory = { requests: { memory: '2Gi' }, limits: { memory: '2Gi' } }
  const own = text(at('resources', memory), at('monitoring.rules.runbook', 'https://wiki.example.com/mcp/'))
  assert.match(own, /0\.85 \* 2147483648\)/)
  assert.match(own, /"https:\/\/wiki\.example\.com\/mcp\/docs\/operate\/runbook\.md#ductapemcpabsent"/)
})

test('the test verifies a receipt in the try-out and where it is told to, and only there', { skip }, () => {
  const test = (...more: readonly Values[]): string =>
    JSON.stringify(of(withValues(at('test.clientSecret', 'client'), ...more), 'Pod'))
  assert.match(test(at('tryout.enabled', true)), /"receipt","verify"/)
  const told = test(at('test.receipt', true))
  assert.match(told, /"--accept-refusal","ductape_execute"\].*"receipt","verify"/)
  assert.doesNotMatch(told, /self-asserted|"--list"/)
  assert.doesNotMatch(test(), /receipt/)
})

test('what the test of the try-out writes, and reads again, Node allows in the image', { skip }, () => {
  const items = withValues(at('tryout.enabled', true), at('test.clientSecret', 'client'))
  const pods = of(items, 'Pod').map(({ spec }) => JSON.stringify(spec))
  const paths = pods.flatMap((text) => text.match(/\/[\w/-]+\/(?:receipt|keys)\.json/g) ?? [])
  assert.equal(paths.length, 4)
  for (const flag of ['--allow-fs-write=', '--allow-fs-read=']) {
    const allowed = entrypoint().flatMap((arg) => (arg.startsWith(flag) ? [arg.slice(flag.length)] : []))
    for (const path of paths)
      assert.ok(
        allowed.some((folder) => path.startsWith(folder)),
        `${flag} ${path}`,
      )
  }
})

test('the key of receipts is mounted and named, records are strict, and only the try-out does without a key', {
  skip,
}, () => {
  const config = (items: Item[]): string => configMap(items, 'config.yaml').data['config.yaml'] ?? ''
  const volume = (items: Item[]) => pod(items).spec.volumes?.find(({ name }) => name === 'receipts')
  const items = withValues(at('receipts.key', 'signing.pem'))
  assert.match(config(items), /^ +file: \/etc\/ductape-mcp\/secrets\/receipts\/signing\.pem$/m)
  assert.equal(volume(items)?.secret?.secretName, 'receipt-keys')
  assert.match(config(items), /^ +mode: strict$/m)
  assert.match(config(withValues(at('config.audit.mode', 'best-effort'))), /^ +mode: best-effort$/m)
  const tryout = withValues(at('tryout.enabled', true), at('receipts.keySecret', ''))
  assert.match(config(tryout), /^ +keys: boot$/m)
  assert.equal(volume(tryout), undefined)
})

test('each switch brings its objects and nothing else', { skip }, () => {
  const plain = kinds(withValues())
  const rows: readonly (readonly [Values, readonly string[]])[] = [
    [at('replicas', 2), ['PodDisruptionBudget']],
    [at('autoscaling.enabled', true), ['HorizontalPodAutoscaler', 'PodDisruptionBudget']],
    [at('monitoring.podMonitor.enabled', true), ['PodMonitor']],
    [at('monitoring.serviceMonitor.enabled', true), ['Service', 'ServiceMonitor']],
    [at('monitoring.rules.enabled', true), ['PrometheusRule']],
    [at('monitoring.dashboard.enabled', true), ['ConfigMap']],
    [
      at('tls', { existingSecret: '', certManager: { enabled: true, issuerRef: { name: 'ca' } } }),
      ['Certificate'],
    ],
    [
      at('tlsRoute', { enabled: true, hostnames: ['mcp.example.com'], parentRefs: [{ name: 'edge' }] }),
      ['TLSRoute'],
    ],
    [at('seccomp', { type: 'Localhost', spo: { enabled: true } }), ['SeccompProfile', 'SeccompProfile']],
    [at('live.existingConfigMap', 'mine'), []],
  ]
  for (const [values, more] of rows) {
    const found = kinds(withValues(values))
    const less = values['live'] === undefined ? [] : ['ConfigMap']
    assert.deepEqual([...found, ...less].sort(), [...plain, ...more].sort(), JSON.stringify(values))
  }
  const open = withValues(at('networkPolicy.enabled', false))
  assert.deepEqual([...kinds(open), 'NetworkPolicy'].sort(), plain)
})

test('a user namespace and strict groups are rendered where they are asked for', { skip }, () => {
  const { spec } = pod(withValues(at('pod', { hostUsers: false, supplementalGroupsPolicy: 'Strict' })))
  assert.equal(spec.hostUsers, false)
  assert.equal(spec.securityContext?.supplementalGroupsPolicy, 'Strict')
  assert.equal(pod(withValues()).spec.hostUsers, undefined)
})

test('Localhost names the profile of each container', { skip }, () => {
  const { spec } = pod(
    withValues(at('seccomp', { type: 'Localhost', appProfile: 'x/app.json', proxyProfile: 'x/nginx.json' })),
  )
  assert.deepEqual(
    ['app', 'proxy'].map((name) => container(spec, name).securityContext?.seccompProfile),
    ['app', 'nginx'].map((name) => ({ type: 'Localhost', localhostProfile: `x/${name}.json` })),
  )
})

const issuer = merge(
  at('config.auth.oauth.issuers', [{ issuer: 'https://id.example.com' }]),
  at('networkPolicy.egress.issuer', { cidrs: ['198.51.100.2/32'] }),
)
const store = merge(
  at('store', { redis: { url: 'rediss://redis.example.com:6379' }, secret: { existingSecret: 'store' } }),
  at('networkPolicy.egress.store', { cidrs: ['198.51.100.3/32'] }),
)
const otlp = merge(
  at('otel.OTEL_EXPORTER_OTLP_ENDPOINT', 'http://otel:4318'),
  at('networkPolicy.egress.otlp', { cidrs: ['198.51.100.4/32'] }),
)
const notifications = merge(
  at('config.outbound.notifications', { url: 'https://hooks.example.com/T0/B0' }),
  at('networkPolicy.egress.notifications', { cidrs: ['198.51.100.6/32'] }),
)
const witness = merge(
  at('config.audit.witness', { url: 'https://witness.example.com/checkpoints' }),
  at('networkPolicy.egress.witness', { cidrs: ['198.51.100.5/32'] }),
)

test('the issuer of people is reached as that of agents is', { skip }, () => {
  const blocks = of(withValues(people), 'NetworkPolicy').flatMap(({ spec }) =>
    (spec.egress ?? []).flatMap(({ to = [] }) => to.flatMap(({ ipBlock }) => ipBlock?.cidr ?? [])),
  )
  assert.ok(blocks.includes('198.51.100.2/32'))
})

/** Values that make the service dial the row, and the address and port that the policy then opens. */
const EGRESS: Readonly<Record<Exclude<keyof typeof OUTBOUND, 'service'>, readonly [Values, string]>> = {
  backend: [{}, '192.0.2.0/24 443'],
  issuer: [issuer, '198.51.100.2/32 443'],
  store: [store, '198.51.100.3/32 6379'],
  witness: [witness, '198.51.100.5/32 443'],
  notifications: [notifications, '198.51.100.6/32 443'],
  otlp: [otlp, '198.51.100.4/32 4318'],
}

test('every outbound connection of the service has its egress rule, exactly when it is used', {
  skip,
}, () => {
  const opened = (items: Item[]): string[] =>
    of(items, 'NetworkPolicy').flatMap(({ spec }) =>
      (spec.egress ?? []).flatMap(({ to = [], ports = [] }) =>
        to.flatMap(({ ipBlock }) =>
          ipBlock === undefined ? [] : ports.map(({ port }) => `${ipBlock.cidr} ${port}`),
        ),
      ),
    )
  // `service` is the command line asking a running service, never the service itself.
  assert.deepEqual(
    Object.keys(EGRESS).sort(),
    Object.keys(OUTBOUND)
      .filter((name) => name !== 'service')
      .sort(),
  )
  for (const [name, [values, rule]] of Object.entries(EGRESS)) {
    const expected = [...new Set(['192.0.2.0/24 443', rule])].sort()
    assert.deepEqual(opened(withValues(values)).sort(), expected, name)
  }
  assert.equal(opened(withValues(issuer, store, otlp, witness)).length, 5)
})

test('flavour egressProxy leads to the proxy alone, and the service uses it', { skip }, () => {
  const items = withValues(
    issuer,
    at('config.outbound.proxy', 'http://proxy.example.com:3128'),
    at('networkPolicy', {
      flavor: 'egressProxy',
      egress: { backend: { cidrs: [] }, issuer: { cidrs: [] }, proxy: { cidrs: ['192.0.2.9/32'] } },
    }),
  )
  const blocks = of(items, 'NetworkPolicy').flatMap(({ spec }) =>
    (spec.egress ?? []).flatMap(({ to = [] }) => to.flatMap(({ ipBlock }) => ipBlock?.cidr ?? [])),
  )
  assert.deepEqual(blocks, ['192.0.2.9/32'])
  assert.match(
    configMap(items, 'config.yaml').data['config.yaml'] ?? '',
    /proxy: http:\/\/proxy\.example\.com:3128/,
  )
})

test('flavour cilium leaves no NetworkPolicy beside it that would widen it', { skip }, () => {
  const items = withValues(
    at('networkPolicy', { flavor: 'cilium', egress: { backend: { cidrs: [], fqdns: ['api.ductape.app'] } } }),
  )
  assert.ok(kinds(items).includes('CiliumNetworkPolicy'))
  assert.ok(!kinds(items).includes('NetworkPolicy'))
})
