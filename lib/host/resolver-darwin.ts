// Point the programs of this Mac at our resolver for the cluster's domains alone: resolver(5), scutil(8).
// Written to these manual pages, not yet run on a Mac.
import { ResolverFiles } from './resolver-files.ts'
import { type PointedResolver, type PointResolverOptions, routedDomains } from './resolver-linux.ts'
import { run } from './run.ts'

/** What is changed: that of this computer, or a test's. */
export interface DarwinResolver {
  run: typeof run
  directory: string
}

const HERE: DarwinResolver = { run, directory: '/etc/resolver' }

/** Called like no domain; what stands in it is searched by every program. */
const SEARCH_FILE = 'search.kt'

/** Throws KT_RESOLVER or KT_JOURNAL; then nothing is changed. */
export async function pointResolver(
  options: PointResolverOptions,
  place: DarwinResolver = HERE
): Promise<PointedResolver> {
  const { server, domain, namespace, journal } = options
  const upstreams = (await laptopUpstreams(place)).filter(address => address !== server)
  const files = new ResolverFiles(place.directory, journal)
  const nameserver = `nameserver ${server}\n`
  try {
    files.add([domain, ...routedDomains(options)], nameserver)
    files.add([SEARCH_FILE], `search ${namespace}.svc.${domain} svc.${domain} ${domain}\n`)
  } catch (error) {
    files.restore()
    throw error
  }
  await flush(place)
  return {
    mode: 'etc-resolver',
    upstreams,
    describe: `${place.directory} names ${server} for ${domain} and the cluster's short names only`,
    // A namespace that is gone keeps its file: we pass on what we do not know.
    async update(scope) {
      if (files.add(routedDomains({ namespace, ...scope }), nameserver)) await flush(place)
    },
    async restore() {
      files.restore()
      await flush(place)
    }
  }
}

/** Who answers names on this laptop, nothing being changed: the first resolver that is for no domain in particular. */
export async function laptopUpstreams({ run }: Pick<DarwinResolver, 'run'> = HERE): Promise<string[]> {
  const { stdout } = await run('scutil', ['--dns'])
  const [general = ''] = stdout.split(/^DNS configuration \(for scoped queries\)/m)
  for (const resolver of general.split(/^resolver #\d+/m).slice(1)) {
    if (/^\s*domain\s*:/m.test(resolver)) continue
    const servers = [...resolver.matchAll(/^\s*nameserver\[\d+\]\s*:\s*(\S+)/gm)].map(([, server = '']) => server)
    if (servers.length > 0) return servers
  }
  return []
}

/** Answers from before are forgotten; both programs are on every Mac. */
async function flush({ run }: DarwinResolver): Promise<void> {
  await run('dscacheutil', ['-flushcache'])
  await run('killall', ['-HUP', 'mDNSResponder'])
}
