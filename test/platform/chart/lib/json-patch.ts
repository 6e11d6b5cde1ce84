// Applies a JSON Patch (RFC 6902) as kustomize does, to see that base and overlay together are what the chart renders.
import type { Change } from '../../../../scripts/generate/k8s-patch.ts'

type Tree = { [name: string]: unknown }

const fromPointer = (key: string): string => key.replaceAll('~1', '/').replaceAll('~0', '~')

export function apply(object: unknown, changes: readonly Change[]): unknown {
  const result = structuredClone(object)
  for (const { op, path, value } of changes) {
    const keys = path.split('/').slice(1).map(fromPointer)
    const last = keys.pop() ?? ''
    const parent = keys.reduce<unknown>((at, key) => (at as Tree)[key], result)
    if (Array.isArray(parent))
      parent.splice(Number(last), op === 'add' ? 0 : 1, ...(op === 'remove' ? [] : [value]))
    else if (op === 'remove') delete (parent as Tree)[last]
    else (parent as Tree)[last] = value
  }
  return result
}
