// How config values spell host, port and URL (RFC 3986).
import { isIPv6 } from 'node:net'

export interface HostPort {
  readonly host: string
  readonly port: number
}

// "127.0.0.1:3001", "[::1]:3001", "localhost:3001"; the host comes back without brackets.
export function parseHostPort(text: string): HostPort | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^[\]:/@?#\s]+)):(0|[1-9][0-9]{0,4})$/.exec(text)
  if (match === null) return undefined
  const [, ipv6, name, digits] = match
  const port = Number(digits)
  if (port > 65_535) return undefined
  if (ipv6 !== undefined) return isIPv6(ipv6) ? { host: ipv6.toLowerCase(), port } : undefined
  return name === undefined ? undefined : { host: name.toLowerCase(), port }
}

export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

export function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

export function urlHost(url: URL): string {
  return url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname
}
