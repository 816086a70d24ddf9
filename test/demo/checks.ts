// The small steps: names, addresses, datagrams, refusals.
import { CLOSED_PORT, UDP_PORT } from '../../bench/traffic/ports.ts'
import type { Ground } from './ground.ts'

interface Check {
  what: string
  /** Resolves with what came back. */
  run: () => Promise<string>
}

/** A datagram may be lost on any network; not ten. */
const DATAGRAMS = 10
const LIMIT_MS = 5000
const CURL = ['--silent', '--show-error', '--fail', '--max-time', '10']

export function checks(ground: Ground): Check[] {
  const { name, namespace, domain, serviceAddress, podAddress, podPort } = ground.web
  const pages = [
    serviceAddress,
    `${podAddress}:${podPort}`,
    name,
    `${name}.${namespace}`,
    `${name}.${namespace}.svc.${domain}`
  ]
  return [
    ...pages.map(host => ({ what: `curl http://${host}/`, run: () => page(ground, `http://${host}/`) })),
    {
      what: `UDP echo ${ground.laptop.traffic.serviceAddress}:${UDP_PORT}, ${DATAGRAMS} datagrams`,
      run: () => datagrams(ground)
    },
    {
      what: `TCP ${ground.laptop.traffic.serviceAddress}:${CLOSED_PORT}, where nothing listens`,
      run: () => refused(ground)
    },
    ...(ground.publicName ? [{ what: `getent hosts ${ground.publicName.name}`, run: () => publicName(ground) }] : [])
  ]
}

async function page(ground: Ground, url: string): Promise<string> {
  const text = (await ground.run('curl', [...CURL, url])).trim()
  if (!ground.web.says.test(text)) throw new Error(`unexpected answer: ${text.slice(0, 80)}`)
  return text.split('\n')[0]!
}

async function datagrams({ laptop }: Ground): Promise<string> {
  const target = { host: laptop.traffic.serviceAddress, port: UDP_PORT }
  const { samples, failed, p50 } = await laptop.generator.order('roundTrips', {
    kind: 'datagram',
    target,
    count: DATAGRAMS,
    concurrency: 1,
    limitMs: LIMIT_MS
  })
  if (samples < DATAGRAMS - 1) throw new Error(`${failed} of ${DATAGRAMS} were lost`)
  return `${samples} came back, ${p50.toFixed(2)} ms each`
}

async function refused({ laptop }: Ground): Promise<string> {
  const { code, ms } = await laptop.generator.order('connect', {
    host: laptop.traffic.serviceAddress,
    port: CLOSED_PORT
  })
  if (code !== 'ECONNREFUSED') throw new Error(code === '' ? 'connected' : code)
  return `connection refused after ${ms.toFixed(1)} ms`
}

async function publicName(ground: Ground): Promise<string> {
  const { name, addresses } = ground.publicName!
  const found = hosts(await ground.run('getent', ['ahosts', name]))
  if (!addresses.some(address => found.includes(address))) {
    throw new Error(`${found.join(' ')} instead of ${addresses.join(' ')}`)
  }
  return found.join(' ')
}

/** Addresses in the output of `getent ahosts`. */
export function hosts(output: string): string[] {
  return [...new Set(output.split('\n').flatMap(line => line.split(/\s+/, 1)[0] || []))]
}
