// Reads the project's own TypeScript files, as a map from path to text.
import { globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '../..')

/** Places of other people's or generated code. */
const FOREIGN = /(^|\/)(node_modules|dist|corpus|snapshots)\/|^examples\/client\/types\.ts$/

export function readSources(): Map<string, string> {
  const sources = new Map<string, string>()
  for (const path of globSync('{src,test,scripts,bench,examples}/**/*.ts', {
    cwd: ROOT,
    exclude: (name) => name === 'node_modules',
  }).sort()) {
    if (!FOREIGN.test(path)) sources.set(path, readFileSync(join(ROOT, path), 'utf8'))
  }
  return sources
}
