// Services of every kind, generated: what the differential test asks about. No two are the same in what the DNS says of them.

interface KubeObject {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; labels?: Record<string, string> }
  [field: string]: unknown
}

interface Port {
  name?: string
  port: number
  protocol?: 'UDP' | 'SCTP'
}

interface Spec {
  type?: 'NodePort' | 'LoadBalancer' | 'ExternalName'
  clusterIP?: 'None'
  externalName?: string
  selector?: Record<string, string>
  ports?: Port[]
  publishNotReadyAddresses?: boolean
  ipFamilyPolicy?: 'PreferDualStack'
}

interface Endpoint {
  addresses: string[]
  hostname?: string
  conditions?: { ready?: boolean }
}

/** Two namespaces, so that the same names are there twice. */
export const NAMESPACES = ['names-one', 'names-two'] as const
const [ONE, TWO] = NAMESPACES
const HTTP: Port[] = [{ name: 'http', port: 80 }]
const EARLY = { app: 'early' }
const LATE = { app: 'late' }
/** In the cluster's pod range, where no pod is. */
const manual = (last: number): string => `10.244.1.${last}`

/** By name: what it is, and the endpoints that are given by hand. */
const SERVICES: Record<string, { spec: Spec; slices?: { ports?: Port[]; endpoints: Endpoint[]; family?: 'IPv6' }[] }> =
  {
    plain: { spec: { selector: EARLY, ports: HTTP } },
    'no-endpoints': { spec: { selector: { app: 'nobody' }, ports: HTTP } },
    'two-ports': { spec: { selector: EARLY, ports: [...HTTP, { name: 'metrics', port: 9090 }] } },
    'unnamed-port': { spec: { selector: EARLY, ports: [{ port: 8080 }] } },
    'udp-port': { spec: { selector: EARLY, ports: [{ name: 'syslog', port: 514, protocol: 'UDP' }] } },
    'sctp-port': { spec: { selector: EARLY, ports: [{ name: 'diameter', port: 3868, protocol: 'SCTP' }] } },
    'both-transports': {
      spec: {
        selector: EARLY,
        ports: [
          { name: 'dns', port: 53, protocol: 'UDP' },
          { name: 'dns-tcp', port: 53 }
        ]
      }
    },
    'many-ports': {
      spec: { selector: EARLY, ports: Array.from({ length: 12 }, (_, i) => ({ name: `port-${i}`, port: 7000 + i })) }
    },
    'node-port': { spec: { type: 'NodePort', selector: EARLY, ports: HTTP } },
    'load-balancer': { spec: { type: 'LoadBalancer', selector: EARLY, ports: HTTP } },
    'by-hand': { spec: { ports: HTTP }, slices: [{ ports: HTTP, endpoints: [{ addresses: [manual(201)] }] }] },
    'by-hand-named': {
      spec: { ports: HTTP },
      slices: [{ ports: HTTP, endpoints: [{ addresses: [manual(202)], hostname: 'node-a' }] }]
    },
    'no-selector': { spec: { ports: HTTP } },
    a: { spec: { selector: EARLY, ports: HTTP } },
    'a-1-b-2': { spec: { selector: EARLY, ports: HTTP } },
    v2: { spec: { selector: EARLY, ports: HTTP } },
    ['l'.repeat(63)]: { spec: { selector: EARLY, ports: HTTP } },
    svc: { spec: { selector: EARLY, ports: HTTP } },
    pod: { spec: { selector: EARLY, ports: HTTP } },
    kubernetes: { spec: { selector: EARLY, ports: HTTP } },
    early: { spec: { clusterIP: 'None', selector: EARLY, ports: HTTP, ipFamilyPolicy: 'PreferDualStack' } },
    'early-too': { spec: { clusterIP: 'None', selector: EARLY, ports: [...HTTP, { name: 'metrics', port: 9090 }] } },
    late: { spec: { clusterIP: 'None', selector: LATE, ports: HTTP, publishNotReadyAddresses: true } },
    'late-strict': { spec: { clusterIP: 'None', selector: LATE, ports: HTTP } },
    'late-address': { spec: { selector: LATE, ports: HTTP } },
    'headless-no-ports': { spec: { clusterIP: 'None', selector: EARLY } },
    'headless-unnamed': { spec: { clusterIP: 'None', selector: EARLY, ports: [{ port: 8080 }] } },
    'headless-udp': {
      spec: { clusterIP: 'None', selector: EARLY, ports: [{ name: 'syslog', port: 514, protocol: 'UDP' }] }
    },
    'headless-empty': { spec: { clusterIP: 'None', selector: { app: 'nobody' }, ports: HTTP } },
    'headless-no-slice': { spec: { clusterIP: 'None', ports: HTTP } },
    'headless-nobody': { spec: { clusterIP: 'None', ports: HTTP }, slices: [{ ports: HTTP, endpoints: [] }] },
    'headless-by-hand': {
      spec: { clusterIP: 'None', ports: HTTP },
      slices: [
        { ports: HTTP, endpoints: [{ addresses: [manual(211)] }, { addresses: [manual(212)], hostname: 'db-0' }] },
        { ports: HTTP, endpoints: [{ addresses: [manual(213)], hostname: 'db-1' }] }
      ]
    },
    'headless-half-ready': {
      spec: { clusterIP: 'None', ports: HTTP },
      slices: [
        {
          ports: HTTP,
          endpoints: [
            { addresses: [manual(221)], conditions: { ready: true } },
            { addresses: [manual(222)], conditions: { ready: false } },
            { addresses: [manual(223)] }
          ]
        }
      ]
    },
    'headless-not-ready': {
      spec: { clusterIP: 'None', ports: HTTP },
      slices: [{ ports: HTTP, endpoints: [{ addresses: [manual(224)], conditions: { ready: false } }] }]
    },
    'headless-same-port': {
      spec: {
        clusterIP: 'None',
        ports: [
          { name: 'dns', port: 53, protocol: 'UDP' },
          { name: 'dns-tcp', port: 53 }
        ]
      },
      slices: [
        {
          ports: [
            { name: 'dns', port: 53, protocol: 'UDP' },
            { name: 'dns-tcp', port: 53 }
          ],
          endpoints: [{ addresses: [manual(225)] }]
        }
      ]
    },
    'headless-many': {
      spec: { clusterIP: 'None', ports: HTTP },
      slices: [{ ports: HTTP, endpoints: Array.from({ length: 12 }, (_, i) => ({ addresses: [manual(231 + i)] })) }]
    },
    // Of both families where the cluster has both.
    'both-families': { spec: { selector: EARLY, ports: HTTP, ipFamilyPolicy: 'PreferDualStack' } },
    'headless-both': { spec: { clusterIP: 'None', selector: EARLY, ports: HTTP, ipFamilyPolicy: 'PreferDualStack' } },
    'headless-six': {
      spec: { clusterIP: 'None', ports: HTTP },
      slices: [
        { ports: HTTP, family: 'IPv6', endpoints: [{ addresses: ['2001:db8::5'] }, { addresses: ['2001:db8:7::'] }] },
        { ports: HTTP, endpoints: [{ addresses: [manual(226)], hostname: 'both' }] }
      ]
    },
    outside: { spec: { type: 'ExternalName', externalName: 'upstream.example.test' } },
    'outside-missing': { spec: { type: 'ExternalName', externalName: 'missing.invalid' } },
    'outside-ports': { spec: { type: 'ExternalName', externalName: 'upstream.example.test', ports: HTTP } },
    inside: { spec: { type: 'ExternalName', externalName: `plain.${ONE}.svc.cluster.local` } },
    'inside-headless': { spec: { type: 'ExternalName', externalName: `early.${ONE}.svc.cluster.local` } },
    'inside-missing': { spec: { type: 'ExternalName', externalName: `missing.${ONE}.svc.cluster.local` } },
    chain: { spec: { type: 'ExternalName', externalName: `inside.${ONE}.svc.cluster.local` } },
    'chain-outside': { spec: { type: 'ExternalName', externalName: `outside.${ONE}.svc.cluster.local` } },
    'with-dot': { spec: { type: 'ExternalName', externalName: `plain.${ONE}.svc.cluster.local.` } }
  }

