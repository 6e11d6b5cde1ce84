// Reads the project's own pages for the tests of this folder.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

const NOT_OURS = new Set(['node_modules', '.git', '.cache', 'dist', 'coverage'])

export interface Page {
  /** Path from the root, with forward slashes. */
  path: string
  text: string
}

const walk = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (NOT_OURS.has(entry.name)) return []
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    if (entry.isDirectory()) return walk(path)
    return entry.isFile() ? [path] : []
  })

export const page = (path: string): Page => ({ path, text: readFileSync(join(ROOT, path), 'utf8') })

export const pages = (): Page[] =>
  walk('')
    .filter((path) => path.endsWith('.md'))
    .sort()
    .map(page)

export const exists = (path: string): boolean => existsSync(join(ROOT, path))

/** The path from the root of what a page names relative to itself; undefined where it leaves the project. */
export function resolveFrom(from: string, target: string): string | undefined {
  const path = posix.normalize(posix.join(posix.dirname(from), target))
  const outside = relative(ROOT, join(ROOT, path)).split(sep)[0] === '..'
  return outside ? undefined : path
}

/** The same text with fenced blocks blanked, line for line. */
export function withoutFences(text: string): string {
  let open: string | undefined
  return text
    .split('\n')
    .map((line) => {
      const fence = /^\s*(`{3,}|~{3,})/.exec(line)?.[1]
      if (open === undefined && fence !== undefined) {
        open = fence
        return ''
      }
      if (open === undefined) return line
      if (fence?.startsWith(open)) open = undefined
      return ''
    })
    .join('\n')
}

/** The cells of a Markdown table row; a backslash keeps a bar inside a cell. */
const cells = (line: string): string[] =>
  line
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim().replaceAll('\\|', '|'))

/** The rows of every table of a page, header and rule left out. */
export function tableRows(text: string): string[][] {
  const lines = withoutFences(text).split('\n')
  return lines.flatMap((line, index) => {
    const isRow = line.startsWith('|') && !/^\|[\s:|-]+$/.test(line)
    const isHeader = /^\|[\s:|-]+$/.test(lines[index + 1] ?? '')
    return isRow && !isHeader ? [cells(line)] : []
  })
}

export interface TestReference {
  path: string
  name: string | undefined
}

/** Tests named in a cell: `test/area/file.test.ts` or `test/area/file.test.ts: name of the test`. */
export const testReferences = (cell: string): TestReference[] =>
  [...cell.matchAll(/`(test\/[^`:]+)(?:: ([^`]+))?`/g)].map(([, path = '', name]) => ({ path, name }))

/** What is wrong with a reference, or undefined. */
export function referenceFault({ path, name }: TestReference): string | undefined {
  if (!path.endsWith('.test.ts')) return `${path} is not a test file`
  if (!exists(path)) return `${path} does not exist`
  if (name !== undefined && !page(path).text.includes(name)) return `${path} has no test "${name}"`
  return undefined
}

/** The parts that later issues build: what a row may name as *later*. */
const PLANNED: Readonly<Record<string, readonly string[]>> = {}

/** Parts named as planned in a cell, each checked against the plan. */
export function plannedFaults(cell: string): string[] {
  return [
    ...cell.matchAll(
      /(identity|policy|limits|store|credentials|delivery|evidence|guards|approval|replay|kill switch|scanning|observability) \(issue (\d+)\)/g,
    ),
  ].flatMap(([text, part = '', issue = '']) =>
    PLANNED[issue]?.includes(part) ? [] : [`${text}: no such part is planned there`],
  )
}
