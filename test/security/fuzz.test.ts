// Whatever is sent: with a healthy backend no answer is a 5xx, each comes within a second, is valid and gives nothing away.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runFuzz } from './lib/fuzz.ts'
import { formProblem, leakProblem } from './lib/judge.ts'

// 5 % of the 10,000 of `npm run verify fuzz`.
const COUNT = 500
const SEED = Number(process.env['FUZZ_SEED'] ?? 20260728)

test(`${COUNT} fuzzed requests (seed ${SEED})`, async (t) => {
  const report = await runFuzz({ seed: SEED, count: COUNT })
  t.diagnostic(
    `seed ${SEED}, ${report.count} requests, ${report.backend.asked} reached the backend, slowest ${report.slowest.toFixed(0)} ms`,
  )
  assert.deepEqual(report.problems, [])
  assert.equal(report.backend.crashed, 0, 'the emulator failed by itself')
  assert.equal(report.unrecorded, 0)
  // The cases are worth something only while many of them get through every stage.
  assert.ok(report.backend.asked >= COUNT / 10, `only ${report.backend.asked} calls reached the backend`)
  for (const kind of ['call modern 200', 'call legacy 200', 'rest 200', 'other method 200', 'noise 400']) {
    assert.ok((report.statuses.get(kind) ?? 0) > 0, `no case of ${kind}`)
  }
})

test('the judge sees a bad answer', () => {
  const received = (status: number, type: string | undefined, body: string) => ({
    status,
    headers: { 'x-request-id': 'x', ...(type !== undefined && { 'content-type': type }) },
    body,
    took: 1,
  })
  const json = 'application/json'
  const good = '{"jsonrpc":"2.0","id":1,"result":{}}'
  const problem = { type: 't', title: 't', status: 404, detail: 'd', code: 'c', requestId: 'r' }
  for (const [path, answer] of [
    ['/mcp', received(200, json, good)],
    ['/mcp', received(202, undefined, '')],
    ['/mcp', received(200, 'text/event-stream', `event: message\ndata: ${good}\n\n`)],
    ['/v1/tools/x', received(200, json, 'null')],
    ['/v1/tools/x', received(404, 'application/problem+json', JSON.stringify(problem))],
  ] as const)
    assert.equal(formProblem(path, answer), undefined, answer.body)
  for (const [path, answer] of [
    ['/mcp', received(500, json, good)],
    ['/mcp', received(202, json, good)],
    ['/mcp', received(200, json, '')],
    ['/mcp', received(200, json, '{"id":1,"result":{}}')],
    ['/mcp', received(200, json, '{"jsonrpc":"2.0","id":1}')],
    ['/mcp', received(200, json, '{"jsonrpc":"2.0","id":1,"error":{"code":"x","message":"y"}}')],
    ['/mcp', received(200, 'text/html', '<p>')],
    ['/mcp', received(200, 'text/event-stream', 'event: message\n\n')],
    ['/mcp', { ...received(200, json, good), headers: {} }],
    ['/v1/tools/x', received(400, json, '{}')],
    ['/v1/tools/x', received(400, 'application/problem+json', JSON.stringify(problem))],
  ] as const)
    assert.notEqual(formProblem(path, answer), undefined, answer.body)
  for (const text of [
    'x\n    at run (main.ts:1:2)',
    'node:internal/x',
    'file:///x',
    'app.ts:12:3',
    'TypeError: x',
    'pk_live_planted',
  ])
    assert.notEqual(leakProblem(received(200, json, text), ['pk_live_planted']), undefined, text)
  assert.equal(leakProblem(received(200, json, 'meet me at noon (maybe)'), ['pk_live_planted']), undefined)
})
