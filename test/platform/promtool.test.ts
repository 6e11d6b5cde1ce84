// promtool's own judgement of the rules, and its unit tests: every alert fires for the series that it is about, and not for their neighbours.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { parse } from 'yaml'
import { temporary } from '../lib/process.ts'
import { complete } from './lib/process.ts'
import { RULES, ruleFiles } from './lib/prometheus.ts'
import { path, ROOT, unless } from './lib/tools.ts'

const skip = unless('promtool')

interface Rule {
  alert?: string
  labels?: { severity: string }
  annotations?: Record<string, string>
}
const alerts = [...ruleFiles().values()]
  .flatMap((text) => (parse(text) as { groups: { rules: Rule[] }[] }).groups)
  .flatMap(({ rules }) => rules)
  .filter(({ alert }) => alert !== undefined)

const LABELS = 'namespace="n",job="j",instance="i"'
const series = (name: string, values: string, labels = ''): [string, string] => [
  `${name}{${LABELS}${labels === '' ? '' : `,${labels}`}}`,
  values,
]
const decisions = (code: string, stage: string, values: string) =>
  series('ductape_mcp_decisions_total', values, `code="${code}",stage="${stage}"`)
const OK = decisions('ok', '', '0+60x420')
const BUILD = series('ductape_mcp_build_info', '1x420')
const duration = (within: string, all: string) => [
  series('mcp_server_operation_duration_seconds_bucket', within, 'gen_ai_tool_name="t",le="5"'),
  series('mcp_server_operation_duration_seconds_count', all, 'gen_ai_tool_name="t"'),
]

/** At which minute is looked, series for which the alert fires, series for which it does not; a sample a minute. */
const CASES: Readonly<
  Record<
    string,
    readonly [at: string, fires: readonly [string, string][], silent: readonly [string, string][]]
  >
