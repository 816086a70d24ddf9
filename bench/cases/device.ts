// The TUN device alone: packets and bytes in a second and what they cost, with offload and without.
import type { ChildProcess } from 'node:child_process'
import { Namespace, whyNoNamespace } from '../../test/_support/netns.ts'
import type { DeviceOrder, DeviceResult } from '../ends/device-end.ts'
import { ask, endEnd, startEnd } from '../ends/end.ts'
import type { Case, Context } from '../harness/case.ts'
import { type Row, row } from '../harness/rows.ts'
import { spread } from '../harness/statistics.ts'
import { undoable } from '../harness/undo.ts'

const GIB = 2 ** 30
const SMALL_BYTES = 64
/** Just below the longest IP packet. */
const BIG_BYTES = 65_000
const UDP_IP_HEADERS = 28

/** What is done, and by what it is measured. */
const MEASURES = [
  { what: 'write', size: 'small packets', packetBytes: SMALL_BYTES },
  { what: 'write', size: 'packets of 64 KiB', packetBytes: BIG_BYTES },
  { what: 'read', size: 'small packets', packetBytes: SMALL_BYTES },
  { what: 'read', size: 'packets of 1,400 bytes', packetBytes: 1400 }
] as const

export const device: Case = {
  name: 'device',
  title: 'packets and bytes through the TUN device, with offload and without',
  run: async context => {
    const reason = whyNoNamespace()
    if (reason !== undefined) {
      context.note(`device: not measured, ${reason}`)
      return []
    }
    const rows: Row[] = []
    for (const mode of ['plain', 'offload']) {
      const namespace = new Namespace()
      const remove = undoable(() => namespace.remove())
      const ends: ChildProcess[] = []
      try {
        ends.push(await startEnd(namespace.name, 'device-end', [mode]))
        ends.push(await startEnd(namespace.name, 'datagrams-end'))
        for (const measure of MEASURES) rows.push(...(await measureOne(context, ends, mode, measure, rows)))
      } finally {
        for (const end of ends) await endEnd(end)
        await remove()
      }
    }
    return rows
  }
}

async function measureOne(
  context: Context,
  [tun, sender]: ChildProcess[],
  mode: string,
  { what, size, packetBytes }: (typeof MEASURES)[number],
  before: Row[]
): Promise<Row[]> {
  const ms = context.seconds * 1000
  const results: DeviceResult[] = []
  for (let round = 1; round <= context.rounds; round++) {
    context.progress(`device: ${what} ${size}, ${mode}, round ${round}`)
    const measuring = ask<DeviceResult>(tun!, { what, ms, packetBytes } satisfies DeviceOrder)
    if (what === 'read') await ask(sender!, { ms, bytes: packetBytes - UDP_IP_HEADERS })
    results.push(await measuring)
  }
  const say = (name: string, unit: string, of: (result: DeviceResult) => number): Row => {
    const label = `${what} ${size}${name}`
    const baseline = before.find(each => each.what === `${label}: plain`)?.value
    return row({ case: 'device', what: `${label}: ${mode}`, unit }, spread(results.map(of)), { baseline })
  }
  return [
    say('', '1000/s', result => result.packets / result.ms),
    say(', CPU of one', 'µs', result => (result.cpuSeconds / result.packets) * 1e6),
    ...(packetBytes === SMALL_BYTES
      ? []
      : [
          say(', bytes', 'MB/s', result => result.bytes / 1000 / result.ms),
          say(', CPU', 's/GiB', result => (result.cpuSeconds / result.bytes) * GIB)
        ])
  ]
}
