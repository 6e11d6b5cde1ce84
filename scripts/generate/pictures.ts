// Writes docs/images/top.svg and docs/images/dashboard.svg: `ductape-mcp top` and the queries of the dashboard over a real service under calls and faults.
//   node scripts/generate/pictures.ts
// It takes two minutes and needs Prometheus and Redis. Not part of `npm run generate`: no two runs give the same picture.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../../test/platform/lib/tools.ts'
import { type Dashboard, dashboardSvg, queriesOf, type Series } from './pictures/dashboard.ts'
import { playScenario, SECONDS } from './pictures/scenario.ts'
import { terminalSvg } from './pictures/terminal.ts'

/** Between two points, in seconds. */
const STEP = 1

const dashboard = JSON.parse(
  readFileSync(join(ROOT, 'observability/dashboard.json'), 'utf8'),
) as unknown as Dashboard
const write = (name: string, text: string): void => {
  writeFileSync(join(ROOT, 'docs/images', name), text)
  process.stdout.write(`written: docs/images/${name}\n`)
}

await playScenario(async ({ prometheus, top, instances }) => {
  write('top.svg', terminalSvg(top))
  const found = new Map<string, readonly Series[]>()
  for (const query of queriesOf(dashboard)) {
    // A subquery answers a matrix, in which each series has `values` in place of one value.
    const answer = await prometheus.query(`(${query.filled})[${SECONDS}s:${STEP}s]`)
    found.set(query.expr, answer as unknown as readonly Series[])
  }
  write('dashboard.svg', dashboardSvg(dashboard, found, instances))
})
