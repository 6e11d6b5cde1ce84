// Whether an address lies in a network written as a CIDR.
import { BlockList } from 'node:net'

const family = (address: string): 'ipv4' | 'ipv6' => (address.includes(':') ? 'ipv6' : 'ipv4')

export function within(cidr: string, address: string): boolean {
  const [network = '', prefix = ''] = cidr.split('/')
  // An IPv4 network also answers for its mapped IPv6 form, so the families are told apart first.
  if (family(network) !== family(address)) return false
  const list = new BlockList()
  list.addSubnet(network, Number(prefix), family(network))
  return list.check(address, family(address))
}

/** How many bits of its addresses a network leaves open. */
export function breadth(cidr: string): number {
  const [network = '', prefix = ''] = cidr.split('/')
  return (family(network) === 'ipv4' ? 32 : 128) - Number(prefix)
}
