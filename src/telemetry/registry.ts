// The Prometheus registry behind metrics.ts, in a chunk of its own: it is loaded after the start or at the first scrape.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry as PrometheusRegistry } from 'prom-client'
import type { Distribution } from './distribution.ts'
import type { Counts, MetricDescription, MetricSources } from './metrics.ts'
import { defineMetrics } from './table.ts'

export interface Registry {
  render(accept: string | undefined): Promise<{ contentType: string; body: string }>
  list(): Promise<readonly MetricDescription[]>
}

type Labels = Readonly<Record<string, string>>

/** Ways to define a metric; `read` is asked when somebody looks. */
export interface Definer {
  counter(name: string, help: string, read: () => number): void
  gauge(name: string, help: string, read: () => number): void
  counters(name: string, labels: readonly string[], help: string, read: () => Iterable<Row>): void
  gauges(
    name: string,
    labels: readonly string[],
    help: string,
    read: () => Iterable<Row> | Promise<Iterable<Row>>,
  ): void
  histogram(name: string, labels: readonly string[], help: string, read: () => Iterable<Buckets>): void
}

export type Row = readonly [labels: Labels, value: number]
export type Buckets = readonly [labels: Labels, durations: Distribution]

interface HistogramParts {
  name: string
  help: string
  labelNames: readonly string[]
  registers: PrometheusRegistry[]
  read(): Iterable<Buckets>
}

/** Shows distributions that were counted elsewhere. */
class CountedHistogram extends Histogram<string> {
  private readonly parts: HistogramParts

  constructor({ read, ...parts }: HistogramParts) {
    super(parts)
    this.parts = { ...parts, read }
  }

  override async get(): ReturnType<Histogram<string>['get']> {
    const { name, help, read } = this.parts
    const values = [...read()].flatMap(([labels, durations]) => samplesOf(name, labels, durations))
    return { name, help, type: 'histogram', aggregator: 'sum', collect: () => undefined, values }
  }

  // What the library asks for instead where it writes text.
  getForPromString(): ReturnType<Histogram<string>['get']> {
    return this.get()
  }
}

function samplesOf(name: string, labels: Labels, { bounds, counts, sum, exemplars }: Distribution) {
  let total = 0
  const buckets = counts.map((inBucket, index) => {
    total += inBucket
    return {
      metricName: `${name}_bucket`,
      labels: { le: String(bounds[index] ?? '+Inf'), ...labels },
      value: total,
      exemplar: exemplars[index],
    }
  })
  return [
    ...buckets,
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: total },
  ]
}

export function createRegistry(sources: MetricSources, counts: Counts): Registry {
  const registry = new PrometheusRegistry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const labelsOf = new Map<string, readonly string[]>()

  const define: Definer = {
    counter: (name, help, read) => define.counters(name, [], help, () => [[{}, read()]]),
    gauge: (name, help, read) => define.gauges(name, [], help, () => [[{}, read()]]),
    counters(name, labelNames, help, read) {
      labelsOf.set(name, labelNames)
      new Counter({
        name,
        help,
        labelNames,
        registers,
        collect() {
          this.reset()
          for (const [labels, value] of read()) this.inc(labels, value)
        },
      })
    },
    gauges(name, labelNames, help, read) {
      labelsOf.set(name, labelNames)
      new Gauge({
        name,
        help,
        labelNames,
        registers,
        async collect() {
          const rows = await read()
          this.reset()
          // The library sets what has no labels to 0; a figure that is not known is none.
          if (labelNames.length === 0) this.remove()
          for (const [labels, value] of rows) this.set(labels, value)
        },
      })
    },
    histogram(name, labelNames, help, read) {
      labelsOf.set(name, labelNames)
      new CountedHistogram({ name, help, labelNames, registers, read })
    },
  }
  defineMetrics(define, sources, counts)

  const names = registry.getMetricsAsArray().map((metric) => ({ metric, name: metric.name }))
  const write = async (openMetrics: boolean): Promise<{ contentType: string; body: string }> => {
    const contentType = openMetrics
      ? PrometheusRegistry.OPENMETRICS_CONTENT_TYPE
      : PrometheusRegistry.PROMETHEUS_CONTENT_TYPE
    registry.setContentType(contentType)
    try {
      return { contentType, body: await registry.metrics() }
    } finally {
      // Writing OpenMetrics takes `_total` from the names of the counters, for good.
      for (const { metric, name } of names) metric.name = name
    }
  }
  // One after the other, because the format is the registry's.
  let writing: Promise<unknown> = Promise.resolve()

  return {
    render(accept) {
      const written = writing.then(() => write(wantsOpenMetrics(accept)))
      writing = written.catch(() => undefined)
      return written
    },
    list: async () =>
      (await registry.getMetricsAsJSON()).map(({ name, type, help }) => ({
        name,
        type: String(type),
        help,
        labels: labelsOf.get(name) ?? [],
      })),
  }
}

/** Whoever names it prefers it: Prometheus lists it first, and nothing else asks for it. */
const wantsOpenMetrics = (accept: string | undefined): boolean =>
  accept?.includes('application/openmetrics-text') === true
