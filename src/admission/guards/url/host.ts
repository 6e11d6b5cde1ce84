// Says of a host whether it is one that everybody can see: every other notation of an address, every name that leads inside, is refused.
import { isIP, isIPv4 } from 'node:net'
import { domainToASCII } from 'node:url'
import type { UrlGuard } from '../../../core/guards.ts'
import { isPrivateAddress } from '../../../core/private-address.ts'

// RFC 6761, 6762, 7686, 8375, 9476, names that ICANN keeps from being delegated, and those of clusters.
const INSIDE =
  /(?:^|\.)(?:localhost|localdomain|local|internal|intranet|lan|home|corp|private|arpa|test|invalid|onion|alt|svc|cluster|consul|docker|kubernetes|default)$/
// Public services that answer with the address that stands in the name, and names that always mean this machine.
const LEADS_INSIDE =
  /(?:^|\.)(?:nip\.io|sslip\.io|xip\.io|localtest\.me|lvh\.me|vcap\.me|lacolhost\.com|local\.gd|localh\.st|localho\.st|traefik\.me|backname\.io|rbndr\.us|1u\.ms|fuf\.me|lndo\.site)$/
const METADATA =
  /^(?:metadata(?:\.[a-z0-9-]+)*\.(?:tencentyun\.com|packet\.net|platformequinix\.com|azure\.com|google\.com|aliyun\.com)|instance-data(?:\..+)?|[a-z0-9-]*metadata)$/
const NUMBER = /^(?:[0-9]+|0x[0-9a-f]*)$/
const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/
/** An IPv4 address in a name, in one of the forms that name services take: `10.0.0.1.x`, `10-0-0-1`, `7f000001`. */
const DOTTED = /(?:^|[.-])((?:[0-9]{1,3}\.){3}[0-9]{1,3})(?=[.-])/g
const DASHED = /(?:^|[.-])((?:[0-9]{1,3}-){3}[0-9]{1,3})(?=[.-])/g

/** Why the host is refused, as the end of a sentence; undefined = it is not. `text` as it stands, without port. */
export function judgeHost(text: string, settings: UrlGuard): string | undefined {
  if (text.startsWith('[')) return judgeBracketed(text, settings)
  // Letters and digits of any alphabet, and what stands for a dot in some: a host has no other signs.
  if (!/^[\p{L}\p{N}\p{M}._\u3002\uff0e\uff61-]+$/u.test(text)) {
    return isIP(text) === 6 ? 'has an IPv6 address without brackets' : 'has no valid host'
  }
  // A parser of browsers folds other alphabets and notations; where it reads something else, that has to hold as well.
  const ascii = domainToASCII(text)
  if (ascii === '') return 'has no valid host'
  const host = text.toLowerCase().replace(/\.$/, '')
  const plain = ascii.replace(/\.$/, '')
  if (/[^\x21-\x7e]/.test(host)) return judgeName(plain, settings)
  return judgeName(host, settings) ?? (plain === host ? undefined : judgeName(plain, settings))
}

function judgeBracketed(text: string, settings: UrlGuard): string | undefined {
  const address = text.slice(1, -1)
  if (!text.endsWith(']') || isIP(address) !== 6 || address.includes('%')) return 'has no valid host'
  return judgeAllowed(address.toLowerCase(), isPrivateAddress(address), settings)
}

function judgeName(host: string, settings: UrlGuard): string | undefined {
  const labels = host.split('.')
  const last = labels.at(-1) ?? ''
  if (NUMBER.test(last)) {
    return isIPv4(host)
      ? judgeAllowed(host, isPrivateAddress(host), settings)
      : 'has an address in another notation than four decimal numbers'
  }
  if (host.length > 253 || !labels.every((label) => LABEL.test(label))) return 'has no valid host'
  return judgeAllowed(host, isInside(host, labels), settings)
}

function isInside(host: string, labels: readonly string[]): boolean {
  return (
    labels.length < 2 ||
    INSIDE.test(host) ||
    LEADS_INSIDE.test(host) ||
    METADATA.test(host) ||
    holdsPrivate(host)
  )
}

function holdsPrivate(host: string): boolean {
  for (const [, found = ''] of [...host.matchAll(DOTTED), ...host.matchAll(DASHED)]) {
    const address = found.replaceAll('-', '.')
    if (isIPv4(address) && isPrivateAddress(address)) return true
  }
  return false
}

function judgeAllowed(host: string, isPrivate: boolean, settings: UrlGuard): string | undefined {
  if (settings.namesHost(host)) return undefined
  if (isPrivate) return 'leads to a private, special-use or metadata address'
  return settings.allowsHost(host) ? undefined : 'leads to a host that is not allowed'
}
