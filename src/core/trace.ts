// W3C Trace Context from the caller: taken only in its exact form, since it goes on to the backend, to spans and to records.
import type { Call } from './call.ts'

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/
const TRACESTATE = /^[\x20-\x7e]{1,512}$/

/** Sets the trace context of a call; a traceparent that is not of version 00 with ids other than zero is dropped (W3C Trace Context 3.2). */
export function takeTrace(call: Call, traceparent: string | undefined, tracestate: string | undefined): void {
  if (traceparent === undefined || !TRACEPARENT.test(traceparent)) return
  // The headers are read first.
  if (call.traceparent !== traceparent) call.ambientTrace = call.traceparent
  call.traceparent = traceparent
  call.tracestate = tracestate !== undefined && TRACESTATE.test(tracestate) ? tracestate : undefined
}

export const traceIdOf = (call: Call): string | undefined => call.traceparent?.slice(3, 35)
