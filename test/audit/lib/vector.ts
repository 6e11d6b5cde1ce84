// What a vector is: files, keys and what else a verifier is given, and what it has to say.
import type { Code } from '../../../src/audit/verify/codes.ts'
import { type ChainBuilder, jwks, type TestKey, testKey } from './builder.ts'

export interface VectorFile {
  name: string
  /** UTF-8; a file that is not is given as base64. */
  text?: string
  base64?: string
}

export interface Vector {
  name: string
  files: VectorFile[]
  /** Text of a JWK Set. */
  keys: string
  /** Texts of the files for --witness and --receipts. */
  witness?: string
  receipts?: string
  selfAsserted?: boolean
  /** A time for --from. */
  from?: string
  allReplicas?: boolean
  expect: Good | Bad
}

export interface Good {
  ok: true
  /** Allowed decisions without an outcome, lost records, records at the ends of chains that no checkpoint covers, torn last lines, used approvals that were given elsewhere. */
  unknown?: number
  lost?: number
  uncovered?: number
  torn?: number
  notShown?: number
}

export interface Bad {
  code: Code
  /** Name of the file (`witness` and `receipts` for those) and number of the line, where there is one. */
  file?: string
  line?: number
}

export interface ReceiptVector {
  name: string
  keys: string
  /** Text as it was kept: JSON, or the headers of an answer. */
  receipt: string
  args?: string
  result?: string
  /** Text of the records that it is compared with. */
  records?: string
  selfAsserted?: boolean
  expect: { ok: true } | { code: Code }
}

export const KEY = testKey(1)
export const NEXT_KEY = testKey(2)
export const FOREIGN_KEY = testKey(3)

export const KEYS = jwks(KEY, NEXT_KEY)

export const linesFile = (lines: readonly string[], name = 'audit.jsonl'): VectorFile => ({
  name,
  text: lines.map((line) => `${line}\n`).join(''),
})

export const witnessText = (...chains: readonly ChainBuilder[]): string =>
  chains.flatMap(({ witness }) => witness.map((jws) => `${jws}\n`)).join('')

/** A vector of one file that fails at a line; the key set is the usual one. */
export function bad(
  name: string,
  code: Code,
  lines: readonly string[],
  line: number | undefined,
  more: Partial<Vector> = {},
): Vector {
  return {
    name,
    files: [linesFile(lines)],
    keys: KEYS,
    ...more,
    expect: { code, ...(line !== undefined && { file: 'audit.jsonl', line }) },
  }
}

export const withMore = (
  key: TestKey,
  more: Record<string, unknown>,
): TestKey & { more: Record<string, unknown> } => ({
  ...key,
  more,
})
