// `ductape-mcp top`: the metrics text as it is read, rates between two looks, the picture on a terminal and elsewhere, its end and its exit codes.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { UsageError } from '../../src/cli/io.ts'
import { parseExposition, quantile } from '../../src/client/exposition.ts'
import { type Terminal, TOP_HELP, topCommand } from '../../src/client/top.ts'
import { figuresOf } from '../../src/client/top-view.ts'
import { capture, type Stranger, stranger } from './lib.ts'

const started: Stranger[] = []
after(async () => {
  for (const one of started) await one.close()
})

/** /metrics of a service with so many calls; the tool has a name that a terminal would obey. */
const metrics = (ok: number, refused: number, start = 1000): string =>
  [
    '# HELP ductape_mcp_build_info x',
    'ductape_mcp_build_info{version="1.2.3",node="v26"} 1',
    `process_start_time_seconds ${start}`,
    'ductape_mcp_ready 1',
    'ductape_mcp_store_available 0',
    `ductape_mcp_decisions_total{code="ok",stage="",would_deny=""} ${ok}`,
    `ductape_mcp_decisions_total{code="policy_\u001b[31mdenied",stage="policy",would_deny=""} ${refused}`,
    'ductape_mcp_approvals_pending 2',
    'ductape_mcp_approvals_total{event="asked"} 3',
    'ductape_mcp_approvals_total{event="approved"} 1',
    'ductape_mcp_live_config_age_seconds{file="policy.yaml"} 90',
    ...[
      ['0.1', ok * 0.5],
      ['1', ok],
      ['+Inf', ok],
    ].map(
      ([le, count]) =>
        `mcp_server_operation_duration_seconds_bucket{gen_ai_tool_name="t",le="${le}"} ${count} # {trace_id="a"} 0.2`,
    ),
    `mcp_server_operation_duration_seconds_count{gen_ai_tool_name="t"} ${ok}`,
    'not a line of metrics',
  ].join('\n')

/** Answers these, one after the other; the last one stays. */
async function served(...texts: readonly (string | number)[]): Promise<string> {
  let next = 0
  const one = await stranger((_, response) => {
    const text = texts[Math.min(next++, texts.length - 1)] ?? ''
    if (typeof text === 'number') response.writeHead(text).end()
    else response.end(text)
  })
  started.push(one)
  return one.url
}

/** A terminal on which two seconds pass between looks, `looks` times. */
function terminalOf(looks: number, size?: { columns: number; rows: number }): Terminal & { closed: boolean } {
  let now = 1_100_000
  let left = looks
  const terminal = {
    closed: false,
    size: () => size,
    now: () => now,
    async wait() {
      now += 2000
      return left-- > 0
    },
    close() {
      terminal.closed = true
    },
  }
  return terminal
}

async function run(argv: string[], terminal = terminalOf(0)) {
  const captured = capture()
  const code = await topCommand(argv, captured.io, terminal)
  return { code, out: captured.out(), err: captured.err(), closed: terminal.closed }
}

test('the text of /metrics: names, labels with escapes, exemplars, infinities; what is none is left out', () => {
  const text =
    'a{b="x\\"y\\\\z\\n",c="}"} 1\na 2 1700000000\nb +Inf\n# c 1\nd one\n{e="f"} 1\nf{g="h"} 5 # {t="1"} 2\n'
  const found = parseExposition(text)
  assert.deepEqual([...found.keys()], ['a', 'b', 'f'])
  assert.deepEqual({ ...found.get('a')?.[0]?.labels }, { b: 'x"y\\z\n', c: '}' })
  assert.deepEqual(
    found.get('a')?.map(({ value }) => value),
    [1, 2],
  )
  assert.equal(found.get('b')?.[0]?.value, Number.POSITIVE_INFINITY)
  assert.equal(found.get('f')?.[0]?.value, 5)
})

test('quantiles as Prometheus interpolates them', () => {
  const buckets = new Map([
    ['0.1', 50],
    ['1', 100],
    ['+Inf', 100],
  ])
  assert.equal(quantile(buckets, 0.5), 0.1)
  assert.equal(quantile(buckets, 0.25), 0.05)
  assert.equal(quantile(buckets, 0.75), 0.55)
  assert.equal(
    quantile(
      new Map([
        ['1', 0],
        ['+Inf', 4],
      ]),
      0.5,
    ),
    1,
  )
  assert.equal(quantile(new Map([['1', 0]]), 0.5), undefined)
})

