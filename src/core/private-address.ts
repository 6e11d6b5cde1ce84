// Decides which addresses no public service has: what an outbound connection and a guarded URL never lead to.

const BYTE = /^(?:0|[1-9][0-9]{0,2})$/
const GROUP = /^[0-9a-f]{1,4}$/i

// IANA special-purpose registries (RFC 6890 and its updates), plus the metadata address of a cloud that is public by number.
const PRIVATE = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15'],
  ...['198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4', '168.63.129.16/32'],
  ...['::/96', '::ffff:0:0:0/96', '64:ff9b::/96', '64:ff9b:1::/48', '100::/64', '100:0:0:1::/64'],
  ...['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20', '5f00::/16', 'fc00::/7', 'fe80::/10'],
  ...['fec0::/10', 'ff00::/8'],
].map((network) => {
  const [address = '', length = ''] = network.split('/')
  return { bytes: bytesOf(address) ?? [], bits: Number(length) }
})

/** True for an address that only a private network or this host has, and for a text that is no address; IPv4-mapped IPv6 counts as its IPv4. */
export function isPrivateAddress(address: string): boolean {
  const bytes = bytesOf(address)
  if (bytes === undefined) return true
  const own = isMapped(bytes) ? bytes.slice(12) : bytes
  return PRIVATE.some((network) => network.bytes.length === own.length && isWithin(own, network))
}

function isWithin(address: readonly number[], { bytes, bits }: (typeof PRIVATE)[number]): boolean {
  for (let at = 0; at * 8 < bits; at++) {
    const ignored = Math.max(0, 8 - (bits - at * 8))
    if ((address[at] ?? 0) >> ignored !== (bytes[at] ?? 0) >> ignored) return false
  }
  return true
}

const isMapped = (bytes: readonly number[]): boolean =>
  bytes.length === 16 &&
  bytes.slice(0, 10).every((byte) => byte === 0) &&
  bytes[10] === 255 &&
  bytes[11] === 255

/** 4 or 16 bytes; undefined where it is no address in one of its standard forms (RFC 4291 2.2). */
function bytesOf(text: string): readonly number[] | undefined {
  return text.includes(':') ? sixteen(text) : four(text)
}

function four(text: string): readonly number[] | undefined {
  const parts = text.split('.')
  const isAddress = parts.length === 4 && parts.every((part) => BYTE.test(part) && Number(part) < 256)
  return isAddress ? parts.map(Number) : undefined
}

function sixteen(text: string): readonly number[] | undefined {
  const [left = '', right, ...more] = text.split('::')
  const head = groups(left, right === undefined)
  const tail = groups(right ?? '', true)
  if (head === undefined || tail === undefined || more.length > 0) return undefined
  const missing = 16 - head.length - tail.length
  if (right === undefined ? missing !== 0 : missing < 2) return undefined
  return [...head, ...new Array<number>(missing).fill(0), ...tail]
}

/** The bytes of groups between colons; the last of all may be an IPv4 address. */
function groups(text: string, isLast: boolean): readonly number[] | undefined {
  if (text === '') return []
  const found: number[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    if (isLast && index === parts.length - 1 && part.includes('.')) {
      const bytes = four(part)
      if (bytes === undefined) return undefined
      found.push(...bytes)
    } else if (GROUP.test(part)) found.push(Number.parseInt(part, 16) >> 8, Number.parseInt(part, 16) & 255)
    else return undefined
  }
  return found
}
