// Calls at a steady pace from an agent's pod while something happens to the service, and how they ended.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { NAMESPACE } from './kube.ts'
import { URL } from './setup.ts'

export interface LoadResult {
  readonly sent: number
  readonly codes: Readonly<Record<string, number>>
  readonly failures: readonly object[]
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly seconds: number
  /** Of every answer, as the header has them; where they were asked for. */
  readonly receipts: readonly string[]
}

export const failed = ({ sent, codes }: LoadResult): number => sent - (codes['ok'] ?? 0)

/** Runs `during` under load; the load ends with it. */
export async function underLoad(
  perSecond: number,
  during: () => Promise<void>,
  { receipts = false }: { receipts?: boolean } = {},
): Promise<LoadResult> {
  const args = [
    '-n',
    NAMESPACE,
    'exec',
    '-i',
    'agent',
    '--',
    '/nodejs/bin/node',
    '/probe/probe.ts',
    'load',
    URL,
    '/tls',
    String(perSecond),
    ...(receipts ? ['receipts'] : []),
  ]
  const child = spawn('kubectl', args, { stdio: ['pipe', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    out += part
  })
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    err += part
  })
  const exit = once(child, 'exit')
  try {
    await during()
  } finally {
    child.stdin.end()
  }
  await exit
  try {
    const result = JSON.parse(out) as LoadResult
    // For whoever watches the run; the page has the counts.
    for (const failure of result.failures) process.stdout.write(`          ${JSON.stringify(failure)}\n`)
    return result
  } catch {
    throw new Error(`the load generator said nothing: ${err.trim()}`)
  }
}