test('--once: all since the start, as text without a control character', async () => {
  const { code, out, closed } = await run(
    ['--once', '--ops', await served(metrics(100, 20))],
    terminalOf(9, { columns: 200, rows: 50 }),
  )
  assert.equal(code, 0)
  assert.ok(closed)
  assert.match(out, /ready, version 1\.2\.3, up 100 s/)
  assert.match(out, /1\.2\/s: 1 ok, 0\.20 refused, 0 failed/)
  assert.match(out, /approvals +2 waiting; here 3 asked, 1 approved, - denied since its start/)
  assert.match(out, /store +UNAVAILABLE/)
  assert.match(out, /policy\.yaml NOT IN FORCE for 90\.0 s/)
  assert.match(out, /t +100 +100 ms/)
  assert.match(out, /policy_\\u001b\[31mdenied +policy +20 +0\.20\/s/)
  assert.doesNotMatch(out, /[^\n\P{Cc}]/u)
})

test('the picture in the docs has the lines that the command writes today', async () => {
  const { out } = await run(['--once', '--ops', await served(metrics(100, 20))])
  const picture = readFileSync(join(import.meta.dirname, '../../docs/images/top.svg'), 'utf8')
  const names = (text: string): string[] =>
    [...text.matchAll(/^([a-z]+(?: switch)?) {2,}\S/gm)].map(([, name = '']) => name)
  const drawn = names(picture.replaceAll(/<[^>]*>/g, ''))
  // What is not in force has a line of its own, when there is something.
  const written = names(out).filter((name) => !['live', 't'].includes(name))
  assert.ok(written.length >= 10, out)
  assert.deepEqual(
    written.filter((name) => !drawn.includes(name)),
    [],
  )
})

test('--json: figures, the second look with what was between them', async () => {
  const { out } = await run(
    ['--json', '--ops', await served(metrics(100, 20), metrics(110, 24))],
    terminalOf(1),
  )
  const [first, second] = out
    .split(/^}\n/m)
    .filter((text) => text !== '')
    .map((text) => JSON.parse(`${text}}`))
  assert.deepEqual([first.since, second.since], ['start', 'last look'])
  assert.deepEqual(second.perSecond, { all: 7, ok: 5, refused: 2, failed: 0 })
  assert.deepEqual(second.refusals, [{ code: 'policy_\u001b[31mdenied', stage: 'policy', count: 4 }])
  assert.deepEqual(
    second.tools.map(({ calls }: { calls: number }) => calls),
    [10],
  )
})

test('a replica that has started anew counts from nothing', () => {
  const last = { at: 1_100_000, metrics: parseExposition(metrics(100, 20)) }
  const now = { at: 1_102_000, metrics: parseExposition(metrics(4, 0, 1100)) }
  assert.deepEqual([figuresOf(now, last).since, figuresOf(now, last).perSecond.ok], ['start', 2])
})

test('on a terminal: its own screen, redrawn, never larger than it is, and left at the end', async () => {
  const size = { columns: 40, rows: 10 }
  const { code, out } = await run(
    ['--ops', await served(metrics(100, 20), metrics(110, 24))],
    terminalOf(1, size),
  )
  assert.equal(code, 0)
  assert.ok(out.startsWith('\u001b[?1049h'))
  assert.ok(out.endsWith('\u001b[?25h\u001b[?1049l'))
  const pictures = out.split('\u001b[H').slice(1)
  assert.equal(pictures.length, 2)
  for (const picture of pictures) {
    const lines = stripVTControlCharacters(picture).split('\n')
    assert.ok(lines.length < size.rows)
    for (const line of lines) assert.ok(line.length <= size.columns, line)
  }
})

test('a service that goes away is said, and asked again', async () => {
  const { code, out } = await run(['--ops', await served(metrics(1, 0), 500, metrics(2, 0))], terminalOf(2))
  assert.equal(code, 0)
  assert.match(out, /answered HTTP 500, not with the metrics of a ductape-mcp/)
  assert.equal(out.match(/version 1\.2\.3/g)?.length, 2)
})

test('exit codes: 1 where there is no ductape-mcp at first, 2 for wrong usage', async () => {
  const { code, err, closed } = await run(['--once', '--ops', await served('other_metric 1\n')])
  assert.deepEqual([code, closed], [1, true])
  assert.match(err, /not with the metrics of a ductape-mcp/)
  assert.equal((await run(['--once', '--ops', 'http://127.0.0.1:1'])).code, 1)
  for (const argv of [
    ['--interval', '0.1'],
    ['--interval', 'x'],
    ['--ops', 'ftp://a'],
  ])
    await assert.rejects(run(argv), UsageError)
  assert.equal((await run(['--help'])).out, TOP_HELP)
})
