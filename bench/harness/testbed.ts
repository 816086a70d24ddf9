// Where everything is measured: a test cluster with one node, the traffic server in it, and the laptop beside it.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { build } from '../../test/cluster/build.ts'
import { down } from '../../test/cluster/down.ts'
import { existingCluster } from '../../test/cluster/existing.ts'
import { laptopVariables, onLaptop } from '../../test/cluster/laptop.ts'
import { cacheDirectory, clusterSettings, type Settings } from '../../test/cluster/settings.ts'
import { Steps } from '../../test/cluster/steps.ts'
import { kubectl, up } from '../../test/cluster/up.ts'
import { deployTraffic, type PodObject, removeTraffic } from '../traffic/deploy.ts'
import type { Laptop, TrafficServer, Way } from '../ways/way.ts'
import { descendsFrom, type Parts, type ProcessFacts, processes } from './cpu.ts'
import { Generator } from './generator.ts'
import { undoable } from './undo.ts'

/** The Node image that the test cluster has. */
const IMAGE = 'kt.local/node:20'
/** Name with which every shadow pod begins. */
const SHADOW = 'kt-connect-shadow-'

export class Testbed implements Laptop {
  readonly settings: Settings
  readonly traffic: TrafficServer
  readonly image = IMAGE
  readonly generator: Generator
  /** In the node's namespace, one virtual cable from the pod. */
  readonly nodeGenerator: Generator

  private constructor(settings: Settings, traffic: TrafficServer) {
    this.settings = settings
    this.traffic = traffic
    const withChannel = { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] as ('ignore' | 'inherit' | 'ipc')[] }
    this.generator = new Generator(args => spawn(...onLaptop(settings, [process.execPath, ...args]), withChannel))
    this.nodeGenerator = new Generator(args =>
      spawn('nsenter', [`--net=/run/netns/${settings.nodeList[0]!.netns}`, process.execPath, ...args], withChannel)
    )
    undoable(() => {
      this.generator.close()
      this.nodeGenerator.close()
    })
  }

  /** Use the cluster with this id when it runs; else start one, which is taken down at the end (undo.ts). */
  static async open(id: number): Promise<Testbed> {
    const cache = cacheDirectory(process.env)
    let settings = existingCluster(id, cache)
    const ours = !(existsSync(settings.kubeconfig) && (await answers(settings)))
    if (ours) {
      settings = clusterSettings({ id, nodes: 1, proxy: 'nftables', dualStack: false, demo: true }, cache)
      undoable(() => down(settings, cache))
      const steps = new Steps()
      await build(cache, steps)
      await up(settings, cache, steps)
    }
    const where = { namespace: 'demo', name: 'traffic', image: IMAGE }
    const traffic = await deployTraffic((args, input) => kubectl(settings, args, input), where)
    if (!ours) undoable(() => removeTraffic(args => kubectl(settings, args), traffic))
    return new Testbed(settings, traffic)
  }

  get kubeconfig(): string {
    return this.settings.kubeconfig
  }

  kubectl(...args: string[]): Promise<string> {
    return kubectl(this.settings, args)
  }

  spawn(program: string, args: string[], env: Record<string, string> = {}): ChildProcess {
    return spawn(...onLaptop(this.settings, [program, ...args]), {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...laptopVariables(this.settings), ...env }
    })
  }

  /** Who plays which part on a way; its clients are its processes on the laptop, with their descendants. */
  async parts(way: Way): Promise<Parts> {
    const [controlPlane, node] = [this.settings.controlPlane, this.settings.nodeList[0]!.netns].map(inode)
    const agents = way.agent === undefined ? await this.shadowUids() : [way.agent]
    const all = processes()
    const client = new Set(way.pids.flatMap(pid => [...descendsFrom(pid, all)]))
    const named = (name: string, netns: string | undefined) => (p: ProcessFacts) => p.name === name && p.netns === netns
    return {
      client: ({ pid, parent }) => client.has(pid) || client.has(parent),
      'API server': named('kube-apiserver', controlPlane),
      kubelet: named('kubelet', node),
      containerd: named('containerd', node),
      agent: ({ cgroup }) => agents.some(uid => cgroup.includes(uid)),
      target: ({ cgroup }) => cgroup.includes(this.traffic.uid)
    }
  }

  async shadowUids(): Promise<string[]> {
    const pods = JSON.parse(await this.kubectl('get', 'pods', '-A', '-o', 'json')) as { items: PodObject[] }
    return pods.items.filter(({ metadata }) => metadata.name.startsWith(SHADOW)).map(({ metadata }) => metadata.uid)
  }
}

async function answers(settings: Settings): Promise<boolean> {
  return kubectl(settings, ['get', '--raw', '/readyz', '--request-timeout=3s']).then(
    () => true,
    () => false
  )
}

/** The text that /proc/PID/ns/net links to, for a named network namespace. */
function inode(netns: string): string {
  return `net:[${statSync(`/run/netns/${netns}`).ino}]`
}
