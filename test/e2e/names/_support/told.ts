// What an answer says, without what may differ from one time to the next: ids, order, TTLs, the serial of an SOA.
import type { Answer, DecodedPacket } from 'dns-packet'

export interface Told {
  rcode: string
  authoritative: boolean
  answers: string[]
  authorities: string[]
  additionals: string[]
}

/** Records as sorted text. */
export function told(packet: DecodedPacket): Told {
  const { rcode, flag_aa } = packet as DecodedPacket & { rcode: string; flag_aa: boolean }
  const list = (records: Answer[] | undefined): string[] =>
    (records ?? [])
      .filter(({ type }) => type !== 'OPT')
      .map(text)
      .sort()
  return {
    rcode,
    authoritative: flag_aa,
    answers: list(packet.answers),
    authorities: list(packet.authorities),
    additionals: list(packet.additionals)
  }
}

function text(record: Answer): string {
  const data: unknown = 'data' in record ? record.data : ''
  const value = record.type === 'SOA' ? `${record.data.mname} ${record.data.rname}` : JSON.stringify(data)
  return `${record.name} ${record.type} ${value}`.toLowerCase()
}
