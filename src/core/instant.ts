// Reads points in time as people write them in files and on the command line: UTC, in one spelling (RFC 3339).

const INSTANT = /^\d{4}-\d{2}-\d{2}(?:T(?:[01]\d|2[0-3]):\d{2}:\d{2}(?:\.\d{1,3})?Z)?$/
const SPAN = /^([1-9]\d{0,5})([mhd])$/
const MINUTE = 60_000
const UNITS: Readonly<Record<string, number>> = { m: MINUTE, h: 60 * MINUTE, d: 24 * 60 * MINUTE }

/** Milliseconds since the epoch of `2027-01-31` (its first moment) or `2027-01-31T12:00:00Z`; undefined where it is neither. */
export function parseInstant(text: string): number | undefined {
  if (!INSTANT.test(text)) return undefined
  const time = Date.parse(text)
  // The parser takes 30 February for 2 March.
  if (!(time >= 0) || new Date(time).getUTCDate() !== Number(text.slice(8, 10))) return undefined
  return time
}

/** Milliseconds of `30m`, `24h` or `90d`; undefined where it is none of them. */
export function parseSpan(text: string): number | undefined {
  const match = SPAN.exec(text)
  return match === null ? undefined : Number(match[1]) * (UNITS[match[2] as string] as number)
}

/** Seconds are enough for people. */
export const formatInstant = (time: number): string => `${new Date(time).toISOString().slice(0, 19)}Z`