/** Those of the second namespace; the pods are in the first one only. */
const IN_TWO = ['plain', 'a', 'early', 'headless-by-hand', 'outside', 'chain', 'svc', 'kubernetes']

/** All services as `[name, namespace]`. */
export const POPULATION: [name: string, namespace: string][] = [
  ...Object.keys(SERVICES).map((name): [string, string] => [name, ONE]),
  ...IN_TWO.map((name): [string, string] => [name, TWO])
]

/** Host names of endpoints, and addresses in the form of labels, to be asked for below each service. */
export const ENDPOINT_LABELS = [
  'db-0',
  'DB-1',
  'node-a',
  'early-host',
  'late-host',
  '10-244-1-211',
  '2001-db8--5',
  '2001-db8-7--0',
  '10-244-1-222',
  'nobody'
]
/** Of the manual endpoints. */
export const MANUAL_ADDRESSES = [201, 202, 211, 212, 213, 221, 222, 223, 224, 225, 231].map(manual)

/** Everything, to be applied. */
export function manifest(): string {
  const items: KubeObject[] = [
    ...NAMESPACES.map(name => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
    pod('early', 'true'),
    pod('late', 'false'),
    ...POPULATION.flatMap(([name, namespace]) => objects(name, namespace))
  ]
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
}

function objects(name: string, namespace: string): KubeObject[] {
  const { spec, slices = [] } = SERVICES[name]!
  return [
    { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec },
    ...slices.map(({ ports, endpoints, family }, index) => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `${name}-${index}`, namespace, labels: { 'kubernetes.io/service-name': name } },
      addressType: family ?? 'IPv4',
      endpoints,
      ...(ports && { ports: ports.map(port => ({ protocol: 'TCP', ...port })) })
    }))
  ]
}

/** A pod with a host name and a subdomain, which is ready or never will be. */
function pod(name: string, probe: 'true' | 'false'): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: ONE, labels: { app: name } },
    spec: {
      hostname: `${name}-host`,
      subdomain: name,
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'main',
          image: 'kt.local/net:1',
          imagePullPolicy: 'Never',
          readinessProbe: { exec: { command: [`/bin/${probe}`] }, periodSeconds: 1 }
        }
      ]
    }
  }
}
