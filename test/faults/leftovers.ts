// What is compared before a kt and after it: nothing may be left, on the laptop or in the cluster.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { kubectl } from '../e2e/_support/kubectl.ts'
import { difference, laptopSnapshot } from '../e2e/up/_support/snapshot.ts'

/** Pods that were told to go have this long, ms: a node that was drained or restarted is slow. */
const GONE_MS = 30_000
const KINDS = 'pods,services,configmaps,deployments,secrets'

export interface Before {
  laptop: string[]
  service: string
}

/** As it is before `kt` starts, with the service that it will exchange. */
export async function before(service: string): Promise<Before> {
  return { laptop: await laptopSnapshot(), service: await describe(service) }
}

/** What is not as it was, in words; `home` is the state directory. */
export async function leftovers(then: Before, service: string, home: string): Promise<string[]> {
  const found: string[] = []
  const { gone, come } = difference(then.laptop, await laptopSnapshot())
  for (const line of gone) found.push(`laptop: gone: ${line.slice(0, 120)}`)
  for (const line of come) found.push(`laptop: left: ${line.slice(0, 120)}`)
  for (const name of ['run', 'journal']) {
    const path = join(home, name)
    if (!existsSync(path)) continue
    for (const file of readdirSync(path)) found.push(`state directory: ${name}/${file}`)
  }
  if ((await describe(service)) !== then.service) found.push(`service ${service} is not as it was`)
  return [...found, ...(await objectsOfKt())]
}

/** Name, labels, annotations and specification. */
async function describe(service: string): Promise<string> {
  const object = JSON.parse(await kubectl(['-n', 'demo', 'get', 'service', service, '-o', 'json'])) as {
    metadata: { labels?: object; annotations?: object }
    spec: object
  }
  return JSON.stringify([object.metadata.labels, object.metadata.annotations, object.spec])
}

async function objectsOfKt(): Promise<string[]> {
  for (const deadline = Date.now() + GONE_MS; ; await delay(1_000)) {
    const names = await kubectl(['get', KINDS, '-A', '-l', 'control-by=kt', '-o', 'name'])
    const left = names.split('\n').filter(Boolean)
    if (left.length === 0 || Date.now() > deadline) return left.map(name => `cluster: ${name}`)
  }
}
