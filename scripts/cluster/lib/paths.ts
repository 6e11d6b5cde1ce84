// Where the one-node cluster keeps its files, and the names and addresses that its parts agree on.
import { join, resolve } from 'node:path'

export const ROOT = resolve(import.meta.dirname, '../../..')
const CACHE = join(ROOT, '.cache/cluster')
/** What `build` makes, kept from run to run. */
export const BIN = join(CACHE, 'bin')
/** What one cluster writes: emptied at each `up`, removed at `down`. */
export const STATE = join(CACHE, 'state')
export const PKI = join(STATE, 'pki')
export const ETC = join(STATE, 'etc')
export const LOGS = join(STATE, 'logs')
/** The processes of the running cluster, as this machine numbers them. */
export const NODE_PID = join(STATE, 'node.pid')
export const KUBECONFIG = join(STATE, 'admin.kubeconfig')
export const CNI_PLUGINS = '/usr/lib/cni'

export const NODE = 'node1'
export const NODE_IP = '10.88.0.2'
export const POD_CIDR = '10.244.0.0/16'
/** The share of POD_CIDR that the first node gets. */
export const NODE_POD_CIDR = '10.244.0.0/24'
export const SERVICE_CIDR = '10.96.0.0/16'
export const API_SERVICE_IP = '10.96.0.1'
export const DNS_IP = '10.96.0.10'
/** Loopback of the node's own network namespace, so that every client takes it for a local registry without TLS. */
export const REGISTRY = '127.0.0.1:5000'

export const bin = (name: string): string => join(BIN, name)
export const pki = (name: string): string => join(PKI, name)
export const etc = (name: string): string => join(ETC, name)
