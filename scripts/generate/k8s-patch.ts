// The changes that make one object into another, as JSON Patch (RFC 6902), which kustomize applies.
import { isDeepStrictEqual } from 'node:util'

export interface Change {
  op: 'add' | 'replace' | 'remove'
  path: string
  value?: unknown
}

type Tree = { [name: string]: unknown }

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const toPointer = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1')

export function difference(from: unknown, to: unknown, path = ''): Change[] {
  if (isDeepStrictEqual(from, to)) return []
  if (isTree(from) && isTree(to)) return trees(from, to, path)
  if (Array.isArray(from) && Array.isArray(to)) return lists(from, to, path)
  return [{ op: 'replace', path, value: to }]
}

function trees(from: Tree, to: Tree, path: string): Change[] {
  const gone = Object.keys(from).filter((key) => !Object.hasOwn(to, key))
  return [
    ...gone.map((key): Change => ({ op: 'remove', path: `${path}/${toPointer(key)}` })),
    ...Object.entries(to).flatMap(([key, value]): Change[] => {
      const at = `${path}/${toPointer(key)}`
      return Object.hasOwn(from, key) ? difference(from[key], value, at) : [{ op: 'add', path: at, value }]
    }),
  ]
}

const nameOf = (value: unknown): unknown => (isTree(value) ? value['name'] : undefined)
// Two mounts of one volume have one name: such a list is no map.
const isNamed = (list: readonly unknown[]): boolean =>
  list.every((value) => typeof nameOf(value) === 'string') && new Set(list.map(nameOf)).size === list.length

/** Lists whose items have names, in the same order with some more or some fewer, change item by item; any other list as a whole. */
function lists(from: readonly unknown[], to: readonly unknown[], path: string): Change[] {
  if (!isNamed(from) || !isNamed(to)) return [{ op: 'replace', path, value: to }]
  const wanted = to.map(nameOf)
  const kept = from.filter((value) => wanted.includes(nameOf(value)))
  const old = kept.map(nameOf)
  if (
    !isDeepStrictEqual(
      old,
      wanted.filter((name) => old.includes(name)),
    )
  )
    return [{ op: 'replace', path, value: to }]
  // From the end, so that the numbers before it stay true.
  const removed = [...from.keys()]
    .reverse()
    .filter((at) => !wanted.includes(nameOf(from[at])))
    .map((at): Change => ({ op: 'remove', path: `${path}/${at}` }))
  const changed = to.flatMap((value, at): Change[] => {
    const before = kept.find((one) => nameOf(one) === nameOf(value))
    return before === undefined
      ? [{ op: 'add', path: `${path}/${at}`, value }]
      : difference(before, value, `${path}/${at}`)
  })
  return [...removed, ...changed]
}
