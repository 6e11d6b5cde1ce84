// Reads the text that /metrics answers: names, labels and values of the Prometheus format, bounded, and what is not understood is left out.
export interface Sample {
  labels: Readonly<Record<string, string>>
  value: number
}

/** Samples by the name of their series; a histogram has `_bucket`, `_sum` and `_count`. */
export type Exposition = ReadonlyMap<string, readonly Sample[]>

const MAX_SAMPLES = 50_000
// One pass over each line without a choice to go back to: the text is foreign.
const LINE = /^([a-zA-Z_:][\w:]*)(?:\{([^\n]*)\})? +(\S+)(?: .*)?$/
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)",?/gy

export function parseExposition(text: string): Exposition {
  const found = new Map<string, Sample[]>()
  let count = 0
  for (const raw of text.split('\n')) {
    if (raw === '' || raw.startsWith('#')) continue
    // OpenMetrics puts an exemplar behind the value.
    const exemplar = raw.indexOf(' # ')
    const match = LINE.exec(exemplar === -1 ? raw : raw.slice(0, exemplar))
    if (match === null) continue
    const [, name = '', inner = '', figure = ''] = match
    const value = number(figure)
    if (value === undefined) continue
    if (++count > MAX_SAMPLES) break
    const list = found.get(name)
    const sample = { labels: labelsOf(inner), value }
    if (list === undefined) found.set(name, [sample])
    else list.push(sample)
  }
  return found
}

function number(text: string): number | undefined {
  if (text === '+Inf') return Number.POSITIVE_INFINITY
  if (text === '-Inf') return Number.NEGATIVE_INFINITY
  const value = Number(text)
  return Number.isNaN(value) ? undefined : value
}

function labelsOf(inner: string): Record<string, string> {
  const labels = Object.create(null) as Record<string, string>
  for (const [, name = '', value = ''] of inner.matchAll(LABEL))
    labels[name] = value.replaceAll(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped))
  return labels
}

export type Wanted = Readonly<Record<string, string>>

export const samplesOf = (exposition: Exposition, name: string, wanted: Wanted = {}): readonly Sample[] =>
  (exposition.get(name) ?? []).filter(({ labels }) =>
    Object.entries(wanted).every(([label, value]) => (labels[label] ?? '') === value),
  )

/** The sum over all series with these labels; undefined where there is none. */
export function total(exposition: Exposition, name: string, wanted?: Wanted): number | undefined {
  const samples = samplesOf(exposition, name, wanted)
  return samples.length === 0 ? undefined : samples.reduce((sum, { value }) => sum + value, 0)
}

/** How much each value of a label has grown; from nothing, where there was no `before` or the process began anew. */
export function growth(
  now: Exposition,
  before: Exposition | undefined,
  name: string,
  keyOf: (labels: Readonly<Record<string, string>>) => string | undefined,
): Map<string, number> {
  const grown = new Map<string, number>()
  const add = (from: Exposition, sign: number): void => {
    for (const { labels, value } of from.get(name) ?? []) {
      const key = keyOf(labels)
      if (key !== undefined) grown.set(key, (grown.get(key) ?? 0) + sign * value)
    }
  }
  add(now, 1)
  if (before !== undefined) add(before, -1)
  for (const [key, value] of grown) if (!(value > 0)) grown.delete(key)
  return grown
}

/** The quantile of a histogram from its cumulative buckets (upper bound to count), as Prometheus interpolates it; undefined without observations. */
export function quantile(buckets: ReadonlyMap<string, number>, q: number): number | undefined {
  const rows = [...buckets]
    .map(([bound, count]) => ({ bound: bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound), count }))
    .sort((one, other) => one.bound - other.bound)
  const last = rows.at(-1)
  if (last === undefined || !(last.count > 0)) return undefined
  const rank = q * last.count
  let lower = { bound: 0, count: 0 }
  for (const row of rows) {
    if (row.count >= rank && row.count > lower.count) {
      if (row.bound === Number.POSITIVE_INFINITY) return lower.bound
      return lower.bound + ((row.bound - lower.bound) * (rank - lower.count)) / (row.count - lower.count)
    }
    lower = row
  }
  return lower.bound
}
