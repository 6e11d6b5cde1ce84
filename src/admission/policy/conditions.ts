// The way to the compiler of conditions, which is loaded with the first policy that has one: it is a tenth of what a start would load.
import type { compileCondition as Compile } from './cel.ts'

let compile: typeof Compile | undefined

/** To be awaited before the text of a policy is parsed: loads the compiler where it may have a condition. */
export async function loadConditionsFor(text: string): Promise<void> {
  // Without the word, and without an escape that could stand for it, no member of the file is `when`.
  if (text.includes('when') || text.includes('\\')) compile ??= (await import('./cel.ts')).compileCondition
}

export const compileCondition: typeof Compile = (source) => {
  if (compile === undefined) throw new Error('loadConditionsFor comes before the first condition')
  return compile(source)
}
