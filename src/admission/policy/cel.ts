// Compiles and evaluates the conditions of a policy: CEL (cel-spec) in a closed environment with bounded cost. docs/reference/cel.md has the words.
import { Environment } from '@marcbachmann/cel-js'
import type { PolicyQuestion } from '../../core/policy.ts'
import { visibleText } from '../../core/text.ts'
import { checkTree } from './cel-check.ts'
import { ABSORBED, charge, meter, NODE, release, spend } from './cel-meter.ts'
import type { Node } from './cel-tree.ts'
import {
  CALL_FIELDS,
  CallView,
  MAX_ARGS_SIZE,
  PRINCIPAL_FIELDS,
  PrincipalView,
  sheetOf,
} from './cel-values.ts'

/** Bytes of UTF-8. */
const MAX_SOURCE = 4096
const MAX_MESSAGE = 300

/** A compiled condition. */
export interface Condition {
  /** `error` where it could not be decided: a field is absent, a type does not fit, the cost is too high. Never throws. */
  evaluate(question: PolicyQuestion): boolean | 'error'
  /** It names args, so it needs `question.args` and `question.size`. */
  readonly usesArgs: boolean
  /** What it reads although a call may lack it, one sentence each. */
  readonly warnings: readonly string[]
}

const environment = new Environment({
  enableOptionalTypes: true,
  limits: { maxAstNodes: 500 },
})
  .registerType('Principal', { ctor: PrincipalView, fields: PRINCIPAL_FIELDS })
  .registerType('Call', { ctor: CallView, fields: CALL_FIELDS })
  .registerVariable('principal', 'Principal')
  .registerVariable('call', 'Call')
  .registerVariable('args', 'map')
  // Their types only: a compiled pattern takes the place of each call.
  .registerFunction('glob(string, string): bool', adopt, { async: false })
  .registerFunction('re(string, string): bool', adopt, { async: false })

/** What the library evaluates with; it hands it to functions as `this`. */
interface Evaluator {
  debugType(value: unknown): unknown
  debugTypeDeep(value: unknown): unknown
  run(ast: Node, context: unknown): unknown
  tryEval(ast: Node, context: unknown): unknown
}

/**
 * Corrects two habits of the evaluator. It keeps a type for every nesting of lists and maps that it ever meets, so a caller could fill the
 * memory with new shapes; one level says enough. And the errors that an operator absorbs cost nothing.
 */
function adopt(this: Evaluator): boolean {
  this.debugTypeDeep = this.debugType
  this.tryEval = tryEval
  return true
}
environment.evaluate('re("", "")')

function tryEval(this: Evaluator, ast: Node, context: unknown): unknown {
  try {
    return this.run(ast, context)
  } catch (error) {
    spend(ABSORBED)
    return error
  }
}

/** Compiles the text of a `when`. The message says what is wrong and where; it quotes the source at most, never an argument. */
export function compileCondition(
  source: string,
): { ok: true; condition: Condition } | { ok: false; message: string } {
  if (Buffer.byteLength(source) > MAX_SOURCE) return refused(`a condition has at most ${MAX_SOURCE} bytes`)
  try {
    return compile(source)
  } catch (error) {
    const { summary, range } = error as { summary?: string; range?: { start: number } }
    // Without a summary it is no error of the parser but the end of the stack.
    return refused(summary ?? 'the condition is nested too deeply', source, range?.start)
  }
}

function compile(source: string): ReturnType<typeof compileCondition> {
  const parsed = environment.parse(source)
  const checked = checkTree(parsed.ast as unknown as Node)
  if ('text' in checked) return refused(checked.text, source, checked.at)
  const { valid, type, error } = parsed.check()
  if (!valid) {
    const { summary, range } = error ?? {}
    return refused(summary ?? 'the types do not fit', source, range?.start)
  }
  if (type !== 'bool') return refused(`the result has to be bool, not ${type}; compare it, as in ... == true`)
  const { nodes, comprehensions, patterns, usesArgs, warnings } = checked
  meter(nodes, patterns)
  const price = NODE * nodes.length

  const evaluate = (question: PolicyQuestion): boolean | 'error' => {
    // A size that is no number is too large as well.
    if (usesArgs && !(question.size <= MAX_ARGS_SIZE)) return 'error'
    try {
      const sheet = sheetOf(question, usesArgs)
      charge(sheet)
      spend(price)
      const result: unknown = parsed(sheet.variables)
      return typeof result === 'boolean' ? result : 'error'
    } catch {
      // What the library throws can quote an argument, so it ends here.
      return 'error'
    } finally {
      release(comprehensions)
    }
  }
  return { ok: true, condition: { evaluate, usesArgs, warnings } }
}

function refused(text: string, source = '', at?: number): { ok: false; message: string } {
  if (at === undefined) return { ok: false, message: visibleText(text, MAX_MESSAGE) }
  const before = source.slice(0, at).split('\n')
  const place = `line ${before.length}, column ${(before.at(-1) ?? '').length + 1}: `
  return { ok: false, message: visibleText(place + text, MAX_MESSAGE) }
}