> = {
  DuctapeMcpAbsent: ['10m', [series('up', '1x20')], [BUILD]],
  DuctapeMcpNotReady: [
    '10m',
    [series('ductape_mcp_ready', '0x20')],
    [series('ductape_mcp_ready', '0 0 0 1 0 0 0 1x20')],
  ],
  DuctapeMcpStoreUnavailable: [
    '5m',
    [series('ductape_mcp_store_available', '0x20')],
    [series('ductape_mcp_store_available', '1 1 1 1 0 0')],
  ],
  DuctapeMcpLiveConfigStale: [
    '10m',
    [series('ductape_mcp_live_config_age_seconds', '0+60x20', 'file="policy.yaml"')],
    [series('ductape_mcp_live_config_age_seconds', '0 30 0 30x20', 'file="policy.yaml"')],
  ],
  DuctapeMcpCredentialsUnusable: [
    '10m',
    [series('ductape_mcp_credentials_stale', '1x20')],
    [series('ductape_mcp_credentials_stale', '0x20'), series('ductape_mcp_credentials_lacking', '0x20')],
  ],
  DuctapeMcpEventLoopLag: [
    '10m',
    [BUILD, series('nodejs_eventloop_lag_p99_seconds', '0.5x20')],
    [series('nodejs_eventloop_lag_p99_seconds', '0.5x20')],
  ],
  DuctapeMcpMemoryHigh: [
    '10m',
    [BUILD, series('process_resident_memory_bytes', '500000000x20')],
    [BUILD, series('process_resident_memory_bytes', '400000000x20')],
  ],
  DuctapeMcpSpansLost: [
    '30m',
    [series('ductape_mcp_spans_total', '0+5x40', 'outcome="failed"')],
    [series('ductape_mcp_spans_total', '0+5x40', 'outcome="sent"')],
  ],
  DuctapeMcpAuditSinkFailing: [
    '5m',
    [series('ductape_mcp_audit_sink_failing', '1x20')],
    [series('ductape_mcp_audit_sink_failing', '0 1 0 1 0 1 0')],
  ],
  DuctapeMcpAuditRecordsLost: [
    '5m',
    [series('ductape_mcp_audit_lines_lost_total', '0 0 0 3x20')],
    [series('ductape_mcp_audit_lines_lost_total', '3x20')],
  ],
  DuctapeMcpAuditQueueFilling: [
    '5m',
    [series('ductape_mcp_audit_queue_bytes', '6x20'), series('ductape_mcp_audit_queue_limit_bytes', '10x20')],
    [series('ductape_mcp_audit_queue_bytes', '4x20'), series('ductape_mcp_audit_queue_limit_bytes', '10x20')],
  ],
  DuctapeMcpCheckpointLate: [
    '5m',
    [series('ductape_mcp_audit_uncovered_seconds', '0+60x20')],
    [series('ductape_mcp_audit_uncovered_seconds', '1x20')],
  ],
  DuctapeMcpWitnessFailing: [
    '30m',
    [series('ductape_mcp_audit_witness_failures_total', '0+1x40')],
    [series('ductape_mcp_audit_witness_failures_total', '7x40')],
  ],
  DuctapeMcpReceiptsFailing: [
    '5m',
    [series('ductape_mcp_receipt_failures_total', '0 0 0 1x20')],
    [series('ductape_mcp_receipt_failures_total', '1x20')],
  ],
  DuctapeMcpOcsfEventsLost: [
    '5m',
    [series('ductape_mcp_audit_ocsf_lost_total', '0 0 0 3x20')],
    [series('ductape_mcp_audit_ocsf_lost_total', '3x20')],
  ],
  DuctapeMcpStoreTampered: [
    '5m',
    [series('ductape_mcp_kill_forged_total', '0 0 0 1x20')],
    [
      series('ductape_mcp_kill_forged_total', '1x20'),
      series('ductape_mcp_approvals_total', '0+1x20', 'event="used"'),
    ],
  ],
  DuctapeMcpBackendFailing: [
    '15m',
    [OK, decisions('backend_timeout', 'backend', '0+20x20')],
    [
      OK,
      decisions('backend_refused', 'backend', '0+20x20'),
      decisions('backend_timeout', 'backend', '0+1x20'),
    ],
  ],
  DuctapeMcpBackendPoolFull: [
    '5m',
    [series('ductape_mcp_backend_requests', '2x20', 'state="pending"')],
    [series('ductape_mcp_backend_requests', '2x20', 'state="running"')],
  ],
  DuctapeMcpRefusalSpike: [
    '15m',
    [OK, decisions('policy_denied', 'policy', '0+60x20')],
    [OK, decisions('policy_denied', 'policy', '0+13x20')],
  ],
  DuctapeMcpAuthFailures: [
    '15m',
    [decisions('token_invalid', 'identity', '0+30x20')],
    [decisions('token_missing', 'identity', '0+30x20')],
  ],
  DuctapeMcpIssuerUnavailable: ['5m', [decisions('issuer_unavailable', 'identity', '0+1x20')], [OK]],
  DuctapeMcpKillSwitchOn: [
    '1m',
    [series('ductape_mcp_kill_entries', '1x20')],
    [series('ductape_mcp_kill_entries', '0x20')],
  ],
  DuctapeMcpApprovalsUndecided: [
    '20m',
    // One that expires before anybody looks at it is one too.
    [series('ductape_mcp_approvals_pending', '0 0 0 1 1 1 0x20')],
    [
      series('ductape_mcp_approvals_pending', '0 0 0 1x20'),
      series('ductape_mcp_approvals_total', '0+1x20', 'event="denied"'),
    ],
  ],
  DuctapeMcpApprovalBacklog: [
    '5m',
    [decisions('approval_backlog', 'approval', '0+1x20')],
    [decisions('approval_required', 'approval', '0+1x20')],
  ],
  DuctapeMcpNotificationsFailing: [
    '5m',
    [series('ductape_mcp_notifications_total', '0 0 1x20', 'result="failed"')],
    [series('ductape_mcp_notifications_total', '0 0 1x20', 'result="sent"')],
  ],
  // The first finding makes the series; there is no zero before it.
  DuctapeMcpSecretsFound: [
    '5m',
    [series('ductape_mcp_scan_findings_total', '_ _ _ 1x20', 'detector="secret",rule="r"')],
    [series('ductape_mcp_scan_findings_total', '_ _ _ 1x20', 'detector="ansi",rule="r"')],
  ],
  DuctapeMcpAvailabilityFastBurn: [
    '70m',
    [OK, decisions('backend_timeout', 'backend', '0+2x420')],
    [
      OK,
      decisions('backend_timeout', 'backend', '0+0.5x420'),
      decisions('policy_denied', 'policy', '0+60x420'),
    ],
  ],
  DuctapeMcpAvailabilitySlowBurn: [
    '400m',
    [OK, decisions('backend_timeout', 'backend', '0+0.5x420')],
    [OK, decisions('backend_timeout', 'backend', '0+0.1x420')],
  ],
  DuctapeMcpLatencyFastBurn: [
    '70m',
    [OK, ...duration('0+40x420', '0+60x420')],
    [OK, ...duration('0+58x420', '0+60x420')],
  ],
  DuctapeMcpLatencySlowBurn: [
    '400m',
    [OK, ...duration('0+54x420', '0+60x420')],
    [OK, ...duration('0+58x420', '0+60x420')],
  ],
}

