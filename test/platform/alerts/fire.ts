// Makes the alerts of one fault fire in a real Prometheus: silent before it, firing after it.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Prometheus, startPrometheus } from '../lib/prometheus.ts'
import { type Fault, prepare } from './faults.ts'

const DEADLINE = 180_000
export const firing = (alert: string): string => `ALERTS{alertname="${alert}",alertstate="firing"}`

/** Seconds from the fault to each alert; rejects where one was there before or did not come. */
export async function fire(fault: Fault): Promise<ReadonlyMap<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-alerts-'))
  const bench = await prepare(fault, folder)
  let prometheus: Prometheus | undefined
  let over = false
  let pressure: Promise<unknown> = Promise.resolve()
  try {
    prometheus = await startPrometheus({ targets: [bench.service.ops] })
    const server = prometheus
    assert.equal((await server.until('count_over_time(ductape_mcp_build_info[3s]) > 3')).length, 1)
    // A full device is a fault from the start.
    if (fault.stdout === undefined)
      for (const alert of fault.alerts) assert.deepEqual(await server.query(firing(alert)), [], alert)
    const from = performance.now()
    await fault.breakIt(bench)
    const { during } = bench
    const press = async (): Promise<void> => {
      while (!over) await during?.()
    }
    if (during !== undefined) pressure = press()
    const wait = async (alert: string): Promise<[string, number]> => {
      const found = await server.until(firing(alert), DEADLINE)
      assert.ok(found.length > 0, `${alert} did not fire: ${fault.what}`)
      return [alert, (performance.now() - from) / 1000]
    }
    const fired = Promise.all(fault.alerts.map(wait))
    // Pressure that fails ends the wait instead of leaving it to the deadline.
    await Promise.race([fired, pressure.then(() => fired)])
    return new Map(await fired)
  } finally {
    over = true
    await bench.close()
    await pressure.catch(() => undefined)
    await prometheus?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
