// Tells columns of the query's own tables from what only looks like one: in Oracle `utl_inaddr.get_host_name` calls a function, without brackets.
import { isTree, namesOf, type Tree } from './parser.ts'

/** Some column is of a table that the statement does not name. */
export function hasStranger(statement: Tree): boolean {
  const tables = new Set<string>()
  const qualifiers = new Set<string>()
  const stack: unknown[] = [statement]
  while (stack.length > 0) {
    const next = stack.pop()
    if (!isTree(next)) continue
    for (const [name, value] of Object.entries(next)) {
      if (typeof value === 'string') {
        if (name === 'relname' || name === 'aliasname' || name === 'ctename') tables.add(value.toLowerCase())
        continue
      }
      // SQLite: a function in FROM is a table of that name.
      if (name === 'funcname') tables.add(namesOf(value).at(-1)?.toLowerCase() ?? '')
      if (name === 'ColumnRef' && isTree(value)) {
        const qualifier = namesOf(value['fields']).at(-2)
        if (qualifier !== undefined) qualifiers.add(qualifier.toLowerCase())
      }
      stack.push(value)
    }
  }
  return [...qualifiers].some((qualifier) => !tables.has(qualifier))
}
