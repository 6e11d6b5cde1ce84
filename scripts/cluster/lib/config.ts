// The config files of the node's daemons, with the reason of each setting that differs from a common cluster's.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  bin,
  CNI_PLUGINS,
  DNS_IP,
  ETC,
  etc,
  KUBECONFIG,
  NODE_IP,
  NODE_POD_CIDR,
  POD_CIDR,
  pki,
  REGISTRY,
  STATE,
} from './paths.ts'

const base64 = (file: string): string => readFileSync(file).toString('base64')

export function kubeconfig(user: string): string {
  return `apiVersion: v1
kind: Config
clusters:
  - name: local
    cluster:
      server: https://${NODE_IP}:6443
      certificate-authority-data: ${base64(pki('ca.crt'))}
users:
  - name: ${user}
    user:
      client-certificate-data: ${base64(pki(`${user}.crt`))}
      client-key-data: ${base64(pki(`${user}.key`))}
contexts:
  - name: local
    context: {cluster: local, user: ${user}}
current-context: local
`
}

// Lowering the oom score takes CAP_SYS_RESOURCE, which a container's root lacks: without the first line every sandbox fails there.
const containerd = (): string => `version = 3
oom_score = 0
disabled_plugins = ["io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper"]
[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["${CNI_PLUGINS}"]
    conf_dir = "${etc('cni')}"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        BinaryName = "${bin('runc')}"
        SystemdCgroup = false
[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = "${REGISTRY}/pause:1"
  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "${etc('registries')}"
`

const registry = `server = "http://${REGISTRY}"
[host."http://${REGISTRY}"]
  capabilities = ["pull", "resolve"]
`

const cni = JSON.stringify({
  cniVersion: '1.0.0',
  name: 'node',
  plugins: [
    {
      type: 'bridge',
      bridge: 'kube-bridge',
      isDefaultGateway: true,
      hairpinMode: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: NODE_POD_CIDR }]] },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
})

// Swap and cgroup v1 are this machine's, not ours to change. The eviction and image limits keep the kubelet from deleting what nobody can pull again.
const kubelet = (): string => `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: ${pki('ca.crt')}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
clusterDNS: [${DNS_IP}]
clusterDomain: cluster.local
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
resolvConf: ${etc('resolv.conf')}
tlsCertFile: ${pki('kubelet.crt')}
tlsPrivateKeyFile: ${pki('kubelet.key')}
oomScoreAdj: 0
maxOpenFiles: 20000
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%}
shutdownGracePeriod: 0s
`

// nf_conntrack_max belongs to the machine and cannot be written from here: 0 leaves all of it alone.
const kubeProxy = (): string => `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clusterCIDR: ${POD_CIDR}
hostnameOverride: node1
clientConnection: {kubeconfig: ${etc('kube-proxy.kubeconfig')}}
oomScoreAdj: 0
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
`

export function writeConfig(): void {
  for (const folder of [ETC, etc('cni'), join(etc('registries'), REGISTRY)])
    mkdirSync(folder, { recursive: true })
  const put = (name: string, text: string): void => writeFileSync(etc(name), text, { mode: 0o600 })
  put('containerd.toml', containerd())
  put(join('registries', REGISTRY, 'hosts.toml'), registry)
  put('cni/10-node.conflist', cni)
  put('kubelet.yaml', kubelet())
  put('kube-proxy.yaml', kubeProxy())
  // Nothing outside can be reached, so no name outside is ever looked up.
  put('resolv.conf', 'nameserver 127.0.0.1\n')
  for (const user of ['controller-manager', 'scheduler', 'kubelet', 'kube-proxy', 'kube-router'])
    put(`${user}.kubeconfig`, kubeconfig(user))
  writeFileSync(KUBECONFIG, kubeconfig('admin'), { mode: 0o600 })
  mkdirSync(join(STATE, 'registry'), { recursive: true })
}
