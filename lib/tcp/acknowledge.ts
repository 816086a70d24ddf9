// What an acceptable ACK field and window field do to the send side.
import type { TcpView } from '../wire/tcp.ts'
import { type Seq, seqDiff, seqLe, seqLt } from './seq.ts'
import type { Tcb } from './tcb.ts'

/** Everything before `ack`, which is new, has arrived at the peer. */
export function acknowledged(tcb: Tcb, ack: Seq, now: number): void {
  const { snd, rtt } = tcb
  const handshake = snd.una === snd.iss
  const bytes = Math.min(seqDiff(snd.una, ack) - (handshake ? 1 : 0), snd.queue.length) // a FIN is no byte
  if (handshake && rtt.backoff > 0) rtt.slowHandshake()
  rtt.acknowledged(ack, now)
  snd.queue.drop(bytes)
  tcb.bytesOut += bytes
  snd.una = ack
  if (seqLt(snd.nxt, ack)) snd.nxt = ack
  tcb.recovery.newAck(ack, bytes)
  tcb.force = false
  tcb.giveUpAt = Infinity
  // RFC 6298 §5.2, §5.3
  if (!seqLt(ack, snd.max)) tcb.retransmitAt = Infinity
  else if (!tcb.recovery.keepsTimer) tcb.retransmitAt = now + rtt.rto
}

/** SND.WND follows the newest segment, not the last one to come in. */
export function windowArrives(tcb: Tcb, seg: TcpView): void {
  const { snd } = tcb
  if (!seqLt(snd.wl1, seg.seq) && !(snd.wl1 === seg.seq && seqLe(snd.wl2, seg.ack))) return
  const wnd = seg.wnd << snd.shift
  // A peer that answers our probes is alive, however long it keeps the window closed (RFC 9293 §3.8.6.1).
  if (wnd === 0) tcb.giveUpAt = Infinity
  if (wnd > 0 && snd.wnd === 0) windowOpens(tcb)
  snd.wnd = wnd
  snd.maxWnd = Math.max(snd.maxWnd, wnd)
  snd.wl1 = seg.seq
  snd.wl2 = seg.ack
}

/** What was sent into the closed window as a probe was most likely dropped: go on from SND.UNA, with a fresh timer. */
function windowOpens(tcb: Tcb): void {
  tcb.snd.nxt = tcb.snd.una
  tcb.force = false
  tcb.rtt.cancel()
  tcb.rtt.backoff = 0
  tcb.retransmitAt = Infinity
}
