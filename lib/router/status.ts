// What the router tells about itself. spec.md, "The status".

export interface RouteCounters {
  /** The route's; a name that has left the file is left out. */
  name: string
  /** Requests given to the route's pod. */
  requests: number
  /** Requests that should have been, and that the original answered because the pod could not be reached. */
  passedOn: number
  /** Copies that a mirror has sent, and those that it has not, or not all of. */
  copies: number
  dropped: number
}

export interface RouterStatus {
  /** Of kt. */
  version: string
  service: string
  /** SHA-256 of the text of the file in force, hex. */
  loaded: string
  /** Why the file as it is now is not in force; empty: it is. */
  problem: string
  /** Connections open. */
  callers: number
  /** Requests answered with 400 because two servers could read them differently. */
  malformed: number
  /** Requests given to the original pods, and those that none of them took. */
  originals: { requests: number; failed: number }
  routes: RouteCounters[]
}
