// Texts of one unit again and again, with which a rule could be made to look in vain.
import type { Rule } from '../../../src/response/scan/rule.ts'
import { PLANTED } from './planted.ts'
import { random } from './random.ts'

export function hostileTo(rule: Rule): string[] {
  const planted = PLANTED[rule.id]?.(random(3)) ?? ''
  const triggers = rule.triggers.map((trigger) =>
    typeof trigger === 'string' ? trigger : trigger.map((letters) => letters.charAt(0)).join(''),
  )
  const units = [...triggers, ''].flatMap((trigger) => [
    trigger,
    `${trigger} `,
    `"${trigger}`,
    `${trigger}A1`,
    `${trigger}=`,
    `${trigger}="`,
    `${trigger}a1b2c3d4.`,
    planted.slice(0, -1),
    `${planted.slice(0, Math.ceil(planted.length / 2))} `,
  ])
  return [...new Set(units)].filter((unit) => unit !== '')
}
