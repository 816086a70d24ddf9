// Ports of the traffic server, in its pod and in its Service.

/** TCP: bytes down, up, both ways, echo. */
export const TRAFFIC_PORT = 5001
/** TCP: HTTP, one short answer. */
export const HTTP_PORT = 8080
/** UDP: echo. */
export const UDP_PORT = 5002
/** Nothing listens here: a connection is to be refused. */
export const CLOSED_PORT = 5999
