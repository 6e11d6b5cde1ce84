// A real Prometheus fed by the real service: every query of the dashboard has data, every metric that rules and dashboard name exists, and the quick alerts fire.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { callRest, EXECUTE } from '../lib/calls.ts'
import { temporary } from '../lib/process.ts'
import { NO_LIMITS, type Served, serve } from '../lib/serve.ts'
import { FAULTS } from './alerts/faults.ts'
import { fire } from './alerts/fire.ts'
import { type Prometheus, ruleFiles, startPrometheus } from './lib/prometheus.ts'
import { ROOT, unless } from './lib/tools.ts'

const skip = unless('prometheus')

interface Panel {
  title: string
  type: string
  targets?: { expr: string }[]
}
const { panels } = JSON.parse(readFileSync(join(ROOT, 'observability/dashboard.json'), 'utf8')) as {
  panels: Panel[]
}
const queries = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })))

/** As Grafana fills them in. */
const filled = (expr: string): string =>
  expr
    .replaceAll('$__rate_interval', '4s')
    .replaceAll(/\$(namespace|job)\b/g, '.*')
    .replaceAll('[1h]', '[30s]')

describe('the dashboard', { skip }, () => {
  const folder = temporary()
  let emulator: Emulator
  let service: Served
  let prometheus: Prometheus
  let over = false
  let load: Promise<void>

  before(async () => {
    emulator = await startEmulator({})
    folder.file('limits.yaml', JSON.stringify(NO_LIMITS))
    // Two operations that the guards have something to say of, and one that waits for a person where there is none.
    folder.file(
      'policy.yaml',
      JSON.stringify({
        roles: {
          local: {
            allow: [
              { tool: '*', effect: 'read' },
              { tool: '*', effect: ['write', 'destructive', 'admin'], approval: 'confirm' },
            ],
          },
        },
      }),
    )
    service = await serve({ config: { live: folder.path, backend: { url: emulator.url } } })
    prometheus = await startPrometheus({ targets: [service.ops] })
    const run = (args: object) => callRest(service.url, 'ductape_execute', args)
    const database = { product: 'ductape:my-product', env: 'dev', database: 'main-db' }
    const calls = [
      EXECUTE,
      { ...EXECUTE, module: 'nothing' },
      {
        ...EXECUTE,
        module: 'databases',
        method: 'query',
        params: [{ ...database, sql: 'SELECT 1' }],
      },
      {
        ...EXECUTE,
        module: 'databases',
        method: 'insert',
        params: [{ ...database, table: 'users', data: {} }],
      },
    ]
    emulator.faults.every(5, { kind: 'result', value: { note: `${'AKIA'}${'Q3EGRJ2LK7ZPN5XW'}` } })
    load = (async () => {
      while (!over) for (const args of calls) await run(args)
    })()
  })
  after(async () => {
    over = true
    await load?.catch(() => undefined)
    await prometheus?.stop()
    service?.child.kill()
    await service?.exit
    await emulator?.close()
    folder.remove()
  })

  test('has a query in every panel, and as many panels as it has to show', () => {
    const shown = panels.filter(({ type }) => type !== 'row')
    assert.ok(shown.length >= 24)
    for (const { title, targets } of shown) assert.ok(targets?.length, title)
  })
  for (const { title, expr } of queries)
    test(`${title}: ${expr}`, async () => {
      const found = await prometheus.until(filled(expr), 30_000)
      assert.ok(found.length > 0, expr)
      assert.ok(
        found.some(({ value }) => Number.isFinite(Number(value[1]))),
        JSON.stringify(found),
      )
    })
  test('a query for what is not there has no data: the control of these', async () => {
    assert.deepEqual(await prometheus.query('ductape_mcp_no_such_metric'), [])
  })
  test('rules and dashboard name metrics that the service has', async () => {
    const text = await (await fetch(`${service.ops}/metrics`)).text()
    const known = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name))
    const used = new Set(
      [...[...ruleFiles().values()], JSON.stringify(queries)].flatMap((source) =>
        [
          ...source.matchAll(
            /(?<![\w:])(?:ductape_mcp|mcp_server|process|nodejs)_[a-z0-9_]+(?=[{[\s)\\"]|$)/gm,
          ),
        ].map(([name]) => name.replace(/_(bucket|count|sum)$/, '')),
      ),
    )
    assert.ok(used.size > 30)
    assert.deepEqual(
      [...used].filter((name) => !known.has(name)),
      [],
    )
  })
})

test('the picture of its data has every panel', () => {
  const picture = readFileSync(join(ROOT, 'docs/images/dashboard.svg'), 'utf8')
  const drawn = new Set([...picture.matchAll(/class="title"[^>]*>([^<]*)</g)].map(([, title]) => title))
  assert.deepEqual(
    panels
      .filter(({ type }) => type !== 'row')
      .map(({ title }) => title)
      .toSorted(),
    [...drawn].toSorted(),
    'node scripts/generate/pictures.ts draws it anew',
  )
  // Lines with points, not frames alone.
  assert.ok((picture.match(/points="(?:[\d.]+,[\d.]+ ?){3,}"/g) ?? []).length > 60)
})

describe('alerts', { skip: unless('prometheus', 'redis-server') }, () => {
  for (const fault of FAULTS.filter(({ quick }) => quick))
    test(`${fault.what}: ${fault.alerts.join(', ')}`, async (t) => {
      for (const [alert, seconds] of await fire(fault)) t.diagnostic(`${alert} after ${seconds.toFixed(1)} s`)
    })
  test('every alert has a fault that makes it fire in npm run verify alerts', () => {
    const names = [...ruleFiles().values()].flatMap((text) =>
      [...text.matchAll(/- alert: (\w+)/g)].map(([, name]) => name),
    )
    assert.deepEqual(FAULTS.flatMap(({ alerts }) => alerts).toSorted(), names.toSorted())
  })
})
