// Every refusal that needs a caller who is known, or one who is not: over REST and over MCP of both eras, with its headers and its record.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { DENIALS, type DenialCode, type DenialRow, type StageName } from '../../src/core/denials.ts'
import type { RecordLine } from '../lib/app.ts'
import { type Answer, call, send, WAYS, type Way } from '../live/lib/secured.ts'
import { SCENARIOS, type Scenario, startServices, stopServices } from './secured-scenarios.ts'

before(startServices)
after(stopServices)

const STAGES: readonly StageName[] = [
  'identity',
  'policy',
  'guards',
  'replay',
  'limits',
  'approval',
  'credentials',
  'scan',
]
const ALSO: readonly DenialCode[] = ['peer_rate_limited', 'admin_invalid', 'credential_not_accepted']

test('every code of the stages that know callers has a scenario', () => {
  const wanted = Object.entries(DENIALS)
    .filter(([code, { stage }]) => STAGES.includes(stage) || ALSO.includes(code as DenialCode))
    .map(([code]) => code)
  assert.deepEqual(Object.keys(SCENARIOS).toSorted(), wanted.toSorted())
})

for (const [code, given] of Object.entries(SCENARIOS) as [DenialCode, Scenario | Scenario[]][]) {
  describe(code, () => {
    for (const [index, scenario] of [given].flat().entries()) {
      for (const way of scenario.path === undefined ? WAYS : (['rest'] as const)) {
        test(`${way} ${index + 1}`, async () => {
          const undo = await scenario.first?.()
          try {
            const { answer, records } = await provoke(scenario, way)
            checkForm(answer, way, code, scenario)
            checkRecord(records, code, scenario)
          } finally {
            await undo?.()
          }
        })
      }
    }
  })
}

async function provoke(
  { service, headers: given, call: tool, path }: Scenario,
  way: Way,
): Promise<{ answer: Answer; records: RecordLine[] }> {
  const headers = typeof given === 'function' ? await given(way) : (given ?? {})
  service().nextWindow()
  const written = service().records().length
  const answer =
    path === undefined
      ? await call(service(), way, { ...tool, headers })
      : await send(service(), { ...path, headers })
  return { answer, records: service().records().slice(written) }
}

interface RpcBody {
  id: unknown
  error?: { code: number; message: string; data: Record<string, unknown> }
  result?: {
    isError: boolean
    content: { text: string }[]
    resultType?: string
    structuredContent?: unknown
    _meta: Record<string, { code: string; retryable: boolean; retryAfterMs?: number; approval?: unknown }>
  }
}

function checkForm(answer: Answer, way: Way, code: DenialCode, { challenge, waits }: Scenario): void {
  const row: DenialRow = DENIALS[code]
  const asHttp = way === 'rest' || row.form === 'http'
  assert.equal(answer.status, asHttp ? row.status : 200, answer.text)
  const shown = answer.headers['www-authenticate']
  if (challenge === undefined || !asHttp) assert.equal(shown, undefined)
  else assert.match(String(shown), challenge)
  const seconds = Number(answer.headers['retry-after'])
  if (waits && asHttp) assert.ok(seconds >= 1 && Number.isInteger(seconds), 'Retry-After')
  if (way === 'rest') {
    const { code: shownCode, retryable, retryAfterMs, requestId } = answer.body
    assert.equal(answer.headers['content-type'], 'application/problem+json')
    assert.deepEqual([shownCode, retryable], [code, row.retryable])
    assert.equal(requestId, answer.headers['x-request-id'])
    if (waits) assert.equal(Math.ceil(Number(retryAfterMs) / 1000), seconds)
    else assert.equal(retryAfterMs, undefined)
    return
  }
  const { id, error, result } = answer.body as unknown as RpcBody
  // Nobody unknown has a body read, so there is no id to answer to.
  assert.equal(id, row.stage === 'identity' || row.stage === 'transport' ? null : 1)
  if (row.form === 'http') {
    assert.equal(result, undefined)
    assert.equal(error?.code, row.rpc)
    const { retryAfterMs, ...data } = error.data
    assert.deepEqual(data, { code, retryable: row.retryable, requestId: answer.headers['x-request-id'] })
    if (waits) assert.equal(Math.ceil(Number(retryAfterMs) / 1000), seconds)
    else assert.equal(retryAfterMs, undefined)
    return
  }
  assert.equal(error, undefined)
  assert.ok(result?.isError)
  assert.equal(result.structuredContent, undefined)
  assert.equal(result.resultType, way === 'modern' ? 'complete' : undefined)
  const { retryAfterMs, approval, ...refusal } = result._meta['app.ductape/refusal'] ?? {}
  assert.equal(approval !== undefined, code === 'approval_required')
  assert.deepEqual(refusal, { code, retryable: row.retryable })
  assert.equal(typeof retryAfterMs, waits ? 'number' : 'undefined')
  const [fixed = ''] = row.text.split('{detail}')
  assert.ok(result.content[0]?.text.startsWith(row.bare ? fixed : `[${code}] ${fixed}`), answer.text)
}

function checkRecord(records: RecordLine[], code: DenialCode, scenario: Scenario): void {
  const { who = 'nobody', path, action = 'revoke' } = scenario
  const [decision, outcome, ...rest] = records
  assert.deepEqual(rest, [])
  if (path !== undefined) assert.equal(decision?.what?.['action'], action)
  const { keyId, method, subject } = decision?.who ?? {}
  assert.equal(keyId ?? (method === 'none' ? 'nobody' : method), who)
  if (who === 'nobody') assert.equal(subject, 'anonymous')
  // What was let in and then failed has the code in its outcome.
  if (decision?.decision?.allowed) assert.equal(outcome?.outcome?.code, code)
  else {
    assert.deepEqual([decision?.decision?.code, decision?.decision?.stage], [code, DENIALS[code].stage])
    assert.equal(outcome, undefined)
  }
}
