// An OTLP/HTTP receiver for tests: keeps the bodies as they came, and the spans of the JSON ones in a plain form.
import { createServer } from 'node:http'
import { listenLocal } from './ports.ts'

export interface Span {
  name: string
  /** 2 = SERVER, 3 = CLIENT. */
  kind: number
  traceId: string
  spanId: string
  parentSpanId?: string
  status: { code?: number; message?: string }
  startTimeUnixNano: string
  endTimeUnixNano: string
  /** Values as text; lists are joined by commas. */
  attributes: Record<string, string>
  events: { name: string; timeUnixNano: string; attributes: unknown[] }[]
  links: { traceId: string; spanId: string; attributes: unknown[] }[]
}

interface Value {
  arrayValue?: { values: Record<string, unknown>[] }
}

interface OtlpSpan extends Omit<Span, 'attributes'> {
  attributes: { key: string; value: Value }[]
}

export interface OtlpSink {
  url: string
  requests: { path: string; text: string }[]
  spans: Span[]
  /** Resolves with the first span that fits, when it is there. */
  find(fits: (span: Span) => boolean): Promise<Span>
  close(): void
}

export async function openOtlpSink(): Promise<OtlpSink> {
  const requests: OtlpSink['requests'] = []
  const spans: Span[] = []
  let waiting: (() => void)[] = []
  const server = createServer(async (message, response) => {
    const text = Buffer.concat(await message.toArray()).toString()
    requests.push({ path: message.url ?? '', text })
    const { resourceSpans } = JSON.parse(text) as {
      resourceSpans: { scopeSpans: { spans: OtlpSpan[] }[] }[]
    }
    for (const span of resourceSpans.flatMap((item) => item.scopeSpans.flatMap((scope) => scope.spans)))
      spans.push({ ...span, attributes: Object.fromEntries(span.attributes.map(textOf)) })
    response.end('{}')
    const woken = waiting
    waiting = []
    for (const wake of woken) wake()
  })
  const port = await listenLocal(server)
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    spans,
    async find(fits) {
      for (;;) {
        const found = spans.find(fits)
        if (found !== undefined) return found
        await new Promise<void>((done) => waiting.push(done))
      }
    },
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

const textOf = ({ key, value }: OtlpSpan['attributes'][number]): [string, string] => [
  key,
  value.arrayValue === undefined
    ? String(Object.values(value)[0])
    : value.arrayValue.values.map((item) => String(Object.values(item)[0])).join(),
]
