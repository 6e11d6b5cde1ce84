// The least that the chart has to be told, and how a test adds to it.
import type { Options } from '../../lib/helm.ts'

/** What an operator with Secrets of their own writes; every other value is the chart's. */
export const LEAST = {
  tls: { existingSecret: 'mcp-server', clientCA: { existingSecret: 'agents-ca' } },
  receipts: { keySecret: 'receipt-keys' },
  networkPolicy: { egress: { backend: { cidrs: ['192.0.2.0/24'] } } },
} as const

export type Values = { [name: string]: unknown }

const isMap = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** As helm merges values: maps by key, everything else replaced. */
export function merge(base: Values, over: Values): Values {
  const merged: Values = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const old = merged[key]
    merged[key] = isMap(old) && isMap(value) ? merge(old, value) : value
  }
  return merged
}

/** Sets one value by its path: `at('pod.runAsUser', 0)`. */
export const at = (path: string, value: unknown): Values =>
  path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Values

export const least = (...more: readonly Values[]): Options => ({
  values: more.reduce<Values>(merge, LEAST as unknown as Values),
})
