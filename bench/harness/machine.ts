// On what it was measured, without naming anybody's machine.
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { version } from '../../lib/version.ts'
import { KUBERNETES_VERSION } from '../../test/cluster/go-build.ts'

/** Date, kind of machine, versions, congestion control, and how busy the machine has been in the last minutes (the benchmark included). */
export function circumstances(): string {
  const processors = cpus()
  const congestion = readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'latin1').trim()
  const kernel = release().split('.').slice(0, 2).join('.')
  return [
    new Date().toISOString().slice(0, 10),
    `${processors.length} × ${processors[0]?.model.trim() ?? 'processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Linux ${kernel}, ${congestion}`,
    `Node ${process.versions.node}, Kubernetes ${KUBERNETES_VERSION}`,
    `load ${loadavg()[1]!.toFixed(1)}`,
    `kt ${version}`
  ].join(' · ')
}
