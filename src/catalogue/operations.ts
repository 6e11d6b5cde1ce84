// Lists every operation that this build can be asked for, with each effect that its arguments can give it: what a policy's listing looks through.
import type { Effect } from '../core/tool.ts'
import { EFFECT_ROWS } from './effects.ts'
import { allowedMethods, findMethod, MODULES } from './index.ts'

export interface Operation {
  readonly tool: string
  readonly module: string | undefined
  readonly method: string | undefined
  readonly effect: Effect
  /** The catalogue's. */
  readonly base?: Effect
}

const WEIGHT: readonly Effect[] = ['read', 'write', 'destructive', 'admin']

/** The catalogue's effect, and the stronger ones that arguments can give. */
function effectsOf(module: string, method: string, effect: Effect): readonly Effect[] {
  const last = `*.${method.slice(method.lastIndexOf('.') + 1)}`
  const found = new Set<Effect>([effect])
  for (const { methods, gives } of EFFECT_ROWS)
    if (methods.includes(`${module}.${method}`) || methods.includes(last))
      for (const one of gives) if (WEIGHT.indexOf(one) > WEIGHT.indexOf(effect)) found.add(one)
  return [...found]
}

/** `open`: methods outside the catalogue are let through, with effect admin. */
export function listOperations(open: boolean): readonly Operation[] {
  const execute = MODULES.flatMap((module) =>
    allowedMethods(module).flatMap((method) => {
      const entry = findMethod(module, method)
      if (entry === undefined) return []
      return effectsOf(module, method, entry.effect).map((effect) => ({
        tool: 'ductape_execute',
        module,
        method,
        effect,
        base: entry.effect,
      }))
    }),
  )
  const generate = ['ductape_generate_payload', 'ductape_generate_snippet'].map(
    (tool): Operation => ({ tool, module: undefined, method: undefined, effect: 'read' }),
  )
  const outside: Operation = {
    tool: 'ductape_execute',
    module: undefined,
    method: undefined,
    effect: 'admin',
  }
  return [...execute, ...generate, ...(open ? [outside] : [])]
}
