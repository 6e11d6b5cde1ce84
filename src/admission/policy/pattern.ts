// Decides whether a text matches a list of patterns or a path lies under a prefix: `*` is any run of characters, the rest stands for itself.
import type { Target } from '../../core/policy.ts'

/** A list of patterns of which one has to match. */
export interface Patterns {
  readonly sources: readonly string[]
  readonly literals: ReadonlySet<string>
  /** Each split at its stars; never fewer than two pieces. */
  readonly globs: readonly (readonly string[])[]
}

export function compilePatterns(given: string | readonly string[]): Patterns {
  const sources = typeof given === 'string' ? [given] : given
  return {
    sources,
    literals: new Set(sources.filter((source) => !source.includes('*'))),
    globs: sources.filter((source) => source.includes('*')).map((source) => source.split('*')),
  }
}

export function matchesPattern(patterns: Patterns, text: string): boolean {
  if (patterns.literals.has(text)) return true
  for (const pieces of patterns.globs) if (matchesGlob(pieces, text)) return true
  return false
}

// Taking the leftmost place of each piece is enough, because a star absorbs whatever lies between: no step back, so linear.
function matchesGlob(pieces: readonly string[], text: string): boolean {
  const first = pieces[0] ?? ''
  const last = pieces[pieces.length - 1] ?? ''
  const end = text.length - last.length
  if (first.length > end || !text.startsWith(first) || !text.endsWith(last)) return false
  let at = first.length
  for (let i = 1; i < pieces.length - 1; i++) {
    const piece = pieces[i] ?? ''
    const found = text.indexOf(piece, at)
    if (found < 0 || found + piece.length > end) return false
    at = found + piece.length
  }
  return true
}

/** True where every text that `inner` matches is matched by `outer`; may be false where a human sees it is true. */
export function coversPatterns(outer: Patterns, inner: Patterns): boolean {
  // A star of the inner pattern is a character that only a star of the outer one can take, and it then takes what that stands for.
  return inner.sources.every((source) => matchesPattern(outer, source))
}

/** `reports/` and `reports` cover `reports`, `reports/a` and nothing else. */
export function isUnder(prefix: string, path: string): boolean {
  const bare = prefix.endsWith('/') ? prefix.slice(0, -1) : prefix
  return path.startsWith(bare) && (path.length === bare.length || path[bare.length] === '/')
}

export type Sense = 'allow' | 'deny'

/**
 * An allow rule needs to know every value and to match them all; a deny rule needs one that matches, or one that cannot be seen.
 * Neither matches where there is no value at all (core/policy.ts, Target).
 */
export function matchesTarget(patterns: Patterns, target: Target, sense: Sense): boolean {
  if (target === 'unknown') return sense === 'deny'
  if (sense === 'deny') {
    for (const value of target) if (matchesPattern(patterns, value)) return true
    return false
  }
  for (const value of target) if (!matchesPattern(patterns, value)) return false
  return target.length > 0
}

export function matchesPaths(prefixes: readonly string[], target: Target, sense: Sense): boolean {
  if (target === 'unknown') return sense === 'deny'
  if (sense === 'deny') {
    for (const path of target) if (touchesAny(prefixes, path)) return true
    return false
  }
  for (const path of target) if (!isUnderAny(prefixes, path)) return false
  return target.length > 0
}

function isUnderAny(prefixes: readonly string[], path: string): boolean {
  for (const prefix of prefixes) if (isUnder(prefix, path)) return true
  return false
}

/** A deny rule takes `/a` and `a` for one place, since storages differ on that; and a folder includes what is denied below it. */
function touchesAny(prefixes: readonly string[], path: string): boolean {
  const place = unrooted(path)
  for (const prefix of prefixes) {
    const denied = unrooted(prefix)
    if (denied === '' || isUnder(denied, place) || (place.endsWith('/') && isUnder(place, denied)))
      return true
  }
  return false
}

const unrooted = (path: string): string => (path.startsWith('/') ? path.slice(1) : path)
