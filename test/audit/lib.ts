// The service with its record lines as they were written, and the checks that hold for every one of them.
import assert from 'node:assert/strict'
import { randomUUIDv7 } from 'node:crypto'
import canonicalize from 'canonicalize'
import { RECORD_SCHEMA } from '../../scripts/generate/records.ts'
import { type RecordLine, startApp, type TestApp, type TestAppOptions } from '../lib/app.ts'
import { misfit } from '../lib/schema.ts'

export interface Recorded extends TestApp {
  lines: string[]
}

export async function start(options: TestAppOptions = {}): Promise<Recorded> {
  const lines: string[] = []
  const app = await startApp({
    ...options,
    ports: {
      newId: randomUUIDv7,
      records: {
        write: (line) => lines.push(line) > 0,
        flush: async () => undefined,
        stats: () => ({ written: lines.length, lost: 0, pendingBytes: 0 }),
      },
    },
  })
  return { ...app, lines }
}

export const parsed = (
  lines: readonly string[],
): (RecordLine & { seq: number; who: Record<string, string> })[] =>
  lines.map((line) => JSON.parse(line) as RecordLine & { seq: number; who: Record<string, string> })

/** Form, schema, numbering: what holds for every line, whatever happened. */
export function checkForm(lines: readonly string[], first = 0): void {
  for (const [i, line] of lines.entries()) {
    const record = JSON.parse(line) as Record<string, unknown>
    assert.equal(canonicalize(record), line, 'RFC 8785: members in order, nothing between them')
    assert.equal(misfit(RECORD_SCHEMA, record), undefined, line)
    assert.equal(record['seq'], first + i)
  }
}
