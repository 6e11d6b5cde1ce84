// The way of a call: the ordered stages and the runner around them. Read this first.
import type { Approvals } from './admission/approval/index.ts'
import { prepareGuards } from './admission/guards/index.ts'
import { prepareLimits } from './admission/limits/stage.ts'
import { preparePolicy } from './admission/policy/stage.ts'
import type { Replay } from './admission/replay/index.ts'
import { prepareResolve } from './admission/resolve.ts'
import { prepareValidate } from './admission/validate.ts'
import type { BackendClient } from './backend/client.ts'
import { prepareBackend } from './backend/stage.ts'
import type { Call, Stage, Verdict } from './core/call.ts'
import { ALONE, type Cohort } from './core/cohort.ts'
import { deny, type StageName } from './core/denials.ts'
import { RECORD, STAGE_NAMES } from './core/stages.ts'
import { prepareCredentials } from './credentials/stage.ts'
import { type ProtocolOptions, prepareProtocol } from './http/protocol.ts'
import { prepareTransport, type TransportOptions } from './http/transport.ts'
import { prepareIdentity } from './identity/stage.ts'
import { prepareScan, type ScanOptions } from './response/scan/index.ts'
import { prepareShape, type ShapeOptions } from './response/shape.ts'

/** What the stages are made of; app.ts puts it together. */
export interface StageParts {
  transport: TransportOptions
  protocol: ProtocolOptions
  identity: Parameters<typeof prepareIdentity>[0]
  resolve: Parameters<typeof prepareResolve>[0]
  validate: Parameters<typeof prepareValidate>[0]
  policy: Parameters<typeof preparePolicy>[0]
  guards: Omit<Parameters<typeof prepareGuards>[0], 'judge'>
  replay: Replay
  limits: Parameters<typeof prepareLimits>[0]
  approval: Approvals
  credentials: Parameters<typeof prepareCredentials>[0]
  backend: BackendClient
  /** Opens the span of the backend call; undefined where nothing is traced. */
  asking?: Parameters<typeof prepareBackend>[1]
  shape: ShapeOptions
  scan: ScanOptions
}

export interface StageRow {
  name: StageName
  /** Before `execution` nothing has an effect: there the decision is recorded. */
  group: 'ingress' | 'admission' | 'execution' | 'response'
  prepare(parts: StageParts): Stage
}

/**
 * The stages in their order. `record` is not among them: it is the runner, opens before the first and closes after the last,
 * so that a call is recorded however it ends.
 */
export const STAGES: readonly StageRow[] = [
  // From the head alone, so that a request which will be refused costs no body.
  { name: 'transport', group: 'ingress', prepare: (parts) => prepareTransport(parts.transport) },
  // Also from the head alone: nobody unknown has a body read.
  { name: 'identity', group: 'ingress', prepare: (parts) => prepareIdentity(parts.identity) },
  // The one reading and the one parsing of the body: everything after it looks at the same value.
  { name: 'protocol', group: 'ingress', prepare: (parts) => prepareProtocol(parts.protocol) },
  // An unknown tool is an error of the protocol; what follows are results of a tool.
  { name: 'resolve', group: 'admission', prepare: (parts) => prepareResolve(parts.resolve) },
  // The cheapest reason to refuse comes first.
  { name: 'validate', group: 'admission', prepare: (parts) => prepareValidate(parts.validate) },
  // What the caller may do; tools/list asks the same question.
  { name: 'policy', group: 'admission', prepare: (parts) => preparePolicy(parts.policy) },
  // Costlier than policy, so that only what could be allowed is parsed; an effect that they raise is put to policy again.
  {
    name: 'guards',
    group: 'admission',
    prepare: (parts) => prepareGuards({ ...parts.guards, judge: preparePolicy(parts.policy) }),
  },
  // After policy, which has to allow a repetition anew; before limits, because nothing is executed.
  { name: 'replay', group: 'admission', prepare: (parts) => parts.replay.stage },
  // Only what is allowed is counted: a refused call uses up nothing.
  { name: 'limits', group: 'admission', prepare: (parts) => prepareLimits(parts.limits) },
  // Last, so that nobody is asked for a call that would be refused all the same.
  { name: 'approval', group: 'admission', prepare: (parts) => parts.approval.stage },
  // As late as it can be: what was refused before never had a key.
  { name: 'credentials', group: 'execution', prepare: (parts) => prepareCredentials(parts.credentials) },
  // The only I/O of a call.
  { name: 'backend', group: 'execution', prepare: (parts) => prepareBackend(parts.backend, parts.asking) },
  // Nothing reaches the caller that has not been through here.
  { name: 'shape', group: 'response', prepare: (parts) => prepareShape(parts.shape) },
  // On the very text that the caller would get.
  { name: 'scan', group: 'response', prepare: (parts) => prepareScan(parts.scan) },
]