describe('the rules', { skip }, () => {
  const folder = temporary()
  after(() => folder.remove())
  const files = [...ruleFiles().keys()].map((name) => join(RULES, name))
  // Each alert is tried over hours of all the rules.
  const promtool = (...args: string[]) => complete(path('promtool'), args, { timeoutMs: 170_000 })
  /** promtool's exit code for a set of tests, each of one alert. */
  const judge = (name: string, tests: readonly object[]) => {
    const file = join(folder.path, `${name}.json`)
    writeFileSync(file, JSON.stringify({ rule_files: files, evaluation_interval: '1m', tests }))
    return promtool('test', 'rules', file)
  }
  const one = (alert: string, at: string, input: readonly [string, string][], value: number | undefined) => ({
    interval: '1m',
    name: alert,
    input_series: input.map(([name, values]) => ({ series: name, values })),
    promql_expr_test: [
      {
        expr: `count(ALERTS{alertname="${alert}",alertstate="firing"})`,
        eval_time: at,
        exp_samples: value === undefined ? [] : [{ labels: '{}', value }],
      },
    ],
  })

  test('are valid', async () => {
    const { code, stdout, stderr } = await promtool('check', 'rules', ...files)
    assert.equal(code, 0, stdout + stderr)
  })
  test('have a case for each alert here', () => {
    assert.ok(alerts.length >= 12)
    assert.deepEqual(Object.keys(CASES).toSorted(), alerts.map(({ alert }) => alert).toSorted())
  })
  test('fire and stay silent', async () => {
    const tests = Object.entries(CASES).flatMap(([alert, [at, fires, silent]]) => [
      one(alert, at, fires, 1),
      one(alert, at, silent, undefined),
    ])
    const { code, stdout, stderr } = await judge('all', tests)
    assert.equal(code, 0, stdout + stderr)
  })
  test('are found out where they do not: the control of this', async () => {
    const [alert = '', [at, fires, silent]] = Object.entries(CASES)[1] as [
      string,
      (typeof CASES)[string] & object,
    ]
    assert.notEqual((await judge('none', [one(alert, at, fires, undefined)])).code, 0)
    assert.notEqual((await judge('one', [one(alert, at, silent, 1)])).code, 0)
  })
  test('have a severity, words, and a section of the runbook each', () => {
    const runbook = readFileSync(join(ROOT, 'docs/operate/runbook.md'), 'utf8')
    const sections = new Set([...runbook.matchAll(/^## (\w+)$/gm)].map(([, name = '']) => name))
    for (const { alert = '', labels, annotations } of alerts) {
      assert.match(labels?.severity ?? '', /^(critical|warning|info)$/, alert)
      assert.ok(annotations?.['summary'] && annotations['description'], alert)
      assert.equal(annotations?.['runbook_url'], `docs/operate/runbook.md#${alert.toLowerCase()}`)
      assert.ok(sections.delete(alert), `the runbook has no section ${alert}`)
    }
    assert.deepEqual(
      [...sections].filter((name) => name.startsWith('Ductape')),
      [],
    )
  })
})
