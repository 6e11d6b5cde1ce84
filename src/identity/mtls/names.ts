// What a name in a certificate may look like, and which pattern it fits: SPIFFE IDs (SPIFFE-ID 2), URIs (RFC 3986), DNS names (RFC 5280 4.2.1.6).

// SPIFFE-ID 2.3: 2048 bytes in all, 255 of them for the trust domain.
const MAX_URI = 2048
const MAX_DNS_NAME = 253

const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/
const SPIFFE_SCHEME = /^spiffe:/i
const SPIFFE_ID = /^spiffe:\/\/([a-z0-9._-]{1,255})((?:\/[A-Za-z0-9._-]+)*)$/
const DOT_SEGMENT = /\/\.{1,2}(?:\/|$)/
const URI = /^[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=%]+$/
const DNS_NAME = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/

export interface SpiffeId {
  readonly trustDomain: string
  /** Empty, or segments with a slash before each. */
  readonly path: string
}

export const isTrustDomain = (text: string): boolean => TRUST_DOMAIN.test(text)

/** By its scheme; whether it is well-formed is another question. Schemes are case-insensitive (RFC 3986 3.1). */
export const isSpiffe = (uri: string): boolean => SPIFFE_SCHEME.test(uri)

export function parseSpiffeId(uri: string): SpiffeId | undefined {
  const match = uri.length <= MAX_URI ? SPIFFE_ID.exec(uri) : null
  if (match === null || DOT_SEGMENT.test(match[2] as string)) return undefined
  return { trustDomain: match[1] as string, path: match[2] as string }
}

export const isUri = (text: string): boolean => text.length <= MAX_URI && URI.test(text)

/** In lower case, and no wildcard: a name that stands for many is nobody's identity. */
export const isDnsName = (text: string): boolean => text.length <= MAX_DNS_NAME && DNS_NAME.test(text)

/** A compiled pattern: its segments (of a URI between slashes, of a DNS name between dots), each with at most one `*`. */
export interface NamePattern {
  readonly separator: '/' | '.'
  readonly segments: readonly Segment[]
}

interface Segment {
  readonly before: string
  /** Undefined where the segment has no `*` and `before` is all of it. */
  readonly after: string | undefined
}

export type PatternFault =
  | 'two stars in one segment'
  | 'star before the path'
  | 'not a name'
  | 'not a SPIFFE ID of a workload'

/** A pattern for names of a kind, or what is wrong with it. A `*` stands for one or more characters of one segment. */
export function compilePattern(kind: 'uri' | 'dns', text: string): NamePattern | PatternFault {
  const separator = kind === 'uri' ? '/' : '.'
  const segments: Segment[] = []
  for (const segment of text.split(separator)) {
    const [before, after, ...more] = segment.split('*')
    if (more.length > 0) return 'two stars in one segment'
    segments.push({ before: before as string, after })
  }
  if (kind === 'uri' && !hasLiteralAuthority(text)) return 'star before the path'
  // What a pattern could match is a name itself: with a letter in place of each star it has to be one.
  const sample = text.replaceAll('*', 'a')
  if (kind === 'dns' ? !isDnsName(sample) : !isUri(sample)) return 'not a name'
  if (kind === 'uri' && isSpiffe(sample) && (parseSpiffeId(sample)?.path ?? '') === '')
    return 'not a SPIFFE ID of a workload'
  return { separator, segments }
}

/** The scheme and the authority decide who vouches for a name: no star there (RFC 3986 3.2). */
function hasLiteralAuthority(text: string): boolean {
  const star = text.indexOf('*')
  return star === -1 || /^[^*/]+:\/\/[^*/]+\/[^*]*$/.test(text.slice(0, star))
}

/** Each character of the name is looked at a bounded number of times. */
export function matchesPattern(pattern: NamePattern, name: string): boolean {
  const { separator, segments } = pattern
  let start = 0
  for (let i = 0; i < segments.length; i++) {
    const next = name.indexOf(separator, start)
    const isLast = i === segments.length - 1
    // As many segments in the name as in the pattern, so that a star never reaches over a separator.
    if (isLast !== (next === -1)) return false
    const { before, after } = segments[i] as Segment
    const end = isLast ? name.length : next
    if (!name.startsWith(before, start)) return false
    const rest = end - start - before.length
    if (after === undefined ? rest !== 0 : rest <= after.length || !name.endsWith(after, end)) return false
    start = end + 1
  }
  return true
}
