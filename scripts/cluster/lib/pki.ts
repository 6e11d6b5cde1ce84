// Makes the certificates of a one-node cluster with openssl: one authority for the API, one for the aggregation layer, a key pair per component.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { API_SERVICE_IP, NODE, NODE_IP, PKI, pki } from './paths.ts'

interface Certificate {
  readonly name: string
  readonly subject: string
  readonly usage: 'clientAuth' | 'serverAuth' | 'serverAuth, clientAuth'
  readonly names?: string
  readonly authority?: string
}

const API_NAMES = [
  'DNS:kubernetes',
  'DNS:kubernetes.default',
  'DNS:kubernetes.default.svc',
  'DNS:kubernetes.default.svc.cluster.local',
  `IP:${API_SERVICE_IP}`,
  `IP:${NODE_IP}`,
  'IP:127.0.0.1',
].join(',')

// The subjects are what Kubernetes' own role bindings name.
const CERTIFICATES: readonly Certificate[] = [
  { name: 'apiserver', subject: '/CN=kube-apiserver', usage: 'serverAuth', names: API_NAMES },
  {
    name: 'apiserver-kubelet-client',
    subject: '/O=system:masters/CN=kube-apiserver-kubelet-client',
    usage: 'clientAuth',
  },
  { name: 'admin', subject: '/O=system:masters/CN=admin', usage: 'clientAuth' },
  { name: 'controller-manager', subject: '/CN=system:kube-controller-manager', usage: 'clientAuth' },
  { name: 'scheduler', subject: '/CN=system:kube-scheduler', usage: 'clientAuth' },
  {
    name: 'kubelet',
    subject: `/O=system:nodes/CN=system:node:${NODE}`,
    usage: 'serverAuth, clientAuth',
    names: `DNS:${NODE},IP:${NODE_IP}`,
  },
  { name: 'kube-proxy', subject: '/CN=system:kube-proxy', usage: 'clientAuth' },
  { name: 'kube-router', subject: '/CN=kube-router', usage: 'clientAuth' },
  {
    name: 'front-proxy-client',
    subject: '/CN=front-proxy-client',
    usage: 'clientAuth',
    authority: 'front-proxy-ca',
  },
]

const openssl = (...args: string[]): void => {
  execFileSync('openssl', args, { cwd: PKI, stdio: ['ignore', 'ignore', 'pipe'] })
}

function key(name: string): void {
  openssl('ecparam', '-genkey', '-name', 'prime256v1', '-noout', '-out', `${name}.key`)
}

function authority(name: string): void {
  key(name)
  openssl(
    'req',
    '-x509',
    '-new',
    '-key',
    `${name}.key`,
    '-subj',
    `/CN=${name}`,
    '-days',
    '30',
    '-out',
    `${name}.crt`,
  )
}

function issue({ name, subject, usage, names, authority = 'ca' }: Certificate): void {
  key(name)
  openssl('req', '-new', '-key', `${name}.key`, '-subj', subject, '-out', `${name}.csr`)
  const extensions = [`extendedKeyUsage=${usage}`, 'keyUsage=digitalSignature', 'basicConstraints=CA:FALSE']
  if (names !== undefined) extensions.push(`subjectAltName=${names}`)
  writeFileSync(pki(`${name}.ext`), `${extensions.join('\n')}\n`)
  openssl(
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    '-CA',
    `${authority}.crt`,
    '-CAkey',
    `${authority}.key`,
    '-CAcreateserial',
    '-extfile',
    `${name}.ext`,
    '-days',
    '30',
    '-out',
    `${name}.crt`,
  )
}

export function makePki(): void {
  mkdirSync(PKI, { recursive: true, mode: 0o700 })
  authority('ca')
  authority('front-proxy-ca')
  for (const certificate of CERTIFICATES) issue(certificate)
  // Signs the tokens of service accounts.
  key('service-account')
  openssl('ec', '-in', 'service-account.key', '-pubout', '-out', 'service-account.pub')
}
