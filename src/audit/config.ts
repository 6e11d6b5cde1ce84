// The config section `audit`: where the two records of each call go and how many may wait.
import * as z from 'zod'
import { fileReference, kinds, size } from '../config/fields.ts'

const sink = z.union([z.literal('stdout'), fileReference()])
kinds.add(sink, {
  type: 'stdout, or { file: path }',
  expects: 'stdout or a file',
  fix: 'Write stdout, or { file: "/var/log/ductape-mcp/audit.jsonl" }.',
})

export const auditSection = z.strictObject({
  sink: sink.prefault('stdout').describe('Where audit records are written, one JSON object a line'),
  maxQueue: size({ min: '64KiB', max: '1GiB' })
    .prefault('8MiB')
    .describe('Bytes of records that may wait for a slow sink'),
})
