// `npm run verify alerts`: every alert of observability/rules is made to fire once by a real fault, in a real Prometheus whose time goes faster.
import { parseArgs } from 'node:util'
import { parse } from 'yaml'
import { FAULTS } from '../../test/platform/alerts/faults.ts'
import { fire } from '../../test/platform/alerts/fire.ts'
import { ruleFiles } from '../../test/platform/lib/prometheus.ts'
import { publish } from './report.ts'

const { values } = parseArgs({ options: { only: { type: 'string' } } })
const faults = FAULTS.filter(
  ({ alerts }) => values.only === undefined || alerts.some((name) => name.includes(values.only ?? '')),
)
interface RuleFile {
  groups: { rules: { alert?: string }[] }[]
}
const names = [...ruleFiles().values()].flatMap((text) =>
  (parse(text) as RuleFile).groups.flatMap(({ rules }) => rules.flatMap(({ alert }) => alert ?? [])),
)

const rows: [string, string, string][] = []
let problems = 0
for (const fault of faults) {
  try {
    for (const [alert, seconds] of await fire(fault)) rows.push([alert, fault.what, seconds.toFixed(1)])
  } catch (error) {
    problems++
    process.stdout.write(`${fault.what}: ${error instanceof Error ? error.message : String(error)}\n`)
  }
}
const fired = new Set(rows.map(([alert]) => alert))

process.exitCode = publish(
  {
    area: 'alerts',
    what: 'Every alert of observability/rules fires after a real fault and not before it: a service as a process of its own, a Prometheus that scrapes it, and the committed rules with every range, offset and `for` 30 times shorter. Thresholds are what they are.',
    command: `npm run verify alerts${values.only === undefined ? '' : ` -- --only ${values.only}`}`,
    figures: [
      {
        title: 'Fault to alert',
        note: 'Seconds from the fault to the firing alert, in time that goes 30 times faster.',
        columns: ['alert', 'fault', 'seconds'],
        rows: rows.sort(([one], [other]) => (one < other ? -1 : 1)),
      },
    ],
    bounds: [
      {
        what: 'alerts that did not fire',
        measured: names.filter((name) => !fired.has(name)).length,
        bound: 0,
        kind: 'ceiling',
      },
      { what: 'faults that went another way', measured: problems, bound: 0, kind: 'ceiling' },
      { what: 'alerts', measured: names.length, bound: 12, kind: 'floor' },
    ],
  },
  { write: values.only === undefined },
)
