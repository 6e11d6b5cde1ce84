// The bundle's entry: runs its scripts from the code that V8 made of them at an earlier start, where the image holds it.

// Imported as ES modules they would have every export read, and one of them loads the whole of node:fs/promises.
const { readFileSync } = process.getBuiltinModule('node:fs')
const { Script } = process.getBuiltinModule('node:vm')

/** File of the service's own script. Names hold a digest, because of what a cache was made of, V8 compares no more than the length. */
declare const APP: string

type Run = (require: (name: string) => unknown, module: { exports: unknown }, folder: string) => void

const loaded = new Map<string, unknown>()

function load(name: string): unknown {
  const filename = `${import.meta.dirname}/${name}.js`
  const source = readFileSync(filename, 'utf8')
  const script = new Script(source, { filename, cachedData: codeOf(name) })
  const module = { exports: {} }
  ;(script.runInThisContext() as Run)(need, module, import.meta.dirname)
  loaded.set(name, module.exports)
  return module.exports
}

/** Nothing outside an image. What another V8 made, or one with other flags, is refused by V8, and the script is compiled. */
function codeOf(name: string): Buffer | undefined {
  try {
    return readFileSync(`${import.meta.dirname}/cache/${name}`)
  } catch {
    return undefined
  }
}

/** A module of Node, or a script of the bundle that is loaded on demand. */
function need(name: string): unknown {
  const script = /^\.\/([a-z]+-[A-Z0-9]+)\.js$/.exec(name)?.[1]
  if (script !== undefined) return loaded.has(script) ? loaded.get(script) : load(script)
  const found = process.getBuiltinModule(name)
  if (found !== undefined) return found
  throw Object.assign(new Error(`the bundle has no module ${name}`), { code: 'ERR_MODULE_NOT_FOUND' })
}

need(APP)
