// The service with its record lines as they were written, and the checks that hold for every one of them.
import assert from 'node:assert/strict'
import { hash, randomUUIDv7 } from 'node:crypto'
import canonicalize from 'canonicalize'
import { RECORD_SCHEMA } from '../../scripts/generate/records.ts'
import { type RecordLine, startApp, type TestApp, type TestAppOptions } from '../lib/app.ts'
import { misfit } from '../lib/schema.ts'

export interface Recorded extends TestApp {
  /** Of calls: without what belongs to the chain itself. */
  readonly lines: string[]
}

const OF_THE_CHAIN: ReadonlySet<string> = new Set(['open', 'checkpoint', 'close'])

export async function start(options: TestAppOptions = {}): Promise<Recorded> {
  const app = await startApp({ ...options, ports: { newId: randomUUIDv7, ...options.ports } })
  return {
    ...app,
    get lines() {
      return app.chain().filter((line) => !OF_THE_CHAIN.has((JSON.parse(line) as { type: string }).type))
    },
  }
}

type Parsed = RecordLine & { seq: number; who: Record<string, string> }

export const parsed = (lines: readonly string[]): Parsed[] => lines.map((line) => JSON.parse(line) as Parsed)

/** Form and schema: what holds for every line, whatever happened. */
export function checkForm(lines: readonly string[]): void {
  for (const line of lines) {
    const record = JSON.parse(line) as Record<string, unknown>
    assert.equal(canonicalize(record), line, 'RFC 8785: members in order, nothing between them')
    assert.equal(misfit(RECORD_SCHEMA, record), undefined, line)
  }
}

/** The form of all lines, their numbers, their hashes and the links between them. */
export function checkChain(lines: readonly string[]): void {
  checkForm(lines)
  let before: unknown
  for (const [i, line] of lines.entries()) {
    const { hash: own, ...record } = JSON.parse(line) as Record<string, unknown>
    assert.equal(hash('sha256', canonicalize(record) as string, 'base64url'), own)
    assert.equal(record['prev'], before)
    assert.equal(record['seq'], i)
    before = own
  }
}
