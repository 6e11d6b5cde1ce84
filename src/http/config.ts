// The config section `http`: limits and deadlines of the main listener, and who may call it from a browser.
import * as z from 'zod'
import { count, duration, hostName, list, origin, size } from '../config/fields.ts'

export const httpSection = z.strictObject({
  allowedHosts: list(hostName(), 'hosts', 64)
    .prefault([])
    .describe('Host header values accepted besides the listener itself and the host of publicUrl'),
  allowedOrigins: list(origin(), 'origins', 64)
    .prefault([])
    .describe('Browser origins that may call the service (CORS); with none, CORS is off'),
  maxBody: size({ min: '1KiB', max: '64MiB' })
    .prefault('1MiB')
    .describe('Largest request body; a larger one is refused with 413 while it is still being read'),
  headersTimeout: duration({ min: '100ms', max: '5m' })
    .prefault('10s')
    .describe('Time a client has to send its whole request head'),
  bodyTimeout: duration({ min: '100ms', max: '10m' })
    .prefault('30s')
    .describe('Time a client has to send its whole request body'),
  idleTimeout: duration({ min: '1s', max: '1h' })
    .prefault('75s')
    .describe(
      'Time an idle keep-alive connection is held; keep it above the idle time of the proxy in front',
    ),
  maxConnections: count({ min: 1, max: 65_535 })
    .prefault(1024)
    .describe('Open connections at one time; further ones are closed at once'),
  drainTimeout: duration({ min: '0s', max: '10m' })
    .prefault('25s')
    .describe(
      'Time that calls in flight have to finish after SIGTERM; keep it below the grace period of the pod',
    ),
  peerRate: z
    .strictObject({
      perMinute: count({ min: 1, max: 10_000_000 }).prefault(6000).describe('Requests a minute of one peer'),
      burst: count({ min: 1, max: 1_000_000 })
        .prefault(1000)
        .describe('Requests of one peer that may come at once'),
    })
    .prefault({})
    .describe('Rate of one peer before anybody is identified: it protects the process, not the backend'),
  keepAliveInterval: duration({ min: '1s', max: '5m' })
    .prefault('15s')
    .describe('Interval of the comment lines that keep a streamed answer open'),
})
