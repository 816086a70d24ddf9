// Every state × every kind of segment × text or none × where it lies: what is answered, and the state afterwards.
// Read the snapshot against RFC 9293 §3.10.7.4. The peer acknowledges everything we have sent. `-`: no answer.
import test from 'ava'
import { ACK, FIN, RST, SYN, TcpView } from '../../lib/wire/tcp.ts'
import { build, bytes, established, type Script, script } from './_script.ts'

type Setup = (t: Parameters<typeof established>[0]) => Script

function after(s: Script): Script {
  s.drain()
  return s
}

/** How to get there, the peer's next number (RCV.NXT) and ours (SND.NXT), relative to the ISNs. */
const STATES: Record<string, [setup: Setup, rcvNxt: number, sndNxt: number]> = {
  SYN_RECEIVED: [t => after(script(t)), 1, 1],
  ESTABLISHED: [t => established(t), 1, 1],
  FIN_WAIT_1: [t => after(established(t).shutdown()), 1, 2],
  FIN_WAIT_2: [t => after(after(established(t).shutdown()).in('. 1 ack 2')), 1, 2],
  CLOSING: [t => after(after(established(t).shutdown()).in('F. 1 ack 1')), 2, 2],
  TIME_WAIT: [t => after(after(established(t).shutdown()).in('F. 1 ack 2')), 2, 2],
  CLOSE_WAIT: [t => after(established(t).in('F. 1 ack 1')), 2, 1],
  LAST_ACK: [t => after(established(t).in('F. 1 ack 1').shutdown()), 2, 2],
  CLOSED: [t => after(established(t).in('R 1')), 1, 1]
}

const KINDS: [string, number][] = [
  ['none', 0],
  ['ACK', ACK],
  ['SYN', SYN],
  ['RST', RST],
  ['FIN', FIN],
  ['SYN|ACK', SYN | ACK],
  ['RST|ACK', RST | ACK],
  ['FIN|ACK', FIN | ACK]
]

/** Relative to RCV.NXT; the window is 1,000 wide. */
const PLACES: [string, number][] = [
  ['before', -20],
  ['next', 0],
  ['in window', 10],
  ['after', 2000]
]

for (const [state, [setup, rcvNxt, sndNxt]] of Object.entries(STATES)) {
  test(state, t => {
    const rows: string[] = []
    const seg = new TcpView()
    for (const [kind, flags] of KINDS) {
      for (const text of ['', 'text']) {
        for (const [place, offset] of PLACES) {
          const s = setup(t)
          t.is(s.endpoint.state as string, state)
          build(seg, flags, rcvNxt + offset, flags & ACK ? sndNxt : 0, 1000, bytes(text))
          s.endpoint.segmentArrives(seg, 0)
          const answer = s.drain().join(' + ') || '-'
          const { state: then, reason } = s.endpoint
          const change = then === state ? '' : `→ ${then}${reason === undefined ? '' : ` (${reason})`}`
          rows.push(`${kind.padEnd(8)}${text.padEnd(5)}${place.padEnd(10)}${answer.padEnd(30)}${change}`.trimEnd())
        }
      }
    }
    t.snapshot(rows.join('\n'))
  })
}
