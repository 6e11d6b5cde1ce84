// Replicas of the kill switch on one store, and a clock that stands until it is moved.
import assert from 'node:assert/strict'
import { createKillSwitch, type KillSwitch, type Names } from '../../src/admission/kill/index.ts'
import type { Denial } from '../../src/core/denials.ts'
import type { Fleet } from '../../src/core/fleet.ts'
import type { Json } from '../../src/core/json.ts'
import { makePrincipal, type Principal } from '../../src/core/principal.ts'
import type { Store } from '../../src/core/store.ts'
import { createMemoryStore } from '../../src/store/index.ts'
import { FLEET, NOW } from '../identity/revocations/lib.ts'

export { breakable, FLEET, fleetOf, HOUR, NOW } from '../identity/revocations/lib.ts'

export const NAMES: Names = {
  tools: new Set(['ductape_execute', 'ductape_generate_payload']),
  modules: new Set(['databases', 'secrets']),
}

export const OPS = makePrincipal({ method: 'oauth', id: 'oauth:https://issuer|ops', subject: 'ops' })

export interface World {
  store: Store
  events: string[]
  /** Moves the clock of all. */
  at(time: number): void
  now(): number
  /** `skew`: how far its own clock is ahead, in milliseconds. */
  replica(over?: { store?: Store; fleet?: Fleet; skew?: number }): KillSwitch
}

export function world(): World {
  let time = NOW
  const now = (): number => time
  const store = createMemoryStore({ now })
  const events: string[] = []
  return {
    store,
    events,
    now,
    at: (next) => {
      time = next
    },
    replica: ({ store: other, fleet = FLEET, skew = 0 } = {}) =>
      createKillSwitch({
        store: other ?? store,
        fleet,
        names: NAMES,
        now: () => time + skew,
        onEvent: (name, fields) => events.push(`${name} ${JSON.stringify(fields)}`),
        pollEvery: 2000,
      }),
  }
}

const WHY = 'leaks rows'

export interface Thing {
  kind: string
  value?: string
}

/** Posts and carries out; the denial or the answer. */
export async function post(
  one: KillSwitch,
  body: Json,
  by: Principal = OPS,
): Promise<Denial | { answer: Json }> {
  const request = one.request(body)
  return 'code' in request ? request : request.run(by)
}

async function done(one: KillSwitch, body: Json): Promise<Json> {
  const result = await post(one, body)
  assert.ok('answer' in result, JSON.stringify(result))
  return result.answer
}

export const switchOff = (one: KillSwitch, thing: Thing, until?: number): Promise<Json> =>
  done(one, {
    action: 'off',
    ...thing,
    reason: WHY,
    ...(until !== undefined && { until: new Date(until).toISOString() }),
  })

export const switchOn = (one: KillSwitch, thing: Thing): Promise<Json> =>
  done(one, { action: 'on', ...thing, reason: 'mended' })

const caller = (id: string, tenant: string | undefined): Principal =>
  makePrincipal({ method: 'api-key', id, subject: id, tenant })

/** What of a call is off. */
export const killed = (
  one: KillSwitch,
  { tool = 'ductape_execute', module = 'databases' as string | undefined, id = 'ada', tenant = 'acme' } = {},
): string | undefined => one.killed({ toolName: tool, module, principal: caller(id, tenant) })
