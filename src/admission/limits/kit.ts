// Chooses how limits are counted: in this process with the memory store, else shared through the store.
import { hash } from 'node:crypto'
import type { MeterKit } from './accounts.ts'
import { LeasedRate, LeasedWindow } from './leased.ts'
import { PlacesMeter, RateMeter, WindowMeter } from './meter.ts'
import { LeasedPlaces } from './places.ts'
import { createReplica, type Replica, type ReplicaOptions } from './replica.ts'

export interface Kit {
  readonly kit: MeterKit
  /** Undefined where nothing is shared. */
  readonly replica: Replica | undefined
}

export function createKit(options: ReplicaOptions): Kit {
  if (options.store.kind === 'memory') return { kit: LOCAL, replica: undefined }
  const replica = createReplica(options)
  return {
    kit: {
      rate: (key, rate, tick) => new LeasedRate(replica, key, rate, tick),
      window: (key, budget, tick) => new LeasedWindow(replica, key, budget, tick),
      places: (key, places) => new LeasedPlaces(replica, key, places),
      // Ids are of any length and name people; in the store they are neither.
      key: (kind, id) => `limits:${kind}:${hash('sha256', id, 'base64url').slice(0, 22)}`,
    },
    replica,
  }
}

const LOCAL: MeterKit = {
  rate: (_key, rate) => new RateMeter(rate),
  window: (_key, budget) => new WindowMeter(budget),
  places: (_key, places) => new PlacesMeter(places),
  key: () => '',
}
