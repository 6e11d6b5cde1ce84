// Sends fuzzed requests to a service with a healthy emulator and judges every answer.
import * as fc from 'fast-check'
import { startApp } from '../../lib/app.ts'
import { createClient, type HttpClient, type Received } from '../../lib/http-client.ts'
import { type FuzzCase, fuzzCases } from './fuzz-cases.ts'
import { formProblem, leakProblem } from './judge.ts'

export interface FuzzReport {
  count: number
  /** Slowest answer in milliseconds. */
  slowest: number
  /** Answers by kind of case and status. */
  statuses: Map<string, number>
  problems: string[]
  /** Calls that reached the backend, and those in which it failed by itself. */
  backend: { asked: number; crashed: number }
  /** Calls and refusals without their record. */
  unrecorded: number
}

const LIMIT_MS = 1000
const IN_FLIGHT = 4

export async function runFuzz(options: { seed: number; count: number }): Promise<FuzzReport> {
  const cases = fc.sample(fuzzCases, { seed: options.seed, numRuns: options.count })
  const service = await startApp({})
  await service.app.preload()
  const client = createClient(service.url, IN_FLIGHT)
  const report: FuzzReport = {
    count: cases.length,
    slowest: 0,
    statuses: new Map(),
    problems: [],
    backend: { asked: 0, crashed: 0 },
    unrecorded: 0,
  }
  let sent = 0
  let toRecord = 0
  const one = async (fuzzCase: FuzzCase, index: number): Promise<void> => {
    const received = await deliver(client, fuzzCase, () => sent++)
    if (received === undefined) return
    if (fuzzCase.kind !== 'other method' || received.status >= 400) toRecord++
    const key = `${fuzzCase.kind} ${received.status}`
    report.statuses.set(key, (report.statuses.get(key) ?? 0) + 1)
    report.slowest = Math.max(report.slowest, received.took)
    const problem =
      formProblem(fuzzCase.path, received) ??
      leakProblem(received, fuzzCase.secrets) ??
      (received.took > LIMIT_MS ? `took ${Math.round(received.took)} ms` : undefined)
    if (problem !== undefined) report.problems.push(describe(problem, fuzzCase, received, index))
  }
  try {
    let next = 0
    const worker = async (): Promise<void> => {
      for (;;) {
        const index = next++
        const fuzzCase = cases[index]
        if (fuzzCase === undefined) return
        await one(fuzzCase, index)
      }
    }
    await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
    const stats = service.emulator?.stats
    if (stats !== undefined) {
      report.backend = {
        asked: stats.requests.execute + stats.requests.generate,
        crashed: stats.answers.crashed,
      }
    }
  } finally {
    client.close()
    await service.close()
  }
  // Only now is told how often a peer was refused the same way again.
  let recorded = 0
  for (const line of service.chain()) {
    const { type, refusals } = JSON.parse(line) as { type: string; refusals?: { count: number } }
    recorded += type === 'decision' ? 1 : (refusals?.count ?? 0)
  }
  report.unrecorded = Math.max(0, toRecord - recorded)
  return report
}

/** A body over the cap may be cut off with a reset, so its answer may be lost on the way; a slow answer counts when it is slow twice. */
async function deliver(
  client: HttpClient,
  fuzzCase: FuzzCase,
  onSend: () => void,
): Promise<Received | undefined> {
  onSend()
  try {
    const received = await client.send(fuzzCase)
    if (received.took <= LIMIT_MS) return received
  } catch (error) {
    const lost =
      error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
    if (!lost) throw error
    if (fuzzCase.kind === 'large') return undefined
  }
  onSend()
  return client.send(fuzzCase)
}

const describe = (problem: string, fuzzCase: FuzzCase, received: Received, index: number): string =>
  [
    `case ${index} (${fuzzCase.kind}): ${problem}`,
    `  POST ${fuzzCase.path} ${JSON.stringify(fuzzCase.headers)}`,
    `  ${JSON.stringify(fuzzCase.body.toString('utf8').slice(0, 600))}`,
    `  -> ${received.status} ${JSON.stringify(received.body.slice(0, 600))}`,
  ].join('\n')
