// Plants secrets and personal data in calls that wait for a person, in the reasons of people, in orders of the kill switch and in answers that are kept, and gathers what leaves the process meanwhile: store, notifications, records, receipts, log.
import { randomUUID } from 'node:crypto'
import type { Store } from '../../../src/core/store.ts'
import { createMemoryStore } from '../../../src/store/index.ts'
import { type People, startPeople } from '../../approvals-surface/lib/people.ts'
import { asPerson, insertOf, startSurface } from '../../approvals-surface/lib/service.ts'
import {
  type Answer,
  bearer,
  call,
  keyOf,
  type Secured,
  send,
  WAYS,
  type Way,
} from '../../live/lib/secured.ts'
import { findSecrets } from './canary.ts'
import { PLANTED as ALL } from './canary-evidence.ts'
import { makeKey, type Planted } from './canary-requests.ts'

/** Each kind of text four times. */
export const PLANTED = ALL.slice(0, 64)
const looksLikeKey = ({ key }: Planted): boolean => /^(?:ghp_|sk_|eyJ)/.test(key)
const WHY = ALL.slice(64, 96)
/** Why something was switched off: for people, so the log has it (docs/operate/kill-switch.md), and nothing else. */
export const REASONS = WHY.filter((one) => !looksLikeKey(one))
/** What looks like a key was pasted in the wrong place, and is not in the log either. */
export const PASTED: readonly Planted[] = [
  ...WHY.filter(looksLikeKey),
  ...Array.from({ length: 12 }, (_, n) => ({
    place: `pasted as reason ${n}`,
    key: n % 2 === 0 ? makeKey() : keyOf(`pasted ${n}`),
  })),
]

export interface KeptCanary {
  /** Characters of each that were searched. */
  searched: Record<string, number>
  /** How many of the texts an approver saw, a caller was told as a reason, and a repetition got: what is not there is easily not found. */
  shown: number
  reasons: number
  repeated: number
  /** Reasons of the kill switch that the log has. */
  logged: number
  /** Orders of the kill switch that were carried out. */
  orders: number
  problems: string[]
}

export async function runKeptCanary(): Promise<KeptCanary> {
  const people = await startPeople()
  const stored: string[] = []
  const told: string[] = []
  const service = await startSurface(people, {
    // What the first answer of a repeated call is kept of is no matter of people.
    callers: {
      keyed: { roles: ['keyed'], scopes: ['ductape:read', 'ductape:write'] },
      operator: { scopes: ['ductape:admin'] },
    },
    live: {
      // Everything has to travel all the way, so that it could be kept.
      'scan.yaml': { version: 1, secret: 'off' },
      'policy.yaml': {
        roles: {
          all: { allow: [{ tool: '*', approval: 'confirm' }] },
          keyed: { allow: [{ tool: '*', approval: 'notify' }] },
        },
      },
    },
    app: {
      ports: {
        store: observed(createMemoryStore({ now: Date.now }), stored),
        notify: {
          send: async (headers, body) => {
            told.push(headers.join('\n'), body)
            return 200
          },
          sign: async () => 'signature',
        },
      },
    },
  })
  const token = await people.tokenOf('grace')
  const seen = { shown: [] as string[], reasons: [] as string[], repeated: [] as string[] }
  const receipts: string[] = []
  try {
    for (const [n, { key }] of PLANTED.entries()) {
      const way = WAYS[n % WAYS.length] as Way
      const data = { note: key, [key]: 1, deep: [{ password: key }] }
      const ask = async (who: string, headers: Record<string, string> = {}): Promise<Answer> => {
        const answer = await call(service, way, {
          headers: { ...bearer(who), ...headers },
          args: insertOf(data),
        })
        receipts.push(...receiptsIn(answer))
        return answer
      }
      const id = /approvals#([\w-]+)/.exec((await ask('agent')).text)?.[1] ?? ''
      seen.shown.push((await asPerson(service, people, `/v1/approvals/${id}`, { token })).text)
      await decide(service, people, token, id, n % 2 === 0 ? 'approve' : 'deny', key)
      const after = await ask('agent')
      if (n % 2 === 1) seen.reasons.push(after.text)
      const same = { 'idempotency-key': randomUUID() }
      service.emulator?.faults.next({ kind: 'result', value: { [key]: key, list: [key] } })
      await ask('keyed', same)
      seen.repeated.push((await ask('keyed', same)).text)
      // A key that is a secret itself.
      await ask('keyed', { 'idempotency-key': encodeURIComponent(key) })
    }
    let orders = 0
    for (const [n, { key: reason }] of [...REASONS, ...PASTED].entries())
      for (const action of ['off', 'on']) {
        const body = JSON.stringify({ action, kind: 'tenant', value: `nobody-${n}`, reason })
        const { status } = await send(service, { path: '/v1/admin/kill', headers: bearer('operator'), body })
        if (status === 200) orders++
      }
    const all = [...PLANTED, ...REASONS, ...PASTED]
    const evidence = {
      store: stored.join('\n'),
      notifications: told.join('\n'),
      records: service.chain().join('\n'),
      receipts: receipts.join('\n'),
      log: service.log().join('\n'),
    }
    const count = (texts: readonly string[]): number => findSecrets(texts.join('\n'), PLANTED).length
    return {
      searched: Object.fromEntries(Object.entries(evidence).map(([name, text]) => [name, text.length])),
      shown: count(seen.shown),
      reasons: count(seen.reasons),
      repeated: count(seen.repeated),
      logged: findSecrets(evidence.log, REASONS).length,
      orders,
      problems: Object.entries(evidence).flatMap(([name, text]) =>
        findSecrets(text, name === 'log' ? [...PLANTED, ...PASTED] : all).map(
          ({ key, place }) => `${name}: ${place}, ${key}`,
        ),
      ),
    }
  } finally {
    await service.close()
    await people.close()
  }
}

const decide = (
  service: Secured,
  people: People,
  token: string,
  id: string,
  decision: string,
  reason: string,
): Promise<Answer> =>
  asPerson(service, people, `/v1/approvals/${id}`, { method: 'POST', token, body: { decision, reason } })

function receiptsIn({ body, headers }: Answer): string[] {
  const meta = (body['result'] as { _meta?: Record<string, unknown> } | undefined)?._meta
  const sent = headers['ductape-receipt']
  return [
    ...(meta === undefined ? [] : [JSON.stringify(meta['app.ductape/receipt'])]),
    ...(typeof sent === 'string' ? [Buffer.from(sent, 'base64url').toString()] : []),
  ]
}

/** Everything that is handed to the store: names, values and messages. */
function observed(store: Store, texts: string[]): Store {
  return new Proxy(store, {
    get(target, name) {
      const member = target[name as keyof Store] as unknown
      if (typeof member !== 'function') return member
      return (...args: unknown[]) => {
        for (const arg of args) if (typeof arg === 'string') texts.push(arg)
        return (member as (...given: unknown[]) => unknown).apply(target, args)
      }
    },
  })
}
