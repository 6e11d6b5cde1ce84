// The stage `guards`: what it finds in the arguments refuses the call, or is put to policy again where it makes the call worse.
import type { Call, Stage, Verdict } from '../../core/call.ts'
import { type Inspection, inspect } from './inspect.ts'

export interface GuardOptions {
  /** Puts the call to policy once more, with the effect that the guards have found. */
  judge(call: Call): Verdict
}

export function prepareGuards({ judge }: GuardOptions): Stage {
  const settle = (call: Call, { notes, denial, effect }: Inspection): Verdict => {
    call.guarded = notes
    const operation = call.prepared?.operation
    if (denial !== undefined || operation === undefined) return denial
    operation.unproven = undefined
    if (effect === undefined) return undefined
    operation.effect = effect
    call.effect = effect
    return judge(call)
  }

  return (call) => {
    const rules = call.runtime.policy?.guards
    if (call.prepared === undefined || rules === undefined) throw new Error('guards run after policy')
    const found = inspect(call.prepared, rules)
    return found instanceof Promise ? found.then((one) => settle(call, one)) : settle(call, found)
  }
}
