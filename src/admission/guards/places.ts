// Finds the values at places in the arguments of a call: JSON pointers (RFC 6901) whose `*` is each element.
import { isObject, type Json } from '../../core/json.ts'

/** Called for each value; `at` holds names of the pointer and numbers. */
type Visit = (at: string, value: Json) => void

export const stepsOf = (pointer: string): readonly string[] => pointer.slice(1).split('/')

export function visitPlaces(root: Json, steps: readonly string[], visit: Visit, prefix = ''): void {
  walk(root, steps, 0, prefix, visit)
}

function walk(
  value: Json | undefined,
  steps: readonly string[],
  from: number,
  at: string,
  visit: Visit,
): void {
  const step = steps[from]
  if (step === undefined) {
    if (value !== undefined) leaf(at, value, visit)
    return
  }
  if (step === '*') {
    // An object in the place of a list is looked into as well: whoever reads it may do the same.
    const items = Array.isArray(value) ? value : isObject(value) ? Object.values(value) : []
    for (const [index, item] of items.entries()) walk(item, steps, from + 1, `${at}/${index}`, visit)
  } else if (Array.isArray(value)) walk(value[Number(step)], steps, from + 1, `${at}/${step}`, visit)
  else if (isObject(value) && Object.hasOwn(value, step))
    walk(value[step], steps, from + 1, `${at}/${step}`, visit)
}

/** A list where one value is expected is each of its elements. */
function leaf(at: string, value: Json, visit: Visit): void {
  if (!Array.isArray(value)) visit(at, value)
  else for (const [index, item] of value.entries()) leaf(`${at}/${index}`, item, visit)
}
