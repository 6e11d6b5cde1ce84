// A real Prometheus on a free loopback port that scrapes one service and evaluates the rules of observability/ in quick motion.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../lib/ports.ts'
import { type Running, start } from './process.ts'
import { path, ROOT } from './tools.ts'

export const RULES = join(ROOT, 'observability/rules')

export interface Sample {
  metric: Readonly<Record<string, string>>
  value: [number, string]
}

export interface Prometheus {
  query(expression: string): Promise<readonly Sample[]>
  /** The first non-empty answer, asked again until the deadline; what is empty then stays empty. */
  until(expression: string, deadline?: number): Promise<readonly Sample[]>
  stop(): Promise<void>
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** Every range, offset and `for` of the rules, shorter by this factor; thresholds stay what they are. */
export const hastened = (rules: string, factor: number): string =>
  rules.replace(
    /(\[|\bfor: |\boffset )(\d+)([smhd])\b/g,
    (_, before: string, count: string, unit: string) =>
      `${before}${Math.max(1, Math.round((Number(count) * (UNITS[unit] ?? 1)) / factor))}s`,
  )

/** The rule files as they are, by name. */
export const ruleFiles = (): ReadonlyMap<string, string> =>
  new Map(readdirSync(RULES).map((name) => [name, readFileSync(join(RULES, name), 'utf8')]))

export interface PrometheusOptions {
  /** Origins of the ops listeners. */
  targets: readonly string[]
  factor?: number
}

export async function startPrometheus({ targets, factor = 30 }: PrometheusOptions): Promise<Prometheus> {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-prometheus-'))
  for (const [name, text] of ruleFiles()) writeFileSync(join(folder, name), hastened(text, factor))
  const config = {
    global: { scrape_interval: '500ms', scrape_timeout: '400ms', evaluation_interval: '500ms' },
    rule_files: [join(folder, '*.yaml')],
    scrape_configs: [
      {
        job_name: 'ductape-mcp',
        static_configs: [{ targets: targets.map((url) => new URL(url).host), labels: { namespace: 'test' } }],
      },
    ],
  }
  const file = join(folder, 'prometheus.json')
  writeFileSync(file, JSON.stringify(config))
  const launch = async (port: number): Promise<Running> => {
    const running = start(path('prometheus'), [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ])
    try {
      await running.line(/Server is ready to receive web requests/)
      return running
    } catch (error) {
      await running.stop()
      throw error
    }
  }
  let port = await freePort()
  let running: Running | undefined
  // Another process may take the port between our look and the server's bind: then look again.
  for (let attempt = 1; running === undefined; attempt++)
    try {
      running = await launch(port)
    } catch (error) {
      if (attempt === 5 || !/address already in use/.test(String(error))) throw error
      port = await freePort()
    }
  const server = running

  const query = async (expression: string): Promise<readonly Sample[]> => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/query`, {
      method: 'POST',
      body: new URLSearchParams({ query: expression }),
    })
    const answer = (await response.json()) as {
      status: string
      error?: string
      data: { resultType: string; result: Sample[] }
    }
    if (answer.status !== 'success') throw new Error(`${expression}: ${answer.error}`)
    return answer.data.result
  }
  return {
    query,
    async until(expression, deadline = 60_000) {
      const end = performance.now() + deadline
      for (;;) {
        const found = await query(expression)
        if (found.length > 0 || performance.now() > end) return found
        // A question costs Prometheus more than it costs us; it looks no more often itself.
        await sleep(200)
      }
    },
    async stop() {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
