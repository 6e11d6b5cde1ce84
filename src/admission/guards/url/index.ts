// The URL guard: says why a URL, a connection string or a list of hosts leads where it must not; docs/operate/guards.md has the table.
import type { UrlGuard } from '../../../core/guards.ts'
import { judgeHosts, judgeParameter } from './authority.ts'
import { judgeDsn, judgeJdbc } from './connection.ts'

export const MAX_URL = 4096

const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\ufffd]/u
const LINE_BREAK = /%(?:25)*(?:0[0ad])|%(?:25)*(?:e5%98%8[ad])/i
const SCHEME = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i
/** In these the user name hides the host from the reader; in the others it is who connects. */
const WEB: ReadonlySet<string> = new Set(['http', 'https', 'ws', 'wss', 'ftp', 'ftps', 's3', 'gs'])
const USER_INFO = /^(?:[a-z0-9._~!$'()*+,;=-]|%[0-9a-f]{2})*(?::(?:[a-z0-9._~!$'()*+,;=-]|%[0-9a-f]{2})*)?$/i

export interface Place {
  /** A path that is put behind the base URL of an app, or a URL. */
  readonly resource: boolean
}

/** Why the text is refused, as the end of a sentence; undefined = it is not. */
export function judgeUrl(text: string, settings: UrlGuard, { resource }: Place): string | undefined {
  if (text.length > MAX_URL) return 'is longer than 4,096 characters'
  if (HIDDEN.test(text)) return 'holds a control or invisible character'
  if (LINE_BREAK.test(text)) return 'holds an encoded line break or NUL'
  if (text.includes('\\')) return 'holds a backslash'
  if (resource && !SCHEME.test(text)) return judgeResource(text)
  if (/^jdbc:/i.test(text)) return judgeJdbc(text.slice(5), settings, judgeAbsolute)
  if (!SCHEME.test(text) && /^[^/?#@:]*=/.test(text)) return judgeDsn(text, settings, judgeAbsolute)
  if (/\s/u.test(text)) return 'holds a space'
  if (SCHEME.test(text)) return judgeAbsolute(text, settings)
  return settings.schemes.has(BARE) ? judgeBehind(BARE, text, settings) : 'has no scheme'
}

/** In the place of a scheme, what has none: `host:port`, or a list of them, and `key=value`. */
const BARE = 'host'
const NO_SCHEMES: ReadonlySet<string> = new Set([BARE, 'dsn'])

function judgeAbsolute(text: string, settings: UrlGuard): string | undefined {
  const [, given = '', after = ''] = SCHEME.exec(text) ?? []
  const scheme = given.toLowerCase()
  return settings.schemes.has(scheme) && !NO_SCHEMES.has(scheme)
    ? judgeBehind(scheme, after, settings)
    : 'has a scheme that is not allowed'
}

/** `authority/rest`; hosts are judged, and addresses that stand in the rest. */
function judgeBehind(scheme: string, after: string, settings: UrlGuard): string | undefined {
  const end = after.search(/[/?#]/)
  const authority = end < 0 ? after : after.slice(0, end)
  const rest = end < 0 ? '' : after.slice(end)
  if (authority === '') return 'has no host'
  // A reader that looks for the "@" first would take all before it for a user name.
  if (/^[?#]/.test(rest) && rest.includes('@')) return 'has an "@" behind its host'

  const at = authority.lastIndexOf('@')
  if (at >= 0) {
    if (WEB.has(scheme) || scheme === BARE) return 'has user information in front of its host'
    if (!USER_INFO.test(authority.slice(0, at))) return 'has user information that can be read in two ways'
  }
  const hosts = authority.slice(at + 1)
  return (
    judgeHosts(hosts, settings, { several: !WEB.has(scheme) }) ??
    judgeRest(rest, settings, { connection: !WEB.has(scheme) })
  )
}

// Only what follows is looked at: a pattern for the scheme before it would start anew at every character.
const NESTED = /[:=]\/\/([^/?#\s&;,'"<>()]*)/g

/** Path, query and fragment: parameters that name a host, and addresses that a redirect could lead to. */
function judgeRest(
  rest: string,
  settings: UrlGuard,
  { connection }: { connection: boolean },
): string | undefined {
  if (connection) {
    const query = rest.replace(/^[^?]*\??/, '')
    for (const pair of query.split(/[&;]/)) {
      const [name = '', value = ''] = pair.split('=', 2).map(decoded)
      const reason = judgeParameter(name, value, settings)
      if (reason !== undefined) return reason
    }
  }
  for (const [, authority = ''] of decoded(rest).matchAll(NESTED)) {
    const reason = judgeNested(authority)
    if (reason !== undefined) return reason
  }
  return undefined
}

const ANY_PUBLIC: UrlGuard = { schemes: new Set(), allowsHost: () => true, namesHost: () => false }

function judgeNested(authority: string): string | undefined {
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  return judgeHosts(host, ANY_PUBLIC, { several: false }) === undefined
    ? undefined
    : 'holds another URL that leads to a private, special-use or metadata address'
}

/** Decoded until nothing changes, at most three times; what cannot be decoded stays as it is. */
function decoded(text: string): string {
  let value = text
  for (let i = 0; i < 3 && value.includes('%'); i++) {
    try {
      value = decodeURIComponent(value)
    } catch {
      break
    }
  }
  return value
}

const RESOURCE = /^\/(?!\/)\S*$/u

/** It is put behind a host, so it has to begin with the slash that ends the host. */
function judgeResource(text: string): string | undefined {
  if (!text.startsWith('/')) return 'has to begin with a slash, or with a scheme and "://"'
  if (!RESOURCE.test(text)) return 'has no plain path'
  if (/(?:^|\/)\.\.?(?:[/?#]|$)/.test(decoded(text))) return 'leads above its folder'
  return undefined
}
