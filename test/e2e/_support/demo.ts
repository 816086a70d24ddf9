// Addresses in the namespace demo, and what a program inside the cluster sees.
import { kubectl } from './kubectl.ts'
import type { LaptopOptions } from './laptop.ts'

type Family = 4 | 6

/** The ClusterIP of a service of the namespace demo. */
export async function serviceAddress(name: string, family: Family = 4, options: LaptopOptions = {}): Promise<string> {
  const addresses = await kubectl(
    ['-n', 'demo', 'get', 'service', name, '-o', 'jsonpath={.spec.clusterIPs[*]}'],
    options
  )
  return pick(addresses, family, `service ${name}`)
}

/** Addresses of the pods with the label `app=name`. */
export async function podAddresses(name: string, family: Family = 4, options: LaptopOptions = {}): Promise<string[]> {
  const path = 'jsonpath={range .items[*]}{.status.podIPs[*].ip}{"\\n"}{end}'
  const pods = await kubectl(['-n', 'demo', 'get', 'pods', '-l', `app=${name}`, '-o', path], options)
  return pods
    .trim()
    .split('\n')
    .map(addresses => pick(addresses, family, `pod of ${name}`))
}

/** Run a shell command in the pod `tools` of the cluster: curl, iperf3, socat, rsync, redis-cli and busybox are there. */
export async function inCluster(script: string, options: LaptopOptions = {}): Promise<string> {
  return kubectl(['-n', 'demo', 'exec', 'deployment/tools', '--', 'sh', '-c', script], options)
}

function pick(addresses: string, family: Family, of: string): string {
  const found = addresses
    .trim()
    .split(' ')
    .find(address => address.includes(':') === (family === 6))
  if (!found) throw new Error(`${of} has no IPv${family} address: ${addresses}`)
  return found
}
