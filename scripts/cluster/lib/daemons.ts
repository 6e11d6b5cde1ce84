// The daemons of the node in the order in which they start, each with its arguments.
import { join } from 'node:path'
import { bin, etc, NODE, NODE_IP, POD_CIDR, pki, REGISTRY, SERVICE_CIDR, STATE } from './paths.ts'

export interface Daemon {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
}

const certificate = (name: string, cert: string, key: string): string[] => [
  `--${cert}=${pki(`${name}.crt`)}`,
  `--${key}=${pki(`${name}.key`)}`,
]

export const etcd: Daemon = {
  name: 'etcd',
  command: 'etcd',
  // On the node's tmpfs: a cluster that ends with its processes needs no disk.
  args: [
    '--data-dir=/run/etcd',
    '--listen-client-urls=http://127.0.0.1:2379',
    '--advertise-client-urls=http://127.0.0.1:2379',
    '--listen-peer-urls=http://127.0.0.1:2380',
    '--log-level=warn',
  ],
}

export const containerd: Daemon = {
  name: 'containerd',
  command: bin('containerd'),
  args: ['--config', etc('containerd.toml')],
}

export const registry: Daemon = {
  name: 'registry',
  command: bin('crane'),
  args: ['registry', 'serve', '--address', REGISTRY, '--disk', join(STATE, 'registry')],
}

export const apiserver: Daemon = {
  name: 'kube-apiserver',
  command: bin('kube-apiserver'),
  args: [
    '--etcd-servers=http://127.0.0.1:2379',
    `--advertise-address=${NODE_IP}`,
    `--bind-address=${NODE_IP}`,
    `--service-cluster-ip-range=${SERVICE_CIDR}`,
    ...certificate('apiserver', 'tls-cert-file', 'tls-private-key-file'),
    `--client-ca-file=${pki('ca.crt')}`,
    `--service-account-key-file=${pki('service-account.pub')}`,
    `--service-account-signing-key-file=${pki('service-account.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    ...certificate('apiserver-kubelet-client', 'kubelet-client-certificate', 'kubelet-client-key'),
    `--kubelet-certificate-authority=${pki('ca.crt')}`,
    '--kubelet-preferred-address-types=InternalIP',
    `--requestheader-client-ca-file=${pki('front-proxy-ca.crt')}`,
    '--requestheader-allowed-names=front-proxy-client',
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    ...certificate('front-proxy-client', 'proxy-client-cert-file', 'proxy-client-key-file'),
    // The aggregation layer has no kube-proxy of its own before it: it goes to the pods.
    '--enable-aggregator-routing=true',
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
  ],
}

export const controllerManager: Daemon = {
  name: 'kube-controller-manager',
  command: bin('kube-controller-manager'),
  args: [
    `--kubeconfig=${etc('controller-manager.kubeconfig')}`,
    '--leader-elect=false',
    '--use-service-account-credentials=true',
    `--root-ca-file=${pki('ca.crt')}`,
    `--service-account-private-key-file=${pki('service-account.key')}`,
    ...certificate('ca', 'cluster-signing-cert-file', 'cluster-signing-key-file'),
    '--allocate-node-cidrs=true',
    `--cluster-cidr=${POD_CIDR}`,
    `--service-cluster-ip-range=${SERVICE_CIDR}`,
    // By default a new pod's CPU counts only after 5 minutes; a test of an autoscaler does not wait for that.
    '--horizontal-pod-autoscaler-initial-readiness-delay=5s',
    '--horizontal-pod-autoscaler-cpu-initialization-period=20s',
  ],
}

export const scheduler: Daemon = {
  name: 'kube-scheduler',
  command: bin('kube-scheduler'),
  args: [`--kubeconfig=${etc('scheduler.kubeconfig')}`, '--leader-elect=false'],
}

export const kubelet: Daemon = {
  name: 'kubelet',
  command: bin('kubelet'),
  args: [
    `--kubeconfig=${etc('kubelet.kubeconfig')}`,
    `--config=${etc('kubelet.yaml')}`,
    `--hostname-override=${NODE}`,
    `--node-ip=${NODE_IP}`,
  ],
}

export const kubeProxy: Daemon = {
  name: 'kube-proxy',
  command: bin('kube-proxy'),
  args: [`--config=${etc('kube-proxy.yaml')}`],
}

export const kubeRouter: Daemon = {
  name: 'kube-router',
  command: bin('kube-router'),
  args: [
    `--kubeconfig=${etc('kube-router.kubeconfig')}`,
    `--hostname-override=${NODE}`,
    '--run-firewall=true',
    '--run-router=false',
    '--run-service-proxy=false',
    '--run-loadbalancer=false',
    `--service-cluster-ip-range=${SERVICE_CIDR}`,
    // Closes the moment between a pod's start and its rules.
    '--netpol-default-deny=true',
  ],
}

export const ALL: readonly Daemon[] = [
  etcd,
  containerd,
  registry,
  apiserver,
  controllerManager,
  scheduler,
  kubelet,
  kubeProxy,
  kubeRouter,
]

/** The environment of every daemon. */
export const ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: `${bin('')}:/usr/sbin:/usr/bin:/sbin:/bin`,
  HOME: '/run',
  NODE_NAME: NODE,
}
