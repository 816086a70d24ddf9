// What the resolver asks about the cluster; lib/kube answers it from its watches, tests from a table.

export interface ServicePort {
  name: string
  /** 'tcp', 'udp' or 'sctp', as in `_port._proto`. */
  protocol: string
  port: number
}

/** One ready address of a headless service. */
export interface ServiceEndpoint {
  address: string
  /** The pod's `hostname`, when its `subdomain` names this service; else empty. */
  hostname: string
  ports: ServicePort[]
}

export interface ServiceRecord {
  namespace: string
  name: string
  kind: 'ClusterIP' | 'Headless' | 'ExternalName'
  /** ClusterIPs of both families; empty unless `kind` is ClusterIP. */
  addresses: string[]
  ports: ServicePort[]
  /** Only for headless services. */
  endpoints: ServiceEndpoint[]
  /** Target of an ExternalName, else empty. */
  externalName: string
}

/** Who has an address: the service itself, or one of its endpoints. */
export interface AddressOwner {
  namespace: string
  service: string
  endpoint?: Pick<ServiceEndpoint, 'address' | 'hostname'>
}

export interface ClusterNames {
  /** The cluster domain without dots at its ends: `cluster.local`. */
  readonly domain: string
  /** The namespace whose services have one-label names. */
  readonly namespace: string
  /** False: only `namespace` is watched; what is not known here may still exist. */
  readonly complete: boolean
  service(namespace: string, name: string): ServiceRecord | undefined
  hasNamespace(namespace: string): boolean
  /**
   * Whose address this is: a service's, or an endpoint's of one or more services; empty when it is not known here.
   * Without this method reverse lookups are asked from the cluster's DNS.
   */
  reverse?(address: string): readonly AddressOwner[]
}
