// Reads the caller's access token or API key, from a file only: other users see a command line, and the shell keeps it (RFC 6750 5.2).
import { type Io, UsageError } from '../cli/io.ts'
import { isLoopback } from '../core/loopback.ts'
import { readNamed } from './values.ts'

export const TOKEN_VARIABLE = 'DUCTAPE_MCP_TOKEN_FILE'

/** The headers of all of a service together have to stay under 16 KiB. */
const MAX_TOKEN = 15 * 1024
// RFC 6750 2.1.
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/

/** The Authorization header for a service at this URL; none where neither the option nor the variable names a file. */
export function authorizationFor(url: URL, option: string | undefined, io: Io): Record<string, string> {
  const path = option ?? (io.env[TOKEN_VARIABLE] || undefined)
  if (path === undefined) return {}
  const named = option === undefined ? TOKEN_VARIABLE : '--token-file'
  const token = readNamed(path, named, io.readFile).trim()
  if (token.length > MAX_TOKEN || !TOKEN.test(token))
    throw new UsageError(`${named}: the file does not hold one token or API key.\n`)
  if (url.protocol !== 'https:' && !isLoopback(url.hostname))
    throw new UsageError(
      `${named}: a token is sent over https only, or to this machine; give an https URL with --url.\n`,
    )
  return { authorization: `Bearer ${token}` }
}
