// RST for conversations that have no endpoint (RFC 9293 §3.10.7.1).
import { ACK, HEADER_LENGTH, RST, type TcpView } from '../wire/tcp.ts'
import { type Seq, seqAdd } from './seq.ts'

/**
 * Write behind `out.start`, ports included, the RST that answers `seg`, which belongs to no connection. False: `seg` is an RST
 * itself and gets no answer. `seg` and `out` may not overlap.
 */
export function answerWithReset(seg: TcpView, out: TcpView): boolean {
  if (seg.has(RST)) return false
  out.end = out.start + HEADER_LENGTH
  if (seg.has(ACK)) out.emit(seg.destinationPort, seg.sourcePort, seg.ack, 0, RST, 0)
  else out.emit(seg.destinationPort, seg.sourcePort, 0, seqAdd(seg.seq, seg.len), RST | ACK, 0)
  return true
}

/** Write behind `out.start` the RST that refuses a SYN, once the SYN itself is gone: `irs` was its sequence number. */
export function refuseSyn(out: TcpView, sourcePort: number, destinationPort: number, irs: Seq): void {
  out.end = out.start + HEADER_LENGTH
  out.emit(sourcePort, destinationPort, 0, seqAdd(irs, 1), RST | ACK, 0)
}
