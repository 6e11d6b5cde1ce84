// What the tools ask the catalogue: what a call would do and aim at, and words for a name that does not exist.
import type { Json } from '../core/json.ts'
import type { Operation } from '../core/tool.ts'
import { shownEffect } from './effects.ts'
import { hint } from './hint.ts'
import { findMethod, MODULES } from './index.ts'
import { targetsOf } from './targets.ts'

export const LOOKUP = {
  modules: MODULES,
  hint,
  /** Undefined where the backend would not let the method through. */
  describe(module: string, method: string, params: readonly Json[]): Operation | undefined {
    const entry = findMethod(module, method)
    if (entry?.allowlisted !== true) return undefined
    const { env, product, path } = targetsOf(entry, params)
    const { effect, unproven } = shownEffect(entry, params)
    return { module, method, effect, base: entry.effect, unproven, env, product, path }
  },
} as const
