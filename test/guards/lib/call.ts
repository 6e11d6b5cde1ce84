// A call of ductape_execute on its way through policy and guards, as the service has it there.
import assert from 'node:assert/strict'
import { prepareGuards } from '../../../src/admission/guards/index.ts'
import { preparePolicy } from '../../../src/admission/policy/stage.ts'
import { LOOKUP } from '../../../src/catalogue/lookup.ts'
import { type Call, openCall, type Verdict } from '../../../src/core/call.ts'
import type { Json, JsonObject } from '../../../src/core/json.ts'
import type { Policy } from '../../../src/core/policy.ts'
import type { Operation } from '../../../src/core/tool.ts'
import { policyOf, principal } from '../../policy/lib/policy.ts'

/** The role `r` may do everything that `roles` does not say otherwise. */
export const policyWith = (
  guards: object = {},
  rules: object = { allow: [{ tool: '*', approval: 'none' }] },
): Policy => policyOf({ roles: { r: rules }, guards })

const CALLER = principal(['r'], { method: 'stdio' })
const policyStage = preparePolicy({
  challenge: () => ({}),
  credentialAllowed: () => true,
  killed: () => undefined,
})

export interface Guarded {
  readonly call: Call
  readonly verdict: Verdict
  /** Effects that policy was asked about, in order. */
  readonly asked: readonly string[]
}

export function callOf(policy: Policy, operation: Operation, args: JsonObject): Call {
  const call = openCall({
    id: 'x',
    startedAt: 0,
    startedTick: 0,
    channel: 'stdio',
    peer: 'stdio',
    principal: CALLER,
    runtime: { policy } as Call['runtime'],
  })
  call.toolName = 'ductape_execute'
  call.effect = operation.effect
  call.prepared = {
    operation,
    arguments: args,
    text: JSON.stringify(args),
    credentials: [],
    request: () => assert.fail('the stage sends nothing'),
    answer: () => assert.fail('the stage reads nothing'),
  }
  return call
}

export function operationOf(name: string, params: Json[]): Operation {
  const dot = name.indexOf('.')
  const operation = LOOKUP.describe(name.slice(0, dot), name.slice(dot + 1), params)
  assert.ok(operation, name)
  return operation
}

/** Runs policy and guards over `module.method`. */
export async function guard(
  name: string,
  params: Json[],
  policy: Policy = policyWith(),
  more: JsonObject = {},
): Promise<Guarded> {
  const operation = operationOf(name, params)
  const args = { module: operation.module ?? '', method: operation.method ?? '', params, ...more }
  return run(callOf(policy, operation, args))
}

export async function run(call: Call): Promise<Guarded> {
  const asked: string[] = []
  const judge = (one: Call): Verdict => {
    asked.push(String(one.prepared?.operation.effect))
    return policyStage(one)
  }
  const verdict = judge(call) ?? (await prepareGuards({ judge })(call))
  return { call, verdict, asked }
}
