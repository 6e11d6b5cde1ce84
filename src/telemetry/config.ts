// The config section `telemetry`: the log. Traces follow the standard OTEL_* variables and have no key here.
import * as z from 'zod'
import { choice } from '../config/fields.ts'

export const telemetrySection = z.strictObject({
  log: z
    .strictObject({
      level: choice(['debug', 'info', 'warn', 'error'])
        .prefault('info')
        .describe('Least severe level that is written to stderr'),
    })
    .prefault({})
    .describe('The operational log on stderr'),
})
