// A verification goes on from a saved state as if it had not been interrupted, and refuses a state that is not of these files and inputs.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Report, StateError, verify } from '../../../src/audit/verify/index.ts'
import { approvalChain } from '../lib/approvals.ts'
import { ChainBuilder, claimsOf, jcs, jwks, receiptsOf } from '../lib/builder.ts'
import { lossyChain, restartChains } from '../lib/good.ts'
import { KEY, KEYS, linesFile, type VectorFile, witnessText } from '../lib/vector.ts'
import { given, sourceOf, trustOf } from './judge.ts'

/** Two starts and a chain that lost records, cut into five files in the middle of calls; receipts of calls on both sides of a cut. */
function material() {
  const [first, second] = restartChains() as [ChainBuilder, ChainBuilder]
  const lossy = lossyChain(2, 5)
  lossy.close()
  const busy = new ChainBuilder({ number: 9, start: second.time + 1000 })
  const callId = busy.callId()
  const record = busy.decision(callId)
  const other = busy.call()
  busy.outcome(callId)
  busy.checkpoint()
  busy.close()
  const approved = approvalChain(7)
  // Between the decision of a person and its outcome.
  const half = approved.lines.findIndex((line) => line.includes('approval.approve')) + 1
  const iat = Math.floor(busy.time / 1000)
  const receipts = [{ callId, record }, other].map(
    (call) => `${jcs({ receipt: receiptsOf([claimsOf(busy, call)], KEY, iat)[0] })}\n`,
  )
  const files: VectorFile[] = [
    linesFile([...first.lines, ...lossy.lines.slice(0, 3)], '1'),
    linesFile([...lossy.lines.slice(3), ...second.lines.slice(0, 2)], '2'),
    linesFile([...second.lines.slice(2), ...busy.lines.slice(0, 3)], '3'),
    linesFile([...busy.lines.slice(3, 5), ...approved.lines.slice(0, half)], '4'),
    linesFile([...busy.lines.slice(5), ...approved.lines.slice(half)], '5'),
  ]
  // The order of the records decides, and times differ enough: a lossy chain begins with the first.
  return { files, receipts: receipts.join(''), witness: witnessText(first, second, lossy, busy, approved) }
}

const input = (more: { witness?: string; receipts?: string }, keys = KEYS) => ({
  trust: trustOf({ keys }),
  witness: given('witness', more.witness),
  receipts: given('receipts', more.receipts),
})

describe('a saved state', () => {
  const { files, ...more } = material()
  const sources = files.map((file) => sourceOf(file))
  const states: string[] = []
  let whole: Report

  test('is told after each file', async () => {
    whole = await verify(sources, input(more), { onState: (text) => states.push(text) })
    assert.equal(whole.finding, undefined)
    assert.equal(whole.receipts, 2)
    assert.deepEqual(whole.approvals, { used: 1, notShown: 0 })
    assert.equal(states.length, files.length)
  })

  for (const done of [1, 2, 3, 4, 5])
    test(`after file ${done} goes on to the same report`, async () => {
      const seen: unknown[] = []
      const report = await verify(
        sources,
        input(more),
        { onRecord: (record) => seen.push(record) },
        states[done - 1],
      )
      assert.deepEqual(report, whole)
      const rest = files.slice(done).map(({ text }) => text?.split('\n').length ?? 0)
      assert.equal(
        seen.length,
        rest.reduce((sum, lines) => sum + lines - 1, 0),
      )
    })

  test('still finds what is wrong in a later file', async () => {
    const cut = files.map((file, i) =>
      sourceOf(i === 4 ? { ...file, text: file.text?.split('\n').slice(1).join('\n') ?? '' } : file),
    )
    const report = await verify(cut, input(more), {}, states[3])
    assert.deepEqual([report.finding?.code, report.finding?.file, report.finding?.line], ['seq_gap', '5', 1])
    assert.equal((await verify(cut, input(more))).finding?.code, 'seq_gap')
  })

  const refused: [what: string, run: () => Promise<unknown>, message: RegExp][] = [
    [
      'a file that has changed since',
      () =>
        verify(
          [sourceOf({ ...(files[0] as VectorFile), text: `${files[0]?.text} ` }), ...sources.slice(1)],
          input(more),
          {},
          states[2],
        ),
      /^1 has changed/,
    ],
    ['other keys', () => verify(sources, input(more, jwks(KEY)), {}, states[2]), /other keys/],
    ['another witness', () => verify(sources, input({ ...more, witness: '' }), {}, states[2]), /witness/],
    ['other receipts', () => verify(sources, input({ ...more, receipts: '' }), {}, states[2]), /receipts/],
    [
      'an edited state',
      () => verify(sources, input(more), {}, states[2]?.replace('"lost":2', '"lost":9')),
      /changed or cut/,
    ],
    ['a cut state', () => verify(sources, input(more), {}, states[2]?.slice(0, -20)), /no state/],
    ['another file', () => verify(sources, input(more), {}, '{"a":1}'), /no state/],
  ]
  for (const [what, run, message] of refused)
    test(`refuses ${what}`, async () => {
      await assert.rejects(run(), (error) => error instanceof StateError && message.test(error.message))
    })
})
