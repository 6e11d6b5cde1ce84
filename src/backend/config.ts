// The config section `backend`: which Ductape backend is asked, how the key travels, and what an answer may cost.
import * as z from 'zod'
import { choice, count, duration, fileReference, kinds, origin, size } from '../config/fields.ts'

const timeout = () => duration({ min: '100ms', max: '30m' })

const methodTimeouts = z.record(
  z.string().regex(/^[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z][A-Za-z0-9_]*)+$/),
  timeout(),
)
kinds.add(methodTimeouts, {
  type: 'map of module.method to duration, 100ms to 30m',
  expects: 'a map of module.method to duration',
  fix: 'Write one method a line, for example: databases.migration.run: "600s".',
})

export const backendSection = z.strictObject({
  url: origin()
    .prefault('https://api.ductape.app')
    .describe('Origin of the Ductape backend; the only one that the service calls'),
  keyPlacement: choice(['header', 'body'])
    .prefault('header')
    .describe('Where the publishable key of a call is carried: in X-Publishable-Key or in the body'),
  timeout: timeout()
    .prefault('30s')
    .describe('Time that one backend call may take from connect to last byte'),
  methodTimeouts: methodTimeouts
    .prefault({})
    .describe('Other times for single methods, over the built-in ones for slow methods'),
  connections: count({ min: 1, max: 4096 })
    .prefault(256)
    .describe(
      'Open connections to the backend at one time; calls beyond wait for a free one, so keep it above the calls in flight',
    ),
  maxAnswer: size({ min: '1KiB', max: '100MiB' })
    .prefault('10MiB')
    .describe('Largest answer read from the backend; a larger one is cut off and becomes an error'),
  ca: fileReference()
    .optional()
    .describe(
      'PEM file with the certificate authorities that may vouch for the backend, in place of the built-in ones',
    ),
})
