// The path guard: says why a text is no plain path, in whatever way it hides that; docs/operate/guards.md has the table.
import type { PathGuard } from '../../../core/guards.ts'

export const MAX_PATH = 4096
/** Bytes: no file system holds a longer name. */
const MAX_SEGMENT = 255

const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Default_Ignorable_Code_Point}\ufffd]/u
// Slashes, backslashes, dots, percent signs and colons of other alphabets and of mathematics, and the two signs that old code pages write as a backslash.
const LOOKALIKE =
  /[\u2044\u2215\u2571\u29f8\uff0f\u2216\u2572\u29f5\u29f9\ufe68\uff3c\u00a5\u20a9\uffe5\uffe6\u2024\u2025\u2026\u06d4\u0701\u0702\ua4f8\ua4fa\ufe52\uff0e\u066a\ufe6a\uff05\u02d0\u0589\u2236\ua789\ufe13\ufe55\uff1a]/u
// UTF-8 of a character in more bytes than it needs, each byte read as a character of its own.
const OVERLONG = /[\u00c0\u00c1][\u0080-\u00bf]/
// As in URLs, also the old %u form; UTF-7 and quoted-printable of dot, slash and backslash; character references.
const ENCODED = /%[0-9a-f]{2}|%u[0-9a-f]{4}|\+A(?:C4|C8|Fw)|=(?:2e|2f|5c)|&(?:#|[a-z]+;)/i
const SHELL = /[;&|$`<>*?"{}^]|%\w+%/
const DEVICE = /^(?:con|prn|aux|nul|clock\$|conin\$|conout\$|com[0-9]|lpt[0-9])[ ]*(?:\.|$)/i
/** Short name that Windows makes beside a long one. */
const SHORT_NAME = /^[^.]{1,6}~[0-9](?:\.|$)/
/** A colon that is not part of a time of day. */
const COLON = /(?<![0-9]):|:(?![0-9])/

/** Why the path is refused, as the end of a sentence; undefined = it is not. */
export function judgePath(text: string, settings: PathGuard): string | undefined {
  if (text.length > MAX_PATH) return 'is longer than 4,096 characters'
  if (HIDDEN.test(text)) return 'holds a control or invisible character'
  if (LOOKALIKE.test(text)) return 'holds a character that looks like a slash, dot, percent sign or colon'
  if (OVERLONG.test(text)) return 'is encoded in more bytes than it needs'
  const reason = judgePlain(text, settings)
  if (reason !== undefined) return reason
  // What a storage that folds characters would make of it has to be as plain.
  const folded = text.normalize('NFKC')
  if (folded === text) return undefined
  return structureOf(folded) !== structureOf(text) || judgePlain(folded, settings) !== undefined
    ? 'holds characters that stand for others'
    : undefined
}

const structureOf = (text: string): string => text.replace(/[^./\\%:~]/g, '')

function judgePlain(text: string, { absolute, metacharacters }: PathGuard): string | undefined {
  if (ENCODED.test(text)) return 'is encoded; write the characters themselves'
  if (text.includes('\\')) return 'holds a backslash'
  if (text.startsWith('/') && !absolute) return 'begins with a slash'
  if (text.startsWith('~')) return 'begins in a home directory'
  if (text.startsWith('-')) return 'begins like an option'
  if (text.includes('..')) return 'leads above its folder'
  if (COLON.test(text)) return 'names a drive, a stream or a scheme'
  if (!metacharacters && SHELL.test(text)) return 'holds a character that means something to a shell'
  const segments = text.split('/')
  for (const [index, segment] of segments.entries()) {
    const reason = judgeSegment(segment, index === 0 || index === segments.length - 1)
    if (reason !== undefined) return reason
  }
  return undefined
}

function judgeSegment(segment: string, mayBeEmpty: boolean): string | undefined {
  if (segment === '') return mayBeEmpty ? undefined : 'has an empty name between two slashes'
  if (segment === '.') return 'has a name that is only a dot'
  // Windows leaves them out, so two texts would name one file.
  if (/^ |[ .]$/.test(segment)) return 'has a name that begins or ends with a space, or ends with a dot'
  if (DEVICE.test(segment)) return 'names a device of Windows'
  if (SHORT_NAME.test(segment)) return 'has a short name of Windows'
  if (segment.length > MAX_SEGMENT || Buffer.byteLength(segment) > MAX_SEGMENT)
    return 'has a name of more than 255 bytes'
  return undefined
}
