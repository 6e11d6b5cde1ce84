// Words for a module or method that the catalogue does not have: near matches, and how to list what there is. Never the caller's own text.
import { MODULES, modulesWithMethod, nearMethods, nearModules } from './index.ts'

export function hint(module: string, method: string): { unknown: 'module' | 'method'; text: string } {
  if (!MODULES.includes(module)) {
    return {
      unknown: 'module',
      text: `${near(nearModules(module))}The resource ductape://catalogue lists the modules.`,
    }
  }
  const elsewhere = modulesWithMethod(method)
  const other = elsewhere.length === 0 ? '' : `It is a method of ${elsewhere.join(', ')}. `
  const list = `The resource ductape://catalogue/${module} lists its methods.`
  return { unknown: 'method', text: near(nearMethods(module, method)) + other + list }
}

const near = (names: readonly string[]): string =>
  names.length === 0 ? '' : `Near matches: ${names.join(', ')}. `
