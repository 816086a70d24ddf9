// The configuration files of one cluster's programs, written before they start.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SYSTEM_PATH } from './run.ts'
import type { NodeSettings, Settings } from './settings.ts'

/** Files that a process of this machine may have open at once; containers inherit it. */
const MAX_OPEN_FILES = 1_048_576

/** Write the files of the control plane and of all nodes. */
export function writeConfiguration(settings: Settings): void {
  mkdirSync(join(settings.state, 'log'), { recursive: true })
  writeFileSync(join(settings.state, 'company.Corefile'), companyDns(settings))
  for (const node of settings.nodeList) {
    const file = (name: string): string => join(node.directory, name)
    mkdirSync(file('etccni'), { recursive: true })
    writeFileSync(file('etccni/10-ktk.conflist'), JSON.stringify(podNetwork(node)))
    writeFileSync(file('resolv.conf'), '') // pods with dnsPolicy Default have no resolver
    writeFileSync(file('containerd.toml'), containerd())
    writeFileSync(file('kubelet.json'), JSON.stringify(kubelet(settings, node)))
    writeFileSync(file('proxy.json'), JSON.stringify(proxy(settings, node)))
  }
}

/** Variables that the init scripts read. */
export function initEnvironment(settings: Settings, node?: NodeSettings): Record<string, string> {
  const common = {
    PATH: `${settings.binaries}:${SYSTEM_PATH}`,
    STATE: settings.state,
    PKI: settings.pki,
    LOG: join(settings.state, 'log')
  }
  if (!node)
    return { ...common, SERVICE_RANGES: settings.serviceRanges.join(','), ADVERTISE: settings.lanAddresses[0]! }
  return {
    ...common,
    NODE: node.name,
    NODE_DIR: node.directory,
    NODE_IPS: node.addresses.join(','),
    IMAGES: settings.images
  }
}

/** The resolver that the laptop had before kt came: names of a company, and one zone that fails. */
function companyDns({ laptopGateway, apiAddress }: Settings): string {
  return `.:53 {
  bind ${laptopGateway} ${apiAddress}
  hosts {
    192.0.2.10 upstream.example.test
    192.0.2.11 www.example.test
  }
  template ANY ANY slow.test {
    rcode SERVFAIL
  }
}
`
}

function podNetwork(node: NodeSettings): unknown {
  const ipam = {
    type: 'host-local',
    ranges: node.podRanges.map(subnet => [{ subnet }]),
    routes: node.podRanges.map(range => ({ dst: range.includes(':') ? '::/0' : '0.0.0.0/0' }))
  }
  const bridge = { type: 'bridge', bridge: 'cni0', isGateway: true, hairpinMode: true, ipMasq: false, ipam }
  return {
    cniVersion: '0.4.0',
    name: 'ktk',
    plugins: [bridge, { type: 'portmap', capabilities: { portMappings: true } }]
  }
}

function containerd(): string {
  const snapshotters = ['btrfs', 'devmapper', 'zfs', 'aufs'].map(name => `io.containerd.snapshotter.v1.${name}`)
  const disabled = [...snapshotters, 'io.containerd.tracing.processor.v1.otlp', 'io.containerd.internal.v1.tracing']
  const cri = 'plugins."io.containerd.grpc.v1.cri"'
  // restrict_oom_score_adj: this works without CAP_SYS_RESOURCE, too.
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ${JSON.stringify(disabled)}
[grpc]
  address = "/run/containerd/containerd.sock"
[${cri}]
  sandbox_image = "kt.local/pause:1"
  restrict_oom_score_adj = true
  disable_apparmor = true
[${cri}.cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "/etc/cni/net.d"
[${cri}.containerd]
  snapshotter = "overlayfs"
  default_runtime_name = "runc"
[${cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[${cri}.containerd.runtimes.runc.options]
  SystemdCgroup = false
`
}

function kubelet(settings: Settings, node: NodeSettings): unknown {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: node.addresses[0],
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(settings.pki, 'ca.crt') }
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: join(settings.pki, `${node.name}.crt`),
    tlsPrivateKeyFile: join(settings.pki, `${node.name}.key`),
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${node.netns}`,
    cgroupsPerQOS: true,
    enforceNodeAllocatable: [],
    failSwapOn: false,
    failCgroupV1: false,
    clusterDNS: [settings.dnsAddress],
    clusterDomain: 'cluster.local',
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    oomScoreAdj: 0,
    maxOpenFiles: MAX_OPEN_FILES,
    resolvConf: join(node.directory, 'resolv.conf'),
    evictionHard: { 'memory.available': '0%', 'nodefs.available': '0%', 'imagefs.available': '0%' },
    imageGCHighThresholdPercent: 100,
    volumePluginDir: join(node.directory, 'volplugins'),
    nodeStatusUpdateFrequency: '5s',
    registerWithTaints: []
  }
}

function proxy(settings: Settings, node: NodeSettings): unknown {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig: join(settings.pki, 'proxy.kubeconfig') },
    mode: settings.proxy,
    clusterCIDR: settings.podRanges.join(','),
    hostnameOverride: node.name,
    oomScoreAdj: 0,
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' }
  }
}
