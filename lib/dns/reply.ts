// Replies, RFC 1035 §4: the question as it came, records that dns-packet encodes, EDNS for those who use it.
import { type Answer, encode } from 'dns-packet'
import { type Edns, HEADER_LENGTH, QR, type Question, RCODE, skipName, TC, TYPE, u16 } from './message.ts'

/** Largest UDP answer without EDNS, in bytes (RFC 1035 §4.2.1). */
const PLAIN_UDP_BYTES = 512
/** Largest UDP answer that we ever send: it fits into every IPv6 link (DNS flag day 2020). */
export const UDP_BYTES = 1232

const AA = 0x0400
const RD = 0x0100
const RA = 0x0080

export interface Reply {
  rcode: number
  answers: Answer[]
  authorities: Answer[]
  additionals: Answer[]
}

/** The bytes of a message with the id of another one; the question too, so that its spelling comes back to the asker. */
export function replyTo(message: Uint8Array, question: Question, answer: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(answer)
  copy.set(message.subarray(0, 2), 0)
  if (u16(answer, 4) === 1 && answer.length >= question.end) {
    copy.set(message.subarray(HEADER_LENGTH, question.end), HEADER_LENGTH)
  }
  return copy
}

/** UDP bytes that the asker takes. */
export function udpLimit(question: Question): number {
  return Math.min(Math.max(question.edns?.size ?? 0, PLAIN_UDP_BYTES), UDP_BYTES)
}

/** Our answer to `message`: the question as it came, the records, EDNS if the asker uses it; cut down to TC beyond `limit` bytes. */
export function writeReply(message: Uint8Array, question: Question, reply: Reply, limit: number): Uint8Array {
  const { rcode, answers, authorities, additionals } = reply
  const opt = question.edns === undefined ? [] : [encodeOpt(question.edns, rcode)]
  const parts: Uint8Array[] = []
  let size = question.end + (opt[0]?.length ?? 0)
  for (const record of [...answers, ...authorities, ...additionals]) {
    const part = encodeRecord(record, question.name)
    size += part.length
    if (size > limit) return writeTruncated(message, question)
    parts.push(part)
  }
  const counts = [answers.length, authorities.length, additionals.length + opt.length]
  return assemble(message, question.end, AA, rcode, counts, [...parts, ...opt])
}

/** "Ask again over TCP." */
export function writeTruncated(message: Uint8Array, question: Question): Uint8Array {
  const opt = question.edns === undefined ? [] : [encodeOpt(question.edns, RCODE.NOERROR)]
  return assemble(message, question.end, TC, RCODE.NOERROR, [0, 0, opt.length], opt)
}

/** An answer that is only an rcode, also for what has no readable question. */
export function writeRcode(message: Uint8Array, question: Question | undefined, rcode: number): Uint8Array {
  const opt = question?.edns === undefined ? [] : [encodeOpt(question.edns, rcode)]
  return assemble(message, question?.end ?? HEADER_LENGTH, 0, rcode, [0, 0, opt.length], opt)
}

function assemble(
  message: Uint8Array,
  questionEnd: number,
  flags: number,
  rcode: number,
  counts: number[],
  parts: Uint8Array[]
): Uint8Array {
  const head = Buffer.from(message.subarray(0, questionEnd))
  // The opcode and RD come back as they were asked.
  head.writeUInt16BE(QR | (u16(message, 2) & (0x7800 | RD)) | RA | flags | (rcode & 0xf), 2)
  head.writeUInt16BE(questionEnd > HEADER_LENGTH ? 1 : 0, 4)
  for (const [i, count] of counts.entries()) head.writeUInt16BE(count, 6 + 2 * i)
  return Buffer.concat([head, ...parts])
}

/** One record; the part of its owner's name that also ends the question's name is a pointer there (RFC 1035 §4.1.4). */
function encodeRecord(record: Answer, questionName: string): Uint8Array {
  const bytes = encode({ answers: [record] })
  const behindName = skipName(bytes, HEADER_LENGTH)
  const name = record.name.toLowerCase()
  if (questionName.includes('\\')) return bytes.subarray(HEADER_LENGTH)
  for (let at = 0; at < name.length; at = name.indexOf('.', at) + 1 || name.length) {
    const rest = name.slice(at)
    if (questionName !== rest && !questionName.endsWith(`.${rest}`)) continue
    const target = HEADER_LENGTH + questionName.length - rest.length
    const pointer = [0xc0 | (target >> 8), target & 0xff]
    return Buffer.concat([
      bytes.subarray(HEADER_LENGTH, HEADER_LENGTH + at),
      Buffer.from(pointer),
      bytes.subarray(behindName)
    ])
  }
  return bytes.subarray(HEADER_LENGTH)
}

function encodeOpt({ dnssecOk }: Edns, rcode: number): Uint8Array {
  const bytes = Buffer.alloc(11)
  bytes.writeUInt16BE(TYPE.OPT, 1)
  bytes.writeUInt16BE(UDP_BYTES, 3)
  bytes.writeUInt8(rcode >> 4, 5)
  bytes.writeUInt16BE(dnssecOk ? 0x8000 : 0, 7)
  return bytes
}
