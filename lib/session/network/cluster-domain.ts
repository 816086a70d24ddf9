// The cluster domain, read from the resolv.conf that the kubelet wrote into the agent's pod; never assumed.

/** The `svc.` entry of the search list names it (Kubernetes, "DNS for Services and Pods"). */
const SERVICE_SEARCH = /^svc\.(.+?)\.?$/

/** Without a search list (dnsPolicy None) there is only the convention. */
const CONVENTION = 'cluster.local'

/** Cluster domain without dots at its ends, for the text of a pod's /etc/resolv.conf. */
export function clusterDomain(resolvConf: string): string {
  for (const line of resolvConf.split('\n')) {
    const [keyword, ...names] = line.trim().split(/\s+/)
    if (keyword !== 'search') continue
    for (const name of names) {
      const domain = SERVICE_SEARCH.exec(name)?.[1]
      if (domain !== undefined) return domain.toLowerCase()
    }
  }
  return CONVENTION
}
