// What a call leaves behind, in the order that makes it proof: the decision before the effect, the receipt into the answer, the outcome after it.
import type { Call, Verdict } from '../core/call.ts'
import { deny } from '../core/denials.ts'
import type { Chain } from './chain.ts'
import type { Floods } from './floods.ts'
import type { SigningKey } from './keys.ts'
import type { LiveChange, RecordWriter } from './record.ts'

export interface EvidenceParts {
  chain: Pick<Chain, 'mode' | 'taken' | 'rotate' | 'close'>
  records: RecordWriter
  floods: Floods
}

export interface Evidence {
  /** Before the effect; a denial where it could not be recorded and may not happen without. */
  decided(call: Call): Verdict | Promise<Verdict>
  /** A call that ended before that: once, and before its receipt, which names the record. */
  refused(call: Call): void
  /** Strict: settles when the kernel has the record of a refusal, or could not take it in time; undefined where nothing has to wait. */
  kept(call: Call): Promise<unknown> | undefined
  /** The end of a call that was decided. */
  ended(call: Call, answer: { status: number; bytes: number; tokens: number | undefined }): void
  /** A file of live/ came into force or was refused. */
  reloaded(change: LiveChange): void
  /** Another key signs from now on. */
  rotated(key: SigningKey): void
  /** To be called every second or so. */
  sweep(): void
  /** Counts what is still to be counted and ends the chain. */
  close(unfinished: number): Promise<void>
}

export function createEvidence({ chain, records, floods }: EvidenceParts): Evidence {
  const strict = chain.mode === 'strict'
  const taken = async (): Promise<Verdict> => ((await chain.taken()) ? undefined : deny('audit_unavailable'))

  return {
    decided(call) {
      const hash = records.decision(call)
      if (!strict) {
        call.decided = true
        return undefined
      }
      if (hash === undefined) return deny('audit_unavailable')
      // From here on the record may be read by others, so whatever happens has to have an outcome.
      call.decided = true
      return taken()
    },
    refused(call) {
      if (floods.isFirst(call) && records.decision(call) === undefined && strict) floods.count(call)
    },
    kept: (call) => (strict && call.denial !== undefined && !call.decided ? chain.taken() : undefined),
    ended(call, answer) {
      records.outcome(call, answer)
    },
    reloaded(change) {
      records.reload(change)
    },
    rotated: (key) => chain.rotate(key),
    sweep: () => floods.sweep(),
    close(unfinished) {
      floods.flush()
      return chain.close(unfinished)
    },
  }
}
