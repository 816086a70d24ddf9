// Names in an answer that was asked for by a session's own domain: they lead to the same session again. Pure.
import type { Answer } from 'dns-packet'
import type { Reply } from './reply.ts'

/** RFC 1035 §2.3.4, as text without a final dot. */
const NAME_MAX = 253

/** The reply with `.suffix` behind every name below one of the domains, owners and targets alike. */
export function suffixed(reply: Reply, domains: readonly string[], suffix: string): Reply {
  const named = (name: string): string => {
    const lower = name.toLowerCase()
    const isOurs = domains.some(domain => lower === domain || lower.endsWith(`.${domain}`))
    return isOurs && name.length + suffix.length < NAME_MAX ? `${name}.${suffix}` : name
  }
  const rename = (record: Answer): Answer => {
    const { name } = record
    if (record.type === 'PTR' || record.type === 'CNAME')
      return { ...record, name: named(name), data: named(record.data) }
    if (record.type === 'SRV')
      return { ...record, name: named(name), data: { ...record.data, target: named(record.data.target) } }
    return { ...record, name: named(name) }
  }
  return { ...reply, answers: reply.answers.map(rename), additionals: reply.additionals.map(rename) }
}
