// The service with an emulator whose clock and randomness stand still, and what of each call reached the backend.
import type { Observed } from '../../../src/emulator/index.ts'
import { countedRandom } from '../../emulator/helper.ts'
import { startApp, type TestApp, type TestAppOptions } from '../../lib/app.ts'

export interface Wire extends TestApp {
  /** Requests that the backend has seen, oldest first. */
  seen: Observed[]
  /** The newest one, its body parsed. */
  last(): Observed & { json: Record<string, unknown> }
}

const NOON = Date.parse('2026-02-01T12:00:00.000Z')

export async function startWire(config: TestAppOptions['config'] = {}): Promise<Wire> {
  const seen: Observed[] = []
  const app = await startApp({
    config,
    emulator: { now: () => NOON, random: countedRandom(), observe: (request) => seen.push(request) },
  })
  return {
    ...app,
    seen,
    last() {
      const request = seen.at(-1)
      if (request === undefined) throw new Error('nothing was sent to the backend')
      return { ...request, json: JSON.parse(request.body) as Record<string, unknown> }
    },
  }
}
