// The denials table: closed, consistent, and documented both ways.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ERRORS_PATH } from '../../scripts/generate/errors.ts'
import { readCommitted } from '../../scripts/generate.ts'
import { readSources } from '../../scripts/lib/sources.ts'
import {
  DENIALS,
  type DenialCode,
  type DenialRow,
  denialSentence,
  denialText,
  deny,
} from '../../src/core/denials.ts'
import { STAGES } from '../../src/pipeline.ts'

const rows = Object.entries(DENIALS) as [DenialCode, DenialRow][]
/** Codes that JSON-RPC 2.0 and the protocol give; all others are ours. */
const STANDARD = new Set([-32700, -32600, -32601, -32602, -32603, -32020, -32021, -32022])

const APPROVER: ReadonlySet<string> = new Set(['approval_unknown', 'approval_decided', 'approver_refused'])

describe('denials', () => {
  test('own JSON-RPC codes start at -31000, lie outside the reserved range and are unique', () => {
    const own = rows.filter(([, row]) => !STANDARD.has(row.rpc))
    const seen = new Map<number, string>()
    for (const [code, { rpc }] of own) {
      assert.ok(rpc <= -31_000 && rpc > -32_000, `${code}: ${rpc}`)
      assert.equal(seen.get(rpc), undefined, `${code} and ${seen.get(rpc)} share ${rpc}`)
      seen.set(rpc, code)
    }
  })

  test('the form follows from the stage', () => {
    for (const [code, { stage, form }] of rows) {
      if (code === 'internal_error') assert.equal(form, 'http')
      else if (stage === 'transport' || stage === 'identity') assert.equal(form, 'http', code)
      // An insufficient scope is an answer of HTTP (RFC 6750 3.1), wherever it is found out.
      else if (code === 'scope_insufficient') assert.equal(form, 'http', code)
      // What a person is told who decides over REST.
      else if (APPROVER.has(code)) assert.equal(form, 'http', code)
      else if (stage === 'protocol') assert.ok(form === 'http' || form === 'error', code)
      else if (stage === 'resolve') assert.equal(form, 'error', code)
      else assert.equal(form, 'result', code)
    }
  })

  test('an error under HTTP 200 has a code of JSON-RPC', () => {
    for (const [code, { form, rpc }] of rows) if (form === 'error') assert.equal(rpc, -32_602, code)
  })

  test('statuses are those of refusals, codes are words, sentences are sentences', () => {
    for (const [code, row] of rows) {
      assert.match(code, /^[a-z]+(_[a-z]+)+$|^draining$|^cancelled$|^killed$/)
      assert.ok(row.status >= 400 && row.status <= 599, code)
      assert.ok(row.text === '{detail}' || /^[A-Z].*[.:}]$|\{detail\}/.test(row.text), `${code}: ${row.text}`)
      assert.match(row.remedy, /^[A-Z].*\.$|\}\}\.$|^Send \{/, `${code}: ${row.remedy}`)
      assert.ok(!row.text.includes('|') && !row.text.includes('\n'))
    }
  })

  test('what may have taken effect is never called retryable', () => {
    for (const [code, row] of rows)
      if (/may have taken effect|took effect/.test(row.text)) assert.equal(row.retryable, false, code)
  })

  test('a detail is put in as it is, whatever it looks like', () => {
    for (const detail of ['$&', '$1', '{detail}', '', '`a`'])
      assert.equal(
        denialSentence(deny('argument_unknown', detail)),
        `This tool has no argument named ${detail}.`,
      )
    assert.equal(
      denialText(deny('argument_missing', '`a`')),
      '[argument_missing] The argument `a` is required.',
    )
    assert.ok(!denialText(deny('not_authenticated')).includes('['))
  })

  test('every stage of a denial is a stage of the pipeline', () => {
    // `record` is the runner itself.
    const stages = new Set<string>(['record', ...STAGES.map((row) => row.name)])
    for (const [code, { stage }] of rows) assert.ok(stages.has(stage), `${code}: ${stage}`)
  })

  test('every code is used', () => {
    const source = [...readSources()]
      .filter(([path]) => path.startsWith('src/') && path !== 'src/core/denials.ts')
      .map(([, text]) => text)
      .join('\n')
    for (const [code] of rows)
      assert.ok(new RegExp(`['"\`]${code}['"\`]`).test(source), `${code} is used nowhere`)
  })

  test('the page and the table name the same codes', () => {
    const page = readCommitted(ERRORS_PATH) ?? ''
    const documented = [...page.matchAll(/^\| `([a-z_]+)` \|/gm)].map((match) => match[1])
    assert.deepEqual([...documented].sort(), rows.map(([code]) => code).sort())
    for (const [code, { status, remedy }] of rows) {
      const line = page.split('\n').find((item) => item.startsWith(`| \`${code}\` |`)) ?? ''
      assert.ok(line.includes(`| ${status} |`), code)
      assert.ok(line.includes(remedy.replaceAll('|', '\\|')), code)
    }
  })

  test('other pages name only codes that exist', () => {
    for (const page of ['README.md', 'SECURITY.md', 'docs/architecture.md'])
      for (const [, code = ''] of (readCommitted(page) ?? '').matchAll(
        /`([a-z]+_(?:unknown|invalid|missing|malformed|unsupported|refused|failed|timeout|unreachable|interrupted))`/g,
      ))
        assert.ok(Object.hasOwn(DENIALS, code), `${page} names ${code}`)
  })
})
