// The known name nearest to a mistyped one (by edit distance).
import { editDistance } from '../core/edit-distance.ts'

const plain = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '')

export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > 64) return undefined
  const wanted = plain(name)
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(wanted, plain(candidate))
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}
