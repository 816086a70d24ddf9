// The state machine of RFC 9293 §3.3.2, as three tables. What is not in a table changes nothing.

/** A connection is born from a SYN and forgotten when it closes: LISTEN and SYN_SENT have no endpoint. */
export type State =
  | 'SYN_RECEIVED'
  | 'ESTABLISHED'
  | 'FIN_WAIT_1'
  | 'FIN_WAIT_2'
  | 'CLOSING'
  | 'TIME_WAIT'
  | 'CLOSE_WAIT'
  | 'LAST_ACK'
  | 'CLOSED'

type Transitions = { readonly [S in State]?: State }

/** We close. A CLOSE in SYN_RECEIVED waits for ESTABLISHED (RFC 9293 §3.10.4). */
export const ON_CLOSE: Transitions = { ESTABLISHED: 'FIN_WAIT_1', CLOSE_WAIT: 'LAST_ACK' }
/** The peer closes. */
export const ON_FIN: Transitions = { ESTABLISHED: 'CLOSE_WAIT', FIN_WAIT_1: 'CLOSING', FIN_WAIT_2: 'TIME_WAIT' }
/** The peer has seen that we closed. */
export const ON_ACK_OF_FIN: Transitions = { FIN_WAIT_1: 'FIN_WAIT_2', CLOSING: 'TIME_WAIT', LAST_ACK: 'CLOSED' }
