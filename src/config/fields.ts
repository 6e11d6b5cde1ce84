// The kinds of value a config key can have: each a zod codec from YAML text to the resolved value and back.
import { isIP } from 'node:net'
import * as z from 'zod'
import { parseInstant } from '../core/instant.ts'
import { isLoopback } from '../core/loopback.ts'
import { formatHostPort, type HostPort, parseHostPort, parseUrl, urlHost } from './address.ts'
import { DURATION, formatUnit, parseUnit, type Scale, SIZE, unitPattern } from './units.ts'

// What a kind says of itself: in the docs column, and in the message and fix of a value it refuses.
export interface Kind {
  readonly type: string
  readonly expects: string
  readonly fix: string
}

export const kinds = z.registry<Kind>()

export interface Fault {
  readonly message: string
  readonly fix: string
}

type Decoded<T> = { readonly value: T } | { readonly fault: Fault }

const MAX_TEXT = 2048
// Control and invisible characters, line separators, and what a wrong encoding leaves behind.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\u2028\u2029\ufffd]/u

function fault(message: string, fix: string): { readonly fault: Fault } {
  return { fault: { message, fix } }
}

interface TextKind<T> extends Kind {
  readonly pattern: string
  decode(text: string): Decoded<T>
  encode(value: T): string
}

// The pattern reaches the JSON Schema as metadata, not as a zod check: a failed check would hide the kind's own message.
/** Reports what is wrong with members of a section that depend on each other; a name stands for the path of one member. */
export const faultsOf =
  (context: Pick<z.core.ParsePayload, 'value' | 'issues'>) =>
  (path: string | PropertyKey[], message: string, fix: string): void =>
    void context.issues.push({
      code: 'custom',
      input: context.value,
      path: typeof path === 'string' ? [path] : path,
      message,
      params: { fix },
    })

function text<T>(kind: TextKind<T>) {
  const input = z.string().max(MAX_TEXT).meta({ pattern: kind.pattern })
  const schema = z.codec(
    input,
    z.custom<T>(() => true),
    {
      decode: (raw, context) => {
        const decoded = UNPRINTABLE.test(raw)
          ? fault('holds a control or invisible character', 'Remove it; the value is one line of plain text.')
          : kind.decode(raw)
        if ('value' in decoded) return decoded.value
        const { message, fix } = decoded.fault
        context.issues.push({ code: 'custom', input: raw, message, params: { fix } })
        return z.NEVER
      },
      encode: (value) => kind.encode(value),
    },
  )
  kinds.add(schema, { type: kind.type, expects: kind.expects, fix: kind.fix })
  return schema
}

interface Range {
  readonly min: string
  readonly max: string
}

function unit(scale: Scale, { min, max }: Range) {
  const low = parseUnit(scale, min)
  const high = parseUnit(scale, max)
  if (low === undefined || high === undefined) throw new Error(`config: bad range ${min} to ${max}`)
  const units = [...scale.units.keys()].join(', ')
  const expects = `a ${scale.noun} from ${min} to ${max}`
  const fix = `Write a whole number and its unit (${units}), for example "${scale.example}".`
  return text<number>({
    type: `${scale.noun}, ${min} to ${max}`,
    expects,
    fix,
    pattern: unitPattern(scale),
    decode: (raw) => {
      const value = parseUnit(scale, raw)
      if (value === undefined) return fault(`must be ${expects}, not this text`, fix)
      if (value < low) return fault(`is less than ${min}`, `Write ${min} or more.`)
      if (value > high) return fault(`is more than ${max}`, `Write ${max} or less.`)
      return { value }
    },
    encode: (value) => formatUnit(scale, value),
  })
}

export function duration(range: Range) {
  return unit(DURATION, range)
}

export function size(range: Range) {
  return unit(SIZE, range)
}

const ORIGIN = {
  type: 'origin: https, or http on loopback',
  expects: 'an origin such as "https://mcp.example.com"',
  fix: 'Write scheme, host and, where it is not the default, port: "https://mcp.example.com".',
}

