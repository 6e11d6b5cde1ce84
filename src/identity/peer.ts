// What the peer of a request over the unix socket is known by where no certificate names it: the address that nginx has seen.
import { isIP } from 'node:net'
import { type HttpRequest, header } from '../core/http.ts'

const ADDRESS_HEADER = 'x-real-ip'
/** An IPv4-mapped IPv6 address in full; a zone would make it longer. */
const MAX_ADDRESS = 45

/** The address in X-Real-IP, else `unix`. The header is nginx's, so this is for the unix socket only. */
export function realIp(request: HttpRequest): string {
  const address = header(request, ADDRESS_HEADER)
  return address !== undefined && address.length <= MAX_ADDRESS && isIP(address) !== 0 ? address : 'unix'
}
