// What a tool like this changes: the laptop's routes and resolver, and objects in the cluster.
import type { Ground } from './ground.ts'

export interface Traces {
  /** Rejects with the first difference. */
  sameAs(before: Traces): string
  readonly texts: Record<string, string>
}

/** Read them. */
export async function traces(ground: Ground): Promise<Traces> {
  const objects = ['-n', ground.web.namespace, 'get', 'pods,configmaps,services,secrets', '-o', 'name']
  const texts = {
    'IPv4 routes': await ground.run('ip', ['-4', 'route', 'show', 'table', 'all']),
    'IPv6 routes': await ground.run('ip', ['-6', 'route', 'show', 'table', 'all']),
    'resolv.conf': await ground.run('cat', ['/etc/resolv.conf']),
    objects: await ground.kubectl(objects)
  }
  return {
    texts,
    sameAs: before => {
      for (const [what, text] of Object.entries(texts)) {
        if (text !== before.texts[what]) throw new Error(`${what} differ:\n${text}\nwere\n${before.texts[what]}`)
      }
      return `${Object.keys(texts).join(', ')}: as before`
    }
  }
}
