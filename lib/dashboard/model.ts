// What the dashboard shows and what it is given: types alone, shared by the server and the page. Times are milliseconds since the epoch.

/** One conversation through the TUN. */
export interface FlowRow {
  key: string
  network: string
  /** Port of the laptop's program; 0 when it is not known. */
  port: number
  address: string
  remotePort: number
  /** What the DNS answered it for, else its service; empty: neither. */
  name: string
  sentBytes: number
  receivedBytes: number
  roundTripMs: number
  retransmits: number
  /** A state of TCP, OPEN for UDP, or why there was no connection. */
  state: string
  since: number
  /** When it was over, or 0. */
  ended: number
}

/** One question to the DNS. */
export interface DnsRow {
  id: number
  at: number
  name: string
  type: string
  /** Where the answer came from. */
  source: string
  rcode: string
  ms: number
  /** The rule that decided. */
  why: string
  addresses: string[]
}

export type Header = [name: string, value: string]

/** One HTTP request that came to a local program. */
export interface RequestRow {
  id: number
  at: number
  /** Port of the service's pod that was called, and by whom. */
  port: number
  source: string
  /** The local program: `127.0.0.1:3000`. */
  to: string
  method: string
  path: string
  /** 0: no answer yet. */
  status: number
  /** Until the head of the answer, ms. */
  ms: number
  requestHeaders: Header[]
  responseHeaders: Header[]
  requestBytes: number
  responseBytes: number
  /** The whole answer has passed, or never will. */
  done: boolean
}

/** A body as far as it was kept. */
export interface BodyView {
  /** Text, or base64 of what is none. */
  body: string
  base64: boolean
  /** There was more than is kept. */
  cut: boolean
}

export interface Holder {
  user: string
  host: string
  /** RFC 3339, or empty. */
  since: string
  /** Of a mesh, else empty. */
  version: string
}

export interface ServiceRow {
  service: string
  state: string
  mode: string
  /** `80/tcp http`. */
  ports: string[]
  by: Holder[]
}

export type WorkKind = 'exchange' | 'preview' | 'mesh'

/** What somebody asks for on the page. */
export interface WorkWish {
  kind: WorkKind
  service: string
  /** As behind `--expose`. */
  expose: string
  /** Of a mesh: as behind `--versionMark`, or empty. */
  versionMark: string
}

/** An exchange, preview or mesh that was begun from the page. */
export interface WorkRow {
  id: string
  kind: WorkKind
  service: string
  state: 'starting' | 'running' | 'ending'
  since: number
  exposed: string[]
}

export interface LogLine {
  at: number
  event: string
  text: string
}

export interface CarrierRow {
  at: number
  event: string
  detail: string
}

/** What `kt status` says, as far as it is shown. */
export interface StatusView {
  state: string
  stateSince: number
  detail: string
  carriers: readonly CarrierRow[]
  pod: string
  device: string
  roundTripMs: number
  bytesIn: number
  bytesOut: number
  connections: number
  flows: number
  routes: { cidr: string; reason: string }[]
  dns: string
  exposed: string[]
  forwarded: string[]
}

/** One point of the charts. */
export interface Sample {
  at: number
  /** Bytes per second from and to the cluster. */
  inRate: number
  outRate: number
  roundTripMs: number
}

/** Whose dashboard it is. */
export interface Identity {
  command: string
  version: string
  pid: number
  context: string
  server: string
  namespace: string
}

/** What has changed; the first one that a page gets holds everything. */
export interface Update {
  at: number
  /** True: forget what was shown before. */
  whole: boolean
  status?: StatusView
  samples?: Sample[]
  flows?: FlowRow[]
  dns?: DnsRow[]
  requests?: RequestRow[]
  services?: ServiceRow[]
  /** Why the services cannot be read, or empty. */
  servicesError?: string
  works?: WorkRow[]
  log?: LogLine[]
}

/** What the page is told once, before anything else. */
export interface PageSession {
  identity: Identity
  /** To be sent as `x-kt-csrf` with everything that changes something. */
  csrf: string
}
