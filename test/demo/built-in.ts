// The built-in test cluster: built the first time, brought up under an id of its own, taken down again.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { Generator } from '../../bench/harness/generator.ts'
import { deployTraffic } from '../../bench/traffic/deploy.ts'
import type { Laptop } from '../../bench/ways/way.ts'
import { build } from '../cluster/build.ts'
import { down } from '../cluster/down.ts'
import { laptopVariables, onLaptop } from '../cluster/laptop.ts'
import { lacks, UnfitMachine } from '../cluster/machine.ts'
import { run } from '../cluster/run.ts'
import { cacheDirectory, clusterSettings } from '../cluster/settings.ts'
import { Steps } from '../cluster/steps.ts'
import { kubectl, up } from '../cluster/up.ts'
import { type Ground, Unfit, type WebService } from './ground.ts'

/** No other part of the project uses this one. */
const CLUSTER = 7
const IMAGE = 'kt.local/node:20'
const NAMESPACE = 'demo'
/** What the resolver of the laptop's company says (test/cluster). */
const PUBLIC_NAME = { name: 'www.example.test', addresses: ['192.0.2.11'] }

export function builtInGround(): Ground {
  const cache = cacheDirectory(process.env)
  const settings = clusterSettings({ id: CLUSTER, nodes: 1, proxy: 'nftables', dualStack: false, demo: true }, cache)
  const env = { ...process.env, ...laptopVariables(settings) }
  let laptop: Laptop | undefined
  let web: WebService | undefined
  let begun = false
  const ground: Ground = {
    open: async () => {
      const lacking = await lacks(join(cache, 'bin'))
      if (lacking.length > 0) throw unfit(`here is no ${lacking.join(' and no ')}`)
      console.log('A real Kubernetes on this machine')
      begun = true
      const steps = new Steps()
      await build(cache, steps).catch(error => {
        throw error instanceof UnfitMachine ? unfit(error.message) : error
      })
      await up(settings, cache, steps)
      const where = { namespace: NAMESPACE, name: 'traffic', image: IMAGE }
      const traffic = await deployTraffic(ground.kubectl, where)
      laptop = {
        generator: new Generator(args =>
          spawn(...onLaptop(settings, [process.execPath, ...args]), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
        ),
        traffic,
        image: IMAGE,
        kubeconfig: settings.kubeconfig,
        spawn: (program, args, more) =>
          spawn(...onLaptop(settings, [program, ...args]), {
            stdio: ['ignore', 'pipe', 'pipe'],
            env: { ...env, ...more }
          })
      }
      web = await nginx(ground)
      steps.say('traffic server ready')
    },
    close: async () => {
      laptop?.generator.close()
      if (!begun) return
      await down(settings, cache)
      console.log('The cluster is taken down')
    },
    get laptop() {
      return laptop!
    },
    get web() {
      return web!
    },
    publicName: PUBLIC_NAME,
    kubectl: (args, input) => kubectl(settings, args, input),
    run: (program, args) => run(...onLaptop(settings, [program, ...args]), { env })
  }
  return ground
}

async function nginx(ground: Ground): Promise<WebService> {
  const read = (...args: string[]): Promise<string> => ground.kubectl(['-n', NAMESPACE, 'get', ...args])
  const podAddress = await read('pods', '-l', 'app=nginx', '-o', 'jsonpath={.items[0].status.podIP}')
  const serviceAddress = await read('service', 'nginx', '-o', 'jsonpath={.spec.clusterIP}')
  const names = { name: 'nginx', namespace: NAMESPACE, domain: 'cluster.local' }
  return { ...names, serviceAddress, podAddress, podPort: 80, says: /^nginx / }
}

function unfit(why: string): Unfit {
  return new Unfit(
    `The built-in cluster needs Linux, root and Go 1.25: ${why}. On a cluster of your own: npm run demo -- --kubeconfig FILE`
  )
}
