// The grammar of PostgreSQL, loaded with the first text that needs it: 2 MB that most services never ask for.

/** A node of the tree: members are values, nodes or lists of them. */
export type Tree = { readonly [member: string]: unknown }

export const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null
export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** What stands below the name of its kind: { RangeVar: ... }. */
export const node = (value: unknown, kind: string): Tree | undefined => {
  const found = isTree(value) ? value[kind] : undefined
  return isTree(found) ? found : undefined
}

/** The parts of a dotted name; '' where a part is no name, as in `t.*`. */
export const namesOf = (list: unknown): readonly string[] =>
  listOf(list).map((item) => String(node(item, 'String')?.['sval'] ?? ''))

/** The statements of a text, or nothing where the grammar does not take it. Never throws. */
export type SqlParser = (text: string) => readonly Tree[] | undefined

let loaded: SqlParser | undefined
let loading: Promise<SqlParser> | undefined

/** The parser, where it has been loaded. */
export const loadedParser = (): SqlParser | undefined => loaded

/** Loads the parser once. A failure is a fault, and the next call tries again. */
export function loadParser(): Promise<SqlParser> {
  loading ??= load().catch((error: unknown) => {
    loading = undefined
    throw error
  })
  return loading
}

async function load(): Promise<SqlParser> {
  const { loadModule, parseSync } = (await import('libpg-query')).default
  await loadModule()
  loaded = (text) => {
    try {
      const { stmts } = parseSync(text) as { stmts?: readonly { stmt?: Tree }[] }
      return (stmts ?? []).map(({ stmt }) => stmt ?? {})
    } catch {
      // A syntax error; or RangeError where a tree is deeper than JSON.parse goes.
      return undefined
    }
  }
  return loaded
}
