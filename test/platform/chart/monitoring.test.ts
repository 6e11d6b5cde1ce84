// What the chart brings for those who watch the service: rules, dashboard, monitors and the way to a collector, each off or on by a value, with a reason where its API is missing.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { stringify } from 'yaml'
import { temporary } from '../../lib/process.ts'
import { HELM, KUBECONFORM, render, rendered, unlessBuilt } from '../lib/helm.ts'
import { complete } from '../lib/process.ts'
import { path, ROOT, unless } from '../lib/tools.ts'
import { configMap, type Item, of } from './lib/kubernetes.ts'
import { refusal } from './lib/refusals.ts'
import { at, LEAST, least, merge, type Values } from './lib/values.ts'

const skip = unlessBuilt(HELM, KUBECONFORM)
const OPERATOR = 'monitoring.coreos.com/v1'
const folder = temporary()
after(() => folder.remove())

const withValues = (...more: readonly Values[]): Item[] => rendered(least(...more))
const ofKind = (items: readonly Item[], kind: string): Item[] => items.filter((item) => item.kind === kind)

/** Value, the kind that it brings, the objects that come with it. */
const NEED_THE_OPERATOR = [
  ['monitoring.rules.enabled', 'PrometheusRule'],
  ['monitoring.serviceMonitor.enabled', 'ServiceMonitor'],
  ['monitoring.podMonitor.enabled', 'PodMonitor'],
] as const

for (const [value, kind] of NEED_THE_OPERATOR)
  test(`${value}: nothing without it, a ${kind} with it, and a sentence where the cluster has no such API`, {
    skip,
  }, () => {
    assert.deepEqual(ofKind(withValues(), kind), [])
    assert.equal(ofKind(withValues(at(value, true)), kind).length, 1)
    const values = merge(LEAST as never, at(value, true))
    const apiVersions = NEED_THE_OPERATOR.filter(([, other]) => other !== kind).map(
      ([, other]) => `${OPERATOR}/${other}`,
    )
    const without = render({ values, apiVersions })
    assert.ok(!without.ok, 'the cluster lacks this kind alone')
    assert.match(
      without.message,
      new RegExp(
        `^${value.replaceAll('.', '\\.')} needs the Prometheus operator: the cluster has no ${kind} of ${OPERATOR}\\. With helm template add ${OPERATOR} to assumeApiVersions\\.$`,
        'm',
      ),
    )
    const assumed = render({ values: { ...values, assumeApiVersions: [OPERATOR] }, apiVersions: [] })
    assert.ok(assumed.ok, assumed.ok ? '' : assumed.message)
  })

test('the dashboard is a ConfigMap and needs no API; it is the file of observability/', { skip }, () => {
  const name = 'ductape-mcp.json'
  const dashboards = (items: readonly Item[]): Item[] =>
    ofKind(items, 'ConfigMap').filter(({ data }) => data?.[name] !== undefined)
  assert.deepEqual(dashboards(withValues()), [])
  const found = render({
    values: merge(LEAST as never, at('monitoring.dashboard', { enabled: true, labels: { grafana: 'yes' } })),
    apiVersions: [],
  })
  assert.ok(found.ok, found.ok ? '' : found.message)
  assert.deepEqual(
    JSON.parse(configMap(found.items, name).data[name] ?? ''),
    JSON.parse(readFileSync(join(ROOT, 'observability/dashboard.json'), 'utf8')),
  )
  assert.equal(dashboards(found.items)[0]?.metadata.labels?.['grafana'], 'yes')
})

test('the collector of traces: variables and a way out of the pods with otel, neither without, a sentence where the way is missing', {
  skip,
}, () => {
  const endpoint = at('otel.OTEL_EXPORTER_OTLP_ENDPOINT', 'http://otel.monitoring:4318')
  const way = at('networkPolicy.egress.otlp', { cidrs: ['198.51.100.4/32'] })
  const egress = (items: Item[]): string =>
    JSON.stringify(of(items, 'NetworkPolicy').map(({ spec }) => spec.egress))
  const variables = (items: Item[]): string => JSON.stringify(of(items, 'Deployment'))
  const on = withValues(endpoint, way)
  assert.match(egress(on), /198\.51\.100\.4\/32/)
  assert.match(variables(on), /"OTEL_EXPORTER_OTLP_ENDPOINT","value":"http:\/\/otel\.monitoring:4318"/)
  // A way that nothing takes is not opened.
  for (const off of [withValues(), withValues(way)]) {
    assert.doesNotMatch(egress(off), /198\.51\.100\.4|4318/)
    assert.doesNotMatch(variables(off), /OTEL_/)
  }
  assert.match(refusal(merge(LEAST as never, endpoint)), /networkPolicy\.egress\.otlp names no way[^\n]*\.$/m)
})

test('the ServiceMonitor selects the Service that comes with it, and ports that it has', { skip }, () => {
  const items = withValues(at('monitoring.serviceMonitor.enabled', true))
  const [monitor] = ofKind(items, 'ServiceMonitor') as unknown as {
    spec: { selector: { matchLabels: Record<string, string> }; endpoints: { port: string }[] }
  }[]
  const wanted = Object.entries(monitor?.spec.selector.matchLabels ?? {})
  const selected = of(items, 'Service').filter(({ metadata }) =>
    wanted.every(([label, value]) => metadata.labels?.[label] === value),
  )
  assert.deepEqual(
    selected.map(({ metadata }) => metadata.name),
    ['ductape-mcp-metrics'],
  )
  assert.deepEqual(
    monitor?.spec.endpoints.map(({ port }) => port),
    selected[0]?.spec.ports.map(({ name }) => name),
  )
})

test('promtool takes the rules as the chart renders them', {
  skip: skip || unless('promtool'),
}, async () => {
  const [rule] = ofKind(
    withValues(at('monitoring.rules', { enabled: true, runbook: 'https://wiki.example.com/' })),
    'PrometheusRule',
  )
  const check = async (spec: unknown): Promise<number | null> => {
    const file = folder.file('rules.yaml', stringify(spec))
    return (await complete(path('promtool'), ['check', 'rules', file])).code
  }
  assert.equal(await check(rule?.spec), 0)
  assert.notEqual(await check(JSON.parse(JSON.stringify(rule?.spec).replace('max by', 'most by'))), 0)
})

test('kubeconform sees what is wrong in rules and monitors', { skip }, () => {
  const judge = (text: string): number | null =>
    spawnSync(
      KUBECONFORM,
      [
        '-strict',
        '-schema-location',
        `${join(ROOT, 'test/platform/chart/schemas/custom')}/{{.ResourceKind}}{{.KindSuffix}}.json`,
        '-',
      ],
      { input: text },
    ).status
  const objects = ['rules', 'serviceMonitor'].flatMap((name) =>
    withValues(at(`monitoring.${name}.enabled`, true)).filter(({ apiVersion }) => apiVersion === OPERATOR),
  )
  const text = objects.map((item) => stringify(item)).join('---\n')
  assert.equal(objects.length, 2)
  assert.equal(judge(text), 0)
  for (const [right, wrong] of [
    [/alert: /, 'alarm: '],
    [/for: 5m/, 'for: 5 minutes'],
    [/severity: \w+/, 'severity: 1'],
    [/expr: /, 'query: '],
    [/port: ops/, 'port: 9464'],
    [/endpoints:/, 'podMetricsEndpoints:'],
  ] as const) {
    assert.match(text, right)
    assert.equal(judge(text.replace(right, wrong)), 1, wrong)
  }
})