// The scheme, host and port of a URL and nothing else, in the one spelling that a URL parser gives back.
export function origin() {
  return text<string>({
    ...ORIGIN,
    pattern: '^https?://[^/?#@\\\\\\s]+$',
    decode: (raw) => {
      const url = parseUrl(raw)
      if (url === undefined || !/^https?:\/\//i.test(raw))
        return fault(`must be ${ORIGIN.expects}`, ORIGIN.fix)
      if (url.username !== '' || url.password !== '') {
        return fault('holds a user name or password', 'Remove everything up to and including the "@".')
      }
      if (url.protocol === 'http:' && !isLoopback(urlHost(url))) {
        return fault(
          'is plain http to a host that is not loopback',
          `Write ${JSON.stringify(`https://${url.host}`)}.`,
        )
      }
      if (raw !== url.origin) {
        return fault(
          'must be the bare origin: no path, query, trailing slash, default port or capital letter',
          `Write ${JSON.stringify(url.origin)}.`,
        )
      }
      return { value: raw }
    },
    encode: (value) => value,
  })
}

export function proxyUrl() {
  const fix =
    'Write "http://host:port" or "https://host:port"; a proxy that wants a password is not supported.'
  return text<string>({
    type: 'proxy address: http(s)://host:port',
    expects: 'a proxy address such as "http://proxy.internal:3128"',
    fix,
    pattern: '^https?://[^/?#@\\\\\\s]+:[0-9]{1,5}$',
    decode: (raw) => {
      const url = parseUrl(raw)
      if (url === undefined) return fault('must be a proxy address such as "http://proxy.internal:3128"', fix)
      if (url.username !== '' || url.password !== '') return fault('holds a user name or password', fix)
      const port = /:([1-9][0-9]{0,4})$/.exec(raw)?.[1]
      const same = port !== undefined && raw === `${url.protocol}//${url.hostname}:${port}`
      if (!same || !/^https?:$/.test(url.protocol)) {
        return fault('must be http or https, a lower-case host and a port, and nothing else', fix)
      }
      return { value: raw }
    },
    encode: (value) => value,
  })
}

export type Listen = ({ readonly kind: 'tcp' } & HostPort) | { readonly kind: 'unix'; readonly path: string }

const UNIX_PATH_BYTES = 107 // sun_path holds 108 with its closing NUL

export function listenAddress() {
  const fix = 'Write a loopback address such as "127.0.0.1:3001", or "unix:" and an absolute path.'
  const expects = 'a loopback address and port, or "unix:" and a path'
  return text<Listen>({
    type: 'loopback host:port, or unix:/path',
    expects,
    fix,
    pattern: '^(unix:/.+|.+:[0-9]{1,5})$',
    decode: (raw) => {
      if (raw.startsWith('unix:')) {
        const path = raw.slice('unix:'.length)
        if (!path.startsWith('/') || path.endsWith('/')) {
          return fault('must name a socket by its absolute path', 'Write "unix:/run/ductape-mcp/mcp.sock".')
        }
        if (Buffer.byteLength(path) > UNIX_PATH_BYTES) {
          return fault(
            `is longer than a socket path may be (${UNIX_PATH_BYTES} bytes)`,
            'Choose a shorter path.',
          )
        }
        return { value: { kind: 'unix', path } }
      }
      const address = parseHostPort(raw)
      if (address === undefined) return fault(`must be ${expects}`, fix)
      if (!isLoopback(address.host)) {
        return fault(
          'is not a loopback address; this listener never faces the network itself',
          'Write "127.0.0.1:3001" and put nginx in front of it to expose the service.',
        )
      }
      return { value: { kind: 'tcp', ...address } }
    },
    encode: (value) => (value.kind === 'unix' ? `unix:${value.path}` : formatHostPort(value)),
  })
}

export function opsAddress() {
  const fix = 'Write an IP address and port such as "127.0.0.1:9464" or "0.0.0.0:9464", or off.'
  const expects = 'an IP address and port, or off'
  return text<HostPort | undefined>({
    type: 'address:port, or off',
    expects,
    fix,
    pattern: '^(off|.+:[0-9]{1,5})$',
    decode: (raw) => {
      if (raw === 'off') return { value: undefined }
      const value = parseHostPort(raw)
      if (value === undefined || (isIP(value.host) === 0 && value.host !== 'localhost')) {
        return fault(`must be ${expects}`, fix)
      }
      return { value }
    },
    encode: (value) => (value === undefined ? 'off' : formatHostPort(value)),
  })
}

// The value of a Host header: a lower-case name or address, with a port only where clients send one.
export function hostName() {
  const fix =
    'Write a name or address as clients send it in Host: "mcp.example.com" or "mcp.example.com:8443".'
  return text<string>({
    type: 'host or host:port',
    expects: 'a host such as "mcp.example.com"',
    fix,
    pattern: '^[^/?#@*\\s]+$',
    decode: (raw) => {
      const url = /^[^/?#@*\s\\]+$/.test(raw) ? parseUrl(`http://${raw}`) : undefined
      if (url === undefined)
        return fault('must be a host such as "mcp.example.com"; a wildcard is not one', fix)
      // The URL parser drops a port 80, which a Host header may well carry.
      if (raw !== url.host && raw !== `${url.host}:80`) {
        return fault(
          'is not spelled as a Host header spells it',
          'Write it in lower case, without scheme or path; an IPv6 address in brackets.',
        )
      }
      return { value: raw }
    },
    encode: (value) => value,
  })
}

/** A text that the pattern describes whole; what is wrong with another is only that it is not what is expected. */
export function word(pattern: RegExp, kind: Kind) {
  const schema = z.string().regex(pattern)
  kinds.add(schema, kind)
  return schema
}

/** One line of visible text: a name, or words for people. `noun` has its article. */
export function line(noun: string, max: number) {
  const expects = `${noun}, 1 to ${max} visible characters`
  return word(new RegExp(`^[^\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}]{1,${max}}$`, 'u'), {
    type: expects,
    expects,
    fix: 'Write one line of plain text.',
  })
}

/** What a text of a kind has to be beyond its words. */
interface Check {
  readonly max?: number
  /** For the JSON Schema. */
  readonly pattern?: string
  /** Undefined where the text is good, else what is wrong with it. */
  fault(text: string): string | undefined
}

/** A text that a function judges, with words of its own for what is wrong; `kind.fix` says how to mend it. */
export function judged(kind: Kind, { max = MAX_TEXT, pattern, fault: faultOf }: Check) {
  const schema = z
    .string()
    .max(max)
    .superRefine((text, context) => {
      const message = faultOf(text)
      if (message !== undefined) context.addIssue({ code: 'custom', message, params: { fix: kind.fix } })
    })
    .meta({ ...(pattern !== undefined && { pattern }) })
  kinds.add(schema, kind)
  return schema
}

/** A point in time, as milliseconds since the epoch. */
export function instant() {
  const expects = 'a time such as "2027-01-31T12:00:00Z"'
  const fix = 'Write a date, "2027-01-31", or a time in UTC, "2027-01-31T12:00:00Z".'
  const schema = z.string().transform((raw, context) => {
    const time = parseInstant(raw)
    if (time !== undefined) return time
    context.issues.push({ code: 'custom', input: raw, message: `must be ${expects}`, params: { fix } })
    return z.NEVER
  })
  kinds.add(schema, { type: 'time in UTC', expects, fix })
  return schema
}

/** The format of a file. */
export function version() {
  const schema = z.literal(1)
  kinds.add(schema, { type: '1', expects: '1, the format this build reads', fix: 'Write version: 1.' })
  return schema
}

export function filePath() {
  const fix = 'Write the path of a file, for example "/path/of/the/file".'
  return text<string>({
    type: 'file path',
    expects: 'the path of a file',
    fix,
    pattern: '^.*[^/]$', // not just "[^/]$": V8 14.6 with the u flag fails that for a last character beyond U+FFFF
    decode: (raw) =>
      raw !== '' && !raw.endsWith('/') ? { value: raw } : fault('must be the path of a file', fix),
    encode: (value) => value,
  })
}

export function fileReference() {
  const schema = z.strictObject({ file: filePath().describe('Path of the file') })
  kinds.add(schema, {
    type: '{ file: path }',
    expects: 'a file reference',
    fix: 'Write { file: "/path/of/the/file" }.',
  })
  return schema
}

export function choice<const T extends readonly [string, ...string[]]>(values: T) {
  const schema = z.enum(values)
  const list = values.join(', ')
  kinds.add(schema, { type: `one of ${list}`, expects: `one of ${list}`, fix: `Write one of ${list}.` })
  return schema
}

export function count({ min, max }: { readonly min: number; readonly max: number }) {
  const schema = z.int().min(min).max(max)
  const expects = `a whole number from ${min} to ${max}`
  kinds.add(schema, {
    type: `whole number, ${min} to ${max}`,
    expects,
    fix: `Write ${expects}, without quotes.`,
  })
  return schema
}

export function list<T extends z.ZodType>(item: T, noun: string, max: number) {
  const schema = z.array(item).max(max)
  kinds.add(schema, {
    type: `list of ${noun}, at most ${max}`,
    expects: `a list of ${noun}`,
    fix: `Write a list, one entry a line with "- " before it.`,
  })
  return schema
}
