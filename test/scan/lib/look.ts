// Compiled rules and one look through a text, as the tests use them.
import assert from 'node:assert/strict'
import type { ScanFile } from '../../../src/response/scan/config.ts'
import { scanSchema } from '../../../src/response/scan/config.ts'
import { compileScan, loadPatternEngine, type ScanRules } from '../../../src/response/scan/index.ts'
import { type Finding, lookOn, openLook, type Plan } from '../../../src/response/scan/look.ts'

export async function rulesFor(file: unknown): Promise<ScanRules> {
  await loadPatternEngine()
  const compiled = compileScan(scanSchema.parse(file) as ScanFile)
  assert.ok(compiled.ok, JSON.stringify(compiled))
  return compiled.rules
}

export function planOf(rules: ScanRules): Plan {
  const plan = rules.plan('read')
  assert.ok(plan !== undefined)
  return plan
}

export function lookAt(plan: Plan, text: string): readonly Finding[] {
  const look = openLook(plan, text)
  while (!lookOn(look)) {}
  return look.findings ?? []
}

export const idsIn = (plan: Plan, text: string): string[] => lookAt(plan, text).map(({ rule }) => rule.id)

/** Milliseconds of this thread alone: what else the machine does stays out of it. */
export function timeOf(plan: Plan, text: string): number {
  const start = process.threadCpuUsage()
  lookAt(plan, text)
  const { user, system } = process.threadCpuUsage(start)
  return (user + system) / 1000
}
