// The counts of the scanner's promise: flags among benign pieces, and planted secrets that are found; the slice of npm test and the full run share them.

import type { Plan } from '../../../src/response/scan/look.ts'
import { benignPieces } from './benign.ts'
import { lookAt } from './look.ts'
import { PLANTED } from './planted.ts'
import { random } from './random.ts'

/** Pieces of which something was found, and of them those that would be refused. */
export function countBenign(
  plan: Plan,
  count: number,
  seed: number,
): { flagged: number; blocked: number; rules: Map<string, number>; files: Map<string, number> } {
  let flagged = 0
  let blocked = 0
  const rules = new Map<string, number>()
  const files = new Map<string, number>()
  for (const { text, file } of benignPieces(count, seed)) {
    const found = lookAt(plan, text)
    if (found.length === 0) continue
    flagged++
    files.set(file, (files.get(file) ?? 0) + 1)
    if (found.some(({ action }) => action === 'block')) blocked++
    for (const id of new Set(found.map(({ rule }) => rule.id))) rules.set(id, (rules.get(id) ?? 0) + 1)
  }
  return { flagged, blocked, rules, files }
}

/** Secrets of all kinds in turn, each in the middle of a benign piece, as text or as a member of JSON. */
export function countPlanted(
  plan: Plan,
  count: number,
  seed: number,
): { planted: number; found: number; kinds: number; missed: string[] } {
  const next = random(seed)
  const kinds = plan.rules.filter(({ detector }) => detector === 'secret').map(({ id }) => id)
  const missed: string[] = []
  let planted = 0
  for (const { text } of benignPieces(count, seed)) {
    const id = kinds[planted % kinds.length] as string
    const secret = PLANTED[id]?.(next) ?? ''
    const at = Math.floor(next() * text.length)
    const inJson = next() < 0.5
    const whole = inJson
      ? `${JSON.stringify({ before: text.slice(0, at) }).slice(0, -1)},"text":"${secret}"}`
      : `${text.slice(0, at)}\n${secret}\n${text.slice(at)}`
    planted++
    const from = whole.indexOf(secret)
    const found = lookAt(plan, whole).some(
      (one) => one.rule.detector === 'secret' && one.from >= from && one.to <= from + secret.length,
    )
    if (!found) missed.push(id)
  }
  return { planted, found: planted - missed.length, kinds: kinds.length, missed }
}