/** What watches the calls: records, span, metric. */
export interface Recorder {
  /** Before the side effect; a denial here ends the call, because an effect without a record is not allowed. */
  decided(call: Call): Verdict | Promise<Verdict>
  /** A fault of ours: its text stays inside. */
  fault(call: Call, error: unknown): void
  /** A stage has ended (its number in core/stages.ts); undefined where nobody measures. */
  passed?: ((call: Call, stage: number) => void) | undefined
  /** Makes the digests of the request before `decided`, which else does it: a step of its own for calls that go side by side. */
  digest?(call: Call): void
  /** Absent where no calls go side by side. */
  cohort?: Cohort
}

/** Prepares the runner; it settles `call.denial` or `call.result`, or leaves a message that is no call for the router. */
export function preparePipeline(
  parts: StageParts,
  recorder: Recorder,
  stages: readonly StageRow[] = STAGES,
): (call: Call) => Promise<void> {
  const prepared = stages.map((row) => ({
    name: row.name,
    number: STAGE_NAMES.indexOf(row.name),
    group: row.group,
    run: row.prepare(parts),
  }))
  const effect = prepared.findIndex((stage) => stage.group === 'execution')
  const response = prepared.findIndex((stage) => stage.group === 'response')
  const { passed, cohort = ALONE } = recorder

  return async (call) => {
    try {
      for (let i = 0; i < prepared.length; i++) {
        const stage = prepared[i] as (typeof prepared)[number]
        // What a socket brings, a request or the backend's answer, comes to each call by itself; what the first stage refuses waits for nobody.
        const others = i === 1 || i === response ? cohort.gather() : i > 0 ? cohort.step() : undefined
        if (others !== undefined) await others
        if (i === effect) {
          recorder.digest?.(call)
          if (others !== undefined) await others
          const decided = recorder.decided(call)
          call.denial = decided instanceof Promise ? await decided : decided
          passed?.(call, RECORD)
          if (call.denial !== undefined) return
        }
        call.stage = stage.name
        const verdict = stage.run(call)
        call.denial = verdict instanceof Promise ? await verdict : verdict
        passed?.(call, stage.number)
        if (call.denial !== undefined) return
        if (stage.group === 'ingress' && isForRouter(call)) return
        // The answer of an earlier call: it has a record of its own, and nothing is executed.
        if (stage.group === 'admission' && call.result !== undefined) {
          const decided = recorder.decided(call)
          call.denial = decided instanceof Promise ? await decided : decided
          passed?.(call, RECORD)
          if (call.denial !== undefined) call.result = undefined
          return
        }
      }
    } catch (error) {
      recorder.fault(call, error)
      call.result = undefined
      call.denial = deny('internal_error')
    } finally {
      if (call.replay !== undefined) await parts.replay.settle(call)
    }
  }
}

/** After `protocol`, a request that named no tool is no call: a GET, another MCP method, a preflight. */
const isForRouter = (call: Call): boolean =>
  call.stage === 'protocol' &&
  call.toolName === '' &&
  call.message === undefined &&
  (call.surface !== 'rest' || call.other !== undefined)
