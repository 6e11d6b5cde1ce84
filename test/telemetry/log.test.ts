// The log: one JSON object a line, only from the configured level on, with the time it was given.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createLog, type Log, type LogLevel } from '../../src/telemetry/log.ts'

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

function collect(level: LogLevel): { log: Log; lines: string[] } {
  const lines: string[] = []
  return {
    log: createLog(
      level,
      () => 1_767_225_600_000,
      (line) => lines.push(line),
    ),
    lines,
  }
}

describe('log', () => {
  for (const [i, level] of LEVELS.entries()) {
    test(`level ${level} writes itself and what is more severe`, () => {
      const { log, lines } = collect(level)
      for (const name of LEVELS) log[name]('event')
      assert.deepEqual(
        lines.map((line) => (JSON.parse(line) as { level: string }).level),
        LEVELS.slice(i),
      )
    })
  }

  test('a line is one JSON object with time, level, event and the fields', () => {
    const { log, lines } = collect('debug')
    log.warn('audit_lines_lost', { reason: 'full', count: 2, again: false, nothing: undefined })
    log.info('text', { text: 'one\ntwo\u2028"three"' })
    assert.deepEqual(lines, [
      '{"time":"2026-01-01T00:00:00.000Z","level":"warn","event":"audit_lines_lost","reason":"full","count":2,"again":false}',
      `{"time":"2026-01-01T00:00:00.000Z","level":"info","event":"text","text":${JSON.stringify('one\ntwo\u2028"three"')}}`,
    ])
    for (const line of lines) assert.ok(!line.includes('\n'))
  })
})
