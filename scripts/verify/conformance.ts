// `npm run verify conformance`: the official suite on the product and on the fixture build, both revisions, with the scenarios counted.

import { REVISIONS, runSuite } from '../../test/mcp/lib/conformance.ts'
import { publish } from './report.ts'

const rows: (readonly (string | number)[])[] = []
let failed = 0
for (const build of ['expected', 'fixture'] as const) {
  for (const revision of REVISIONS) {
    const { code, output } = await runSuite(build, revision)
    if (code !== 0) {
      failed++
      process.stdout.write(output)
    }
    const summary = output.slice(output.indexOf('=== SUMMARY ==='))
    const scenarios = [...summary.matchAll(/^[✓✗] ([\w-]+): (\d+) passed, (\d+) failed$/gm)]
    const sum = (group: number): number => scenarios.reduce((total, match) => total + Number(match[group]), 0)
    rows.push([
      build === 'expected' ? 'product' : 'fixture build',
      revision,
      scenarios.length,
      sum(2),
      sum(3),
      code === 0 ? 'as the baseline says' : 'NOT as the baseline says',
    ])
  }
}

process.exitCode = publish({
  area: 'conformance',
  what: 'The official suite @modelcontextprotocol/conformance 0.2.0-alpha.12 with --requirements: the product, and the same stack with the tools that the suite asks for.',
  command: 'npm run verify conformance',
  notes: [
    'Baselines with a reason for each entry: test/mcp/conformance/. Checks that need a tool, prompt or extension that the build does not have count as failed here.',
  ],
  figures: [
    {
      title: 'Runs',
      columns: ['build', 'revision', 'scenarios', 'checks passed', 'checks failed', 'result'],
      rows,
    },
  ],
  bounds: [{ what: 'runs that differ from their baseline', measured: failed, bound: 0, kind: 'ceiling' }],
})
