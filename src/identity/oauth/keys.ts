// The published keys of one issuer: fetched when needed, kept, and fetched again for a key that is not there yet, but seldom (RFC 7517, RFC 8725 3.8).
import { createPublicKey, type KeyObject } from 'node:crypto'
import jwksRsa from 'jwks-rsa'
import { setBounded } from '../../core/bounded.ts'
import { discoverKeySet, type Fetch, FetchFault, type FetchProblem, fetchKeySet } from './discovery.ts'
import { type Algorithm, fitsAlgorithm, MIN_RSA_BITS } from './signature.ts'

/** Also what a cached token holds on to: it counts only as long as its key is `current`. */
export interface PublishedKey {
  readonly kid: string | undefined
  /** `alg` of the JWK, the only one that the key may be used with. */
  readonly alg: string | undefined
  readonly pem: string
  readonly key: KeyObject
  /** False from the moment that the issuer does not publish the key any more. */
  current: boolean
}

/** `unknown`: the issuer has no such key. A number: the keys cannot be had; milliseconds until it is tried again. */
export type Lookup = PublishedKey | 'unknown' | number

export interface IssuerKeys {
  /** At once where the keys are at hand, else a promise. Never rejects. */
  find(algorithm: Algorithm, kid: string | undefined): Lookup | Promise<Lookup>
  /** Fetches now. Undefined = it worked. Never rejects. */
  refresh(): Promise<FetchProblem | undefined>
  stats(): { keys: number; fetches: number; failures: number }
}

export interface KeyOptions {
  readonly issuer: string
  /** Undefined = from the metadata of the issuer. */
  readonly jwksUri: string | undefined
}

export interface KeyPorts {
  fetch: Fetch
  /** Monotonic milliseconds. */
  tick(): number
  onLoad(keys: number, removed: number): void
  /** `usable`: the keys of an earlier fetch still serve. */
  onFailure(problem: FetchProblem, usable: boolean): void
}

/** Milliseconds. */
export const KEY_TIMES = {
  /** So long a fetched set is taken as it is. */
  fresh: 600_000,
  /** So long it serves while the issuer cannot be reached. */
  stale: 3_600_000,
  /** Between two fetches that only an unknown key asked for: else every bad token would cause one. */
  cooldown: 30_000,
  /** So long a key that was not found is not looked for again. */
  unknown: 60_000,
  /** Between two tries while the issuer cannot be reached. */
  retry: 10_000,
} as const

const MAX_UNKNOWN = 1000

export function createIssuerKeys({ issuer, jwksUri }: KeyOptions, ports: KeyPorts): IssuerKeys {
  const { fetch, tick } = ports
  let keys: readonly PublishedKey[] = []
  let loadedAt = Number.NEGATIVE_INFINITY
  let failedAt = Number.NEGATIVE_INFINITY
  let searchedAt = Number.NEGATIVE_INFINITY
  let underWay: Promise<FetchProblem | undefined> | undefined
  let fetches = 0
  let failures = 0
  /** Algorithm and key id to the time when the issuer was seen not to have it. */
  const unknown = new Map<string, number>()

  async function load(): Promise<void> {
    const uri = jwksUri ?? (await discoverKeySet(fetch, issuer))
    const client = jwksRsa({
      jwksUri: uri,
      cache: false,
      fetcher: async (url) => ({ keys: await fetchKeySet(fetch, url, issuer) }),
    })
    let published: Awaited<ReturnType<typeof client.getSigningKeys>> = []
    try {
      published = await client.getSigningKeys()
    } catch (error) {
      // Its own errors say that the set holds no key to verify with. That is an answer: an issuer may take all keys back.
      if (!(error instanceof jwksRsa.JwksError)) throw error
    }
    replace(published.map(({ kid, alg, getPublicKey }) => keep(kid, alg, getPublicKey())).filter(isStrong))
  }

  /** The same object as before where the issuer still publishes the key. */
  const keep = (kid: string | undefined, alg: string | undefined, pem: string): PublishedKey =>
    keys.find((key) => key.pem === pem && key.kid === kid && key.alg === alg) ?? {
      kid,
      alg,
      pem,
      key: createPublicKey(pem),
      current: true,
    }

  function replace(next: readonly PublishedKey[]): void {
    let removed = 0
    for (const key of keys) {
      if (next.includes(key)) continue
      key.current = false
      removed++
    }
    keys = next
    ports.onLoad(next.length, removed)
  }

  /** All who wait share one fetch. */
  function refresh(): Promise<FetchProblem | undefined> {
    underWay ??= load()
      .then(
        () => {
          loadedAt = tick()
          return undefined
        },
        (error: unknown) => {
          failedAt = tick()
          failures++
          const problem = error instanceof FetchFault ? error.problem : 'not_a_key_set'
          ports.onFailure(problem, isUsable())
          return problem
        },
      )
      .finally(() => {
        fetches++
        underWay = undefined
      })
    return underWay
  }

  const isUsable = (): boolean => tick() - loadedAt < KEY_TIMES.stale

  function pick(algorithm: Algorithm, kid: string | undefined): PublishedKey | undefined {
    let found: PublishedKey | undefined
    for (const key of keys) {
      if (kid !== undefined && key.kid !== kid) continue
      if ((key.alg !== undefined && key.alg !== algorithm) || !fitsAlgorithm(key.key, algorithm)) continue
      if (kid !== undefined) return key
      // Without an id only a single fitting key is an answer: trying them all is work that the sender would choose.
      if (found !== undefined) return undefined
      found = key
    }
    return found
  }

  function maySearch(name: string): boolean {
    const now = tick()
    if (now - searchedAt < KEY_TIMES.cooldown) return false
    const seen = unknown.get(name)
    return seen === undefined || now - seen >= KEY_TIMES.unknown
  }

  async function findAfterFetch(
    algorithm: Algorithm,
    kid: string | undefined,
    fetching: Promise<FetchProblem | undefined>,
  ): Promise<Lookup> {
    return settle(algorithm, kid, (await fetching) === undefined)
  }

  function settle(algorithm: Algorithm, kid: string | undefined, fetched: boolean): Lookup {
    const found = isUsable() ? pick(algorithm, kid) : undefined
    if (found !== undefined) return found
    // Whether the issuer has the key is not known.
    if (!fetched) return Math.max(1, failedAt + KEY_TIMES.retry - tick())
    setBounded(unknown, `${algorithm} ${kid}`, tick(), MAX_UNKNOWN)
    return 'unknown'
  }

  return {
    refresh,
    find(algorithm, kid) {
      const now = tick()
      if (now - loadedAt < KEY_TIMES.fresh) {
        const found = pick(algorithm, kid)
        if (found !== undefined) return found
        if (underWay !== undefined) return findAfterFetch(algorithm, kid, underWay)
        if (!maySearch(`${algorithm} ${kid}`)) return 'unknown'
        searchedAt = now
        return findAfterFetch(algorithm, kid, refresh())
      }
      if (now - failedAt < KEY_TIMES.retry) return settle(algorithm, kid, false)
      const fetching = refresh()
      // While the issuer is known to be silent, nobody who has a key waits for the next try.
      const found = failedAt > loadedAt && isUsable() ? pick(algorithm, kid) : undefined
      return found ?? findAfterFetch(algorithm, kid, fetching)
    },
    stats: () => ({ keys: keys.length, fetches, failures }),
  }
}

const isStrong = ({ key }: PublishedKey): boolean =>
  key.asymmetricKeyType !== 'rsa' || (key.asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS
