// How the refusals of the stage `replay` come about, for the matrix of secured.test.ts.
import assert from 'node:assert/strict'
import { EXECUTE } from '../lib/calls.ts'
import type { HeldRequest } from '../lib/held-backend.ts'
import { bearer, call, type Secured } from '../live/lib/secured.ts'
import type { Scenario } from './secured-scenarios.ts'

const DELETE = {
  ...EXECUTE,
  module: 'databases',
  method: 'delete',
  params: [{ table: 'users', where: { id: 1 } }],
}
const withKey = (name: string, key: () => string) => () => ({ ...bearer(name), 'idempotency-key': key() })

/** `main` demands keys of destructive calls; the backend of `waiting` answers when it is told to. */
export function replayScenarios(services: {
  main: () => Secured
  waiting: () => Secured
  held: () => Promise<HeldRequest>
}) {
  const { main, waiting } = services
  let keyed = 0
  /** A call with a key of its own, which the backend holds. */
  const start = async (name: string) => {
    const running = call(waiting(), 'rest', { headers: withKey('reader', () => `${name}-${++keyed}`)() })
    return { running, held: await services.held() }
  }
  const reader = (service: () => Secured, key: () => string) => ({
    service,
    headers: withKey('reader', key),
    who: 'reader',
  })
  return {
    idempotency_key_invalid: reader(main, () => 'a b'),
    idempotency_key_required: {
      service: main,
      headers: bearer('remover'),
      who: 'remover',
      call: { args: DELETE },
    },
    idempotency_key_reused: {
      ...reader(main, () => 'reused'),
      call: { args: { ...EXECUTE, params: ['ductape:other'] } },
      first: async () => {
        await call(main(), 'rest', { headers: withKey('reader', () => 'reused')() })
        return undefined
      },
    },
    in_progress: {
      ...reader(waiting, () => `running-${keyed}`),
      first: async () => {
        const { running, held } = await start('running')
        return async () => {
          held.release({ data: [], execution_time_ms: 1, request_id: 'r' })
          assert.equal((await running).status, 200)
        }
      },
      waits: true,
    },
    already_executed: {
      ...reader(waiting, () => `large-${keyed}`),
      first: async () => {
        const { running, held } = await start('large')
        held.release({ data: 'x'.repeat(70_000), execution_time_ms: 1, request_id: 'r' })
        assert.equal((await running).status, 200)
        return undefined
      },
    },
  } satisfies Record<string, Scenario>
}
