// The rows of values.yaml: path, default and the comment above each key, which is its description everywhere.
import { isMap, isScalar, parseDocument, type YAMLMap } from 'yaml'

export interface ValueRow {
  readonly path: readonly string[]
  readonly default: unknown
  readonly description: string
}

/** Throws for a value that no comment describes, neither its own nor that of a key above it. */
export function valueRows(text: string): readonly ValueRow[] {
  const document = parseDocument(text)
  if (document.errors.length > 0 || !isMap(document.contents))
    throw new Error('chart: values.yaml is not a map')
  const rows: ValueRow[] = []
  walk(document.contents, [], false, rows)
  return rows
}

function walk(map: YAMLMap, path: readonly string[], described: boolean, rows: ValueRow[]): void {
  for (const [index, { key, value }] of map.items.entries()) {
    if (!isScalar(key)) throw new Error(`chart: a key below ${path.join('.')} is no text`)
    // The parser gives the comment above the first key of a nested map to the map.
    const own = key.commentBefore ?? (index === 0 && path.length > 0 ? map.commentBefore : undefined)
    const here = [...path, String(key.value)]
    if (own != null) {
      // What stands above an empty line is about the file.
      const description = (own.split(/\n\s*\n/).at(-1) ?? '').replace(/\s+/g, ' ').trim()
      rows.push({ path: here, default: isMap(value) ? value.toJSON() : toPlain(value), description })
    }
    const known = described || own != null
    if (isMap(value) && value.items.length > 0) walk(value, here, known, rows)
    else if (!known) throw new Error(`chart: values.yaml does not describe ${here.join('.')}`)
  }
}

const toPlain = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'toJSON' in value && typeof value.toJSON === 'function'
    ? value.toJSON()
    : value
