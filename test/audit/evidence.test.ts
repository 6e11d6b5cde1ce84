// The order of what a call leaves behind: no effect before its record is with the kernel, a refusal's record before its receipt, one record of each kind.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { SinkWriter } from '../../src/audit/writer.ts'
import { memorySink, startApp, type TestApp } from '../lib/app.ts'
import { callRest, callTool, EXECUTE, textOf } from '../lib/calls.ts'

async function withApp(options: Parameters<typeof startApp>[0], work: (app: TestApp) => Promise<void>) {
  const app = await startApp(options)
  try {
    await work(app)
  } finally {
    await app.close()
  }
}

/** Takes every line but where it is full. */
function narrow(lines: string[], isFull: (reserved: boolean) => boolean): SinkWriter {
  const sink = memorySink(lines)
  return {
    ...sink,
    insert: (before, after, pieceOf, reserved) =>
      !isFull(reserved) && sink.insert(before, after, pieceOf, reserved),
  }
}

const shown = (app: TestApp): unknown[] =>
  app
    .records()
    .map(({ type, decision, outcome }) => [
      type,
      decision?.code ?? outcome?.code ?? (decision === undefined ? outcome?.status : decision.allowed),
    ])

describe('strict', () => {
  const audit = { mode: 'strict' } as const

  test('a call waits for its record, and goes on when it was taken', async () => {
    const lines: string[] = []
    let take: (taken: boolean) => void = () => undefined
    const asked = Promise.withResolvers<void>()
    const taken = (): Promise<boolean> => {
      asked.resolve()
      return new Promise((resolve) => {
        take = resolve
      })
    }
    await withApp({ config: { audit }, ports: { records: { ...memorySink(lines), taken } } }, async (app) => {
      const answer = callTool(app.url, 'ductape_execute', EXECUTE)
      await asked.promise
      assert.ok(lines.some((line) => line.includes('"type":"decision"')))
      assert.equal(app.emulator?.stats.requests.execute, 0)
      take(true)
      assert.equal((await answer).isError, undefined)
      assert.equal(app.emulator?.stats.requests.execute, 1)
      take = () => undefined
      setImmediate(function again(): void {
        take(true)
        if (app.app.inFlight() >= 0 && lines.at(-1)?.includes('"type":"checkpoint"') !== true)
          setImmediate(again)
      })
    })
  })

  test('a refusal waits for its record too, and is counted where that finds no room', async () => {
    const lines: string[] = []
    let isFull = false
    let asked = 0
    const records = narrow(lines, (reserved) => isFull && !reserved)
    const taken = async (): Promise<boolean> => {
      asked++
      return true
    }
    await withApp({ config: { audit }, ports: { records: { ...records, taken } } }, async (app) => {
      const refused = async (): Promise<void> =>
        assert.match(textOf(await callTool(app.url, 'ductape_execute', {})), /^Not authenticated/)
      await refused()
      assert.equal(asked, 1)
      isFull = true
      await refused()
      await refused()
    })
    const all = lines.map(
      (line) => JSON.parse(line) as { type: string; refusals?: { code: string; count: number } },
    )
    assert.equal(all.filter(({ type }) => type === 'decision').length, 1)
    assert.deepEqual(
      all.flatMap(({ refusals }) => (refusals === undefined ? [] : [[refusals.code, refusals.count]])),
      [['not_authenticated', 2]],
    )
  })

  test('a record that is not taken in time: no effect, and the outcome says so', async () => {
    const lines: string[] = []
    await withApp(
      { config: { audit }, ports: { records: { ...memorySink(lines), taken: async () => false } } },
      async (app) => {
        const answer = await callTool(app.url, 'ductape_execute', EXECUTE)
        assert.match(textOf(answer), /^\[audit_unavailable\]/)
        assert.equal((await callRest(app.url, 'ductape_execute', EXECUTE)).status, 503)
        assert.equal(app.emulator?.stats.requests.execute, 0)
      },
    )
    const outcomes = lines
      .map((line) => JSON.parse(line) as { type: string; outcome?: object })
      .filter(({ type }) => type === 'outcome')
    assert.equal(outcomes.length, 2)
    for (const { outcome } of outcomes)
      assert.partialDeepStrictEqual(outcome, { code: 'audit_unavailable', status: 'cancelled' })
  })

  test('no room for the record: refused, without a record and without an effect', async () => {
    const lines: string[] = []
    let full = false
    const records = narrow(lines, (reserved) => full && !reserved)
    await withApp({ config: { audit }, ports: { records } }, async (app) => {
      full = true
      const answer = await callTool(app.url, 'ductape_execute', EXECUTE)
      assert.match(textOf(answer), /^\[audit_unavailable\]/)
      assert.equal(app.emulator?.stats.requests.execute, 0)
      assert.ok(!lines.some((line) => line.includes('"type":"decision"')))
      full = false
      assert.equal((await callTool(app.url, 'ductape_execute', EXECUTE)).isError, undefined)
    })
  })
})

test('best-effort: without room the call goes on', async () => {
  const lines: string[] = []
  let full = false
  const records = narrow(lines, () => full)
  await withApp({ ports: { records } }, async (app) => {
    full = true
    const answer = await callTool(app.url, 'ductape_execute', EXECUTE)
    assert.equal(answer.isError, undefined)
    const receipt = answer._meta?.['app.ductape/receipt'] as { claims: Record<string, unknown> }
    assert.equal(receipt.claims['record'], undefined)
    full = false
  })
})

test('each call is recorded once, whatever becomes of it', async () => {
  await withApp({}, async (app) => {
    await callTool(app.url, 'ductape_execute', EXECUTE)
    await callTool(app.url, 'ductape_execute', { ...EXECUTE, method: 'fetsch' })
    await callRest(app.url, 'nope', {})
    await fetch(`${app.url}/nothing`)
    assert.deepEqual(shown(app), [
      ['decision', true],
      ['outcome', 'executed'],
      ['decision', 'method_unknown'],
      ['decision', 'tool_unknown'],
      ['decision', 'path_unknown'],
    ])
  })
})
