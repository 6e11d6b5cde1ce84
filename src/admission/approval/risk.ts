// What a person is told of the risk of a call, in the sentences of seed 002.
import type { Effect } from '../../core/tool.ts'

export const RISKS = {
  data_loss: 'This operation can cause data loss',
  sensitive: 'Arguments may contain sensitive data',
  low: 'Low risk operation',
} as const

export type Risk = keyof typeof RISKS

const SENSITIVE = /passw|secret|token|credential|api[_-]?key|private[_-]?key/i

/** `text`: the arguments as JSON. What an operation changes in the settings can lose data as well. */
export function risksOf(effect: Effect, text: string): readonly Risk[] {
  const risks: Risk[] = []
  if (effect === 'destructive' || effect === 'admin') risks.push('data_loss')
  if (SENSITIVE.test(text)) risks.push('sensitive')
  return risks.length === 0 ? ['low'] : risks
}

export const riskText = (risks: readonly Risk[]): string => risks.map((risk) => RISKS[risk]).join('; ')
