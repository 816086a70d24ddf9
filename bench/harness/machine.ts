// On what it was measured, without naming anybody's machine.
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { version } from '../../lib/version.ts'

/** Date, kind of machine, versions and congestion control, in one line. */
export function circumstances(): string {
  const processors = cpus()
  const congestion = readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'latin1').trim()
  const kernel = release().split('.').slice(0, 2).join('.')
  return [
    new Date().toISOString().slice(0, 10),
    `${processors.length} × ${processors[0]?.model.trim() ?? 'processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Linux ${kernel}, ${congestion}`,
    `Node ${process.versions.node}`,
    `kt ${version}`
  ].join(' · ')
}
