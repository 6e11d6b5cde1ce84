// Tells people that a call waits for them, or was made: one signed POST in the form of Standard Webhooks, three tries, and never an argument of the call.
import { type Risk, riskText } from './risk.ts'

export interface Notice {
  /** `approval.asked` waits for a decision; `approval.notified` was let through and only told. */
  readonly type: 'approval.asked' | 'approval.notified'
  /** Of the approval, or of the call. */
  readonly id: string
  /** Page on which it can be decided. */
  readonly url: string | undefined
  readonly risks: readonly Risk[]
  readonly expiresAt: number | undefined
}

export interface NotifierPorts {
  /** Sends one POST and gives the status of its answer; rejects where there was none. */
  send(headers: readonly string[], body: string): Promise<number>
  /** Ed25519 over the text, base64. */
  sign(text: string): Promise<string>
  /** Milliseconds since the epoch. */
  now(): number
  /** Resolves after so many milliseconds. */
  wait(ms: number): Promise<void>
  onEvent(name: string, fields: Record<string, string | number>): void
}

export interface NotifierStats {
  readonly sent: number
  /** Not taken after all tries. */
  readonly failed: number
  /** Not tried, because too many were under way. */
  readonly dropped: number
}

export interface Notifier {
  /** Returns at once; a call never waits for it, nor fails with it. */
  tell(notice: Notice): void
  /** Resolves when none is under way. */
  settled(): Promise<void>
  stats(): NotifierStats
  close(): void
}

/** Before the second and the third try, in milliseconds. */
export const PAUSES = [1000, 5000] as const
const MAX_UNDER_WAY = 100

export function createNotifier({ send, sign, now, wait, onEvent }: NotifierPorts): Notifier {
  const underWay = new Set<Promise<void>>()
  let sent = 0
  let failed = 0
  let dropped = 0
  let closed = false

  async function attempt(id: string, body: string): Promise<string | undefined> {
    try {
      // The receiver refuses what is old, so that a copy cannot be sent again: each try has its own time.
      const timestamp = String(Math.floor(now() / 1000))
      const signature = await sign(`${id}.${timestamp}.${body}`)
      const status = await send(
        [
          'content-type',
          'application/json',
          'webhook-id',
          id,
          'webhook-timestamp',
          timestamp,
          'webhook-signature',
          `v1a,${signature}`,
        ],
        body,
      )
      return status >= 200 && status < 300 ? undefined : `status ${status}`
    } catch (error) {
      return error instanceof Error && 'code' in error ? String(error.code) : 'no answer'
    }
  }

  async function deliver(notice: Notice): Promise<void> {
    const body = JSON.stringify(bodyOf(notice, now()))
    const id = `msg_${notice.id}`
    let fault = await attempt(id, body)
    for (const pause of PAUSES) {
      if (fault === undefined || closed) break
      await wait(pause)
      if (!closed) fault = await attempt(id, body)
    }
    if (fault === undefined) {
      sent++
      return
    }
    failed++
    onEvent('notification_failed', { id: notice.id, reason: fault })
  }

  return {
    tell(notice) {
      if (closed || underWay.size >= MAX_UNDER_WAY) {
        dropped++
        return
      }
      const delivery = deliver(notice).finally(() => underWay.delete(delivery))
      underWay.add(delivery)
    },
    async settled() {
      while (underWay.size > 0) await Promise.all(underWay)
    },
    stats: () => ({ sent, failed, dropped }),
    close() {
      closed = true
    },
  }
}

/** `text` is what Slack shows, and what a flow of Teams is given to show. */
const bodyOf = ({ type, id, url, risks, expiresAt }: Notice, time: number): object => ({
  type,
  timestamp: new Date(time).toISOString(),
  data: {
    id,
    risk: risks,
    ...(url !== undefined && { url }),
    ...(expiresAt !== undefined && { expiresAt: new Date(expiresAt).toISOString() }),
  },
  text:
    type === 'approval.asked'
      ? `A call waits for approval. ${riskText(risks)}. ${url ?? ''} (until ${new Date(expiresAt ?? time).toISOString()})`
      : `A call was made that a rule wants to be told of. ${riskText(risks)}. Call ${id}`,
})
