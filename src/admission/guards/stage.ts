// The stage `guards`: looks into the arguments that hold raw text, paths and addresses; what it cannot show to be harmless is put to policy again.
import type { Call, Stage, Verdict } from '../../core/call.ts'

export interface GuardOptions {
  /** Puts the call to policy once more, with the effect that the guards have found. */
  judge(call: Call): Verdict
}

export function prepareGuards({ judge }: GuardOptions): Stage {
  return (call) => {
    const operation = call.prepared?.operation
    if (operation === undefined) throw new Error('guards run after validate')
    call.guarded = []
    if (operation.unproven === undefined) return undefined
    operation.effect = operation.unproven
    call.effect = operation.effect
    return judge(call)
  }
}
