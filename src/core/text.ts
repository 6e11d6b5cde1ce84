// Makes foreign text safe to show: control and invisible characters out, length bounded, credentials replaced.

export const REDACTED = '[REDACTED]'

// Controls but the line feed, formats (bidi, zero width, tags), line separators and whatever else a reader cannot see.
const INVISIBLE = /[[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]--[\n]]/gv

/** Visible text of at most `max` UTF-16 units; line feeds stay, other control characters become spaces. */
export function visibleText(text: string, max: number): string {
  // Cut first: the pattern then never sees more than a little over what it may keep.
  const cut = text.length > max * 2 ? text.slice(0, max * 2) : text
  const clean = cut.toWellFormed().replace(INVISIBLE, ' ')
  return clean.length > max ? `${clean.slice(0, max - 1).toWellFormed()}…` : clean
}

/** Known prefixes of keys, anywhere in a text. */
export const KEY_PREFIX = /(?<![A-Za-z0-9])(?:d?pk|pub|sk|rk|ey|gh[a-z]|xox|AKIA|AIza|Bearer)[_\-%A-Z]/
const LONG_WORD = /[\w+/=.%~-]{20,}/g
const MIN_LONG = 20
/** How far a name is looked at: well past what is ever shown of it. */
const MAX_LOOK = 1024

/** True where a text holds what may be a key: a known prefix, or a long word with a digit (base64 and percent-encoded forms are such words). */
export function looksLikeKey(text: string): boolean {
  const head = text.slice(0, MAX_LOOK)
  if (KEY_PREFIX.test(head)) return true
  return head.length >= MIN_LONG && head.match(LONG_WORD)?.some((word) => /\d/.test(word)) === true
}

/** A name from the caller as an error may show it: short, one line, never something that could be a key. */
export function shownName(name: string): string {
  if (looksLikeKey(name)) return REDACTED
  return JSON.stringify(visibleText(name, 64).replaceAll('\n', ' '))
}
