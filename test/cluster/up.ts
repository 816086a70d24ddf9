// `up`: a fresh cluster from nothing, in about 20 seconds.
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeCgroup } from './cgroups.ts'
import { initEnvironment, writeConfiguration } from './configuration.ts'
import { down } from './down.ts'
import { rememberChoice } from './existing.ts'
import { IMAGE_TARS } from './images.ts'
import { makeNetworks } from './network.ts'
import { makeCertificates } from './pki.ts'
import { startNamespace } from './processes.ts'
import { run, SYSTEM_PATH, succeeds } from './run.ts'
import type { Settings } from './settings.ts'
import { prepareMachine } from './shared.ts'
import { type Steps, until } from './steps.ts'

const HERE = import.meta.dirname
const API_READY_MS = 60_000
/** Waits for nodes and workloads; a busy machine needs minutes. */
const READY = '--timeout=240s'

/** Take down what is left of a cluster with this id, then start a new one and wait until all of it is ready. */
export async function up(settings: Settings, cache: string, steps: Steps): Promise<void> {
  await down(settings, cache)
  mkdirSync(settings.state, { recursive: true })
  rememberChoice(settings)
  writeConfiguration(settings)
  for (const node of settings.nodeList) makeCgroup(node.netns)
  await prepareMachine(settings, cache)
  await Promise.all([
    makeCertificates(settings).then(() => steps.say('certificates')),
    makeNetworks(settings).then(() => steps.say('networks'))
  ])
  mkdirSync(settings.ktHome, { recursive: true, mode: 0o700 })
  startNamespace(settings, settings.controlPlane, join(HERE, 'cp-init.sh'), initEnvironment(settings))
  for (const node of settings.nodeList) {
    const env = { ...initEnvironment(settings, node), IMAGE_TARS: IMAGE_TARS.join(' ') }
    startNamespace(settings, node.netns, join(HERE, 'node-init.sh'), env)
  }
  await until('the API server ready', API_READY_MS, () =>
    succeeds('kubectl', ['get', '--raw', '/readyz'], kubectlOptions(settings))
  )
  steps.say('API server ready')
  await deploy(settings, steps)
}

async function deploy(settings: Settings, steps: Steps): Promise<void> {
  const manifests = ['system']
  if (settings.demo) manifests.push('demo')
  if (settings.demo && settings.dualStack) manifests.push('dual-stack')
  const texts = manifests.map(name => readFileSync(join(HERE, 'manifests', `${name}.yaml`), 'utf8'))
  // One kubectl for all of them: each new one asks the API server for its discovery first.
  await kubectl(settings, ['apply', '-f', '-'], [nodeObjects(settings), ...texts].join('\n---\n'))
  steps.say(`manifests: ${manifests.join(', ')}`)
  await kubectl(settings, ['wait', 'node', '--all', '--for=condition=Ready', READY])
  steps.say('nodes ready')
  await kubectl(settings, ['-n', 'kube-system', 'rollout', 'status', 'deployment/coredns', READY])
  steps.say('cluster DNS ready')
  if (!settings.demo) return
  const workloads = await kubectl(settings, ['-n', 'demo', 'get', 'deployments,statefulsets', '-o', 'name'])
  await Promise.all(
    workloads
      .trim()
      .split('\n')
      .map(name => kubectl(settings, ['-n', 'demo', 'rollout', 'status', name, READY]))
  )
  steps.say('namespace demo ready')
}

/** Nodes exist before their kubelets register: those cannot choose a pod range for themselves. */
function nodeObjects(settings: Settings): string {
  const items = settings.nodeList.map(({ name, podRanges }) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name } },
    spec: { podCIDR: podRanges[0], podCIDRs: podRanges }
  }))
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
}

/** kubectl of this cluster, as its administrator. */
export async function kubectl(settings: Settings, args: string[], input?: string): Promise<string> {
  return run('kubectl', args, { ...kubectlOptions(settings), ...(input !== undefined && { input }) })
}

function kubectlOptions(settings: Settings): { env: NodeJS.ProcessEnv } {
  return { env: { ...process.env, PATH: `${settings.binaries}:${SYSTEM_PATH}`, KUBECONFIG: settings.kubeconfig } }
}
