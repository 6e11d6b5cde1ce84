// The load generator: its own process, N keep-alive connections with one call in flight each. Its parent sends a `Load`,
// hears `opened`, reads the server's accounting, sends `go` and gets a `Loaded` when the last answer is in.
import {
  type Encoded,
  type Era,
  encode,
  encodeDirect,
  firstId,
  type Kind,
  mixed,
  reference,
} from './calls.ts'
import { type Connection, connect } from './socket.ts'
import { percentile, seeded, weighted } from './stats.ts'

export type Load = {
  readonly port: number
  readonly connections: number
  /** `direct` calls the backend itself; `mixed` draws kinds and eras from the seed. */
  readonly calls: Era | 'direct' | 'mixed'
  readonly until: { readonly seconds: number } | { readonly calls: number }
  /** Calls per second, due whether or not answers come; without it every connection asks again at once. */
  readonly rate?: number
  readonly seed?: number
  /** Value of the Authorization header. */
  readonly authorization?: string
}

export type Loaded = {
  readonly calls: number
  readonly wrong: number
  readonly firstWrong?: string
  readonly seconds: number
  /** CPU of this process in microseconds. */
  readonly cpu: number
  /** Milliseconds from the moment that a call was due to its answer; with a rate only. */
  readonly latency?: { readonly p50: number; readonly p99: number; readonly max: number }
  /** The latest that a timer of this process woke, in milliseconds: its own share in the tail. */
  readonly lateness?: number
}

type Slot = { connection: Connection; kind: Kind; encoded: Encoded; since: number; id: number }

function describe(kind: Kind, result: { status: number; body: Buffer } | Error): string {
  if (result instanceof Error) return `${kind.name}: ${result.message}`
  return `${kind.name}: ${result.status} ${result.body.toString('utf8', 0, 300)}`
}

async function open(load: Load, onAnswer: (slot: Slot, result: unknown) => void): Promise<Slot[]> {
  const slots: Slot[] = []
  for (let i = 0; i < load.connections; i++) {
    await new Promise<void>((resolve, reject) => {
      const encoded = { bytes: Buffer.alloc(0), idAt: -1 }
      const connection = connect(
        load.port,
        (error) => (error ? reject(error) : resolve()),
        (result) => onAnswer(slot, result),
      )
      const slot: Slot = { connection, kind: reference, encoded, since: 0, id: firstId }
      slots.push(slot)
    })
  }
  return slots
}

/** Writes the id's seven digits in place: building each request anew would cost as much as sending it. */
function number(encoded: Encoded, id: number): void {
  if (encoded.idAt >= 0) encoded.bytes.write(String(id), encoded.idAt, 'latin1')
}

async function run(load: Load, go: Promise<void>): Promise<Loaded> {
  const kinds = load.calls === 'mixed' ? mixed : [reference]
  const eras: Era[] =
    load.calls === 'mixed' ? ['legacy', 'modern'] : [load.calls === 'modern' ? 'modern' : 'legacy']
  const templates = kinds.map((kind) =>
    eras.map((era) =>
      load.calls === 'direct' ? encodeDirect(load.port) : encode(kind, era, load.port, load.authorization),
    ),
  )
  const weights = kinds.map((kind) => kind.weight)
  const random = seeded(load.seed ?? 1)
  const count = 'calls' in load.until ? load.until.calls : Number.POSITIVE_INFINITY
  const seconds = 'seconds' in load.until ? load.until.seconds : Number.POSITIVE_INFINITY

  let sent = 0
  let answered = 0
  let wrong = 0
  let firstWrong: string | undefined
  let over = false
  let started = 0
  let finish = () => {}
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  const idle: Slot[] = []
  const due: number[] = []
  const latencies: number[] = []
  const paced = load.rate !== undefined

  const send = (slot: Slot, since: number) => {
    const which = kinds.length === 1 ? 0 : weighted(weights, random())
    const era = eras.length === 1 ? 0 : Number(random() < 0.5)
    slot.kind = kinds[which] ?? reference
    const template = templates[which]?.[era] ?? slot.encoded
    slot.id = firstId + (sent % 8_999_999)
    slot.since = since
    sent += 1
    number(template, slot.id)
    // A copy, since the kernel may take the bytes only after the next call has written its id over them.
    const bytes = Buffer.from(template.bytes)
    if (slot.kind.hangUp) slot.connection.sendAndLeave(bytes)
    else slot.connection.send(bytes)
  }

  const slots = await open(load, (slot, result) => {
    answered += 1
    if (paced) latencies.push(performance.now() - slot.since)
    if (result !== undefined) {
      const answer = result as { status: number; body: Buffer } | Error
      if (answer instanceof Error || !slot.kind.right(answer)) {
        wrong += 1
        firstWrong ??= describe(slot.kind, answer)
      }
    }
    // With a rate the timer alone decides: it still owes the calls of the last ticks.
    if (!paced) over ||= sent >= count || performance.now() - started >= seconds * 1000
    const next = due.shift()
    if (next !== undefined) send(slot, next)
    else if (paced || over) idle.push(slot)
    else send(slot, 0)
    if (over && answered === sent) finish()
  })

  process.send?.({ opened: slots.length })
  await go
  const cpu = process.cpuUsage()
  started = performance.now()
  let lateness = 0
  if (load.rate === undefined) {
    for (const slot of slots) if (sent < count) send(slot, 0)
  } else {
    const rate = load.rate
    const total = Math.floor(Math.min(count, rate * seconds))
    idle.push(...slots)
    let issued = 0
    let woken = started
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        const now = performance.now()
        lateness = Math.max(lateness, now - woken - 1)
        woken = now
        const target = Math.min(total, Math.floor(((now - started) / 1000) * rate))
        for (; issued < target; issued++) {
          // In turn, so that no connection idles until the server's keep-alive timer closes it.
          const slot = idle.shift()
          if (slot) send(slot, now)
          else due.push(now)
        }
        if (issued < total) return
        clearInterval(timer)
        over = true
        resolve()
      }, 1)
    })
    if (answered === sent && due.length === 0) finish()
  }
  await finished
  const elapsed = (performance.now() - started) / 1000
  const used = process.cpuUsage(cpu)
  for (const slot of slots) slot.connection.close()
  latencies.sort((a, b) => a - b)
  return {
    calls: answered,
    wrong,
    ...(firstWrong === undefined ? {} : { firstWrong }),
    seconds: elapsed,
    cpu: used.user + used.system,
    ...(paced
      ? {
          latency: {
            p50: percentile(latencies, 50),
            p99: percentile(latencies, 99),
            max: latencies[latencies.length - 1] ?? Number.NaN,
          },
          lateness,
        }
      : {}),
  }
}

let go = () => {}
process.on('message', (message: { load: Load } | { go: true }) => {
  if ('go' in message) return go()
  const started = new Promise<void>((resolve) => {
    go = resolve
  })
  run(message.load, started).then(
    (loaded) => process.send?.({ loaded }),
    (error: Error) => process.send?.({ failed: error.message }),
  )
})
process.on('disconnect', () => process.exit(0))
