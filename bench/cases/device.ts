// The TUN device alone: packets and bytes in a second and what they cost, with offload and without.
import type { ChildProcess } from 'node:child_process'
import { Namespace, whyNoNamespace } from '../../test/_support/netns.ts'
import type { DeviceOrder, DeviceResult } from '../ends/device-end.ts'
import { ask, endEnd, startEnd } from '../ends/end.ts'
import type { Case, Context } from '../harness/case.ts'
import { type Row, row } from '../harness/rows.ts'
import { paired, type Rounds, spread } from '../harness/statistics.ts'
import { undoable } from '../harness/undo.ts'

const GIB = 2 ** 30
const SMALL_BYTES = 64
const PLAIN = 'plain'
/** The first one is the baseline. */
const MODES = [PLAIN, 'offload']
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

type Measure = (typeof MEASURES)[number]

export const device: Case = {
  name: 'device',
  title: 'packets and bytes through the TUN device, with offload and without',
  run: async context => {
    const reason = whyNoNamespace()
    if (reason !== undefined) {
      context.note(`device: not measured, ${reason}`)
      return []
    }
    const ends = new Map<string, Ends>()
    try {
      for (const mode of MODES) ends.set(mode, await open(mode))
      return await measureAll(context, ends)
    } finally {
      for (const { close } of [...ends.values()].toReversed()) await close()
    }
  }
}

/** The device in one mode, who sends into it. */
interface Ends {
  tun: ChildProcess
  sender: ChildProcess
  close(): Promise<void>
}

async function open(mode: string): Promise<Ends> {
  const namespace = new Namespace()
  const remove = undoable(() => namespace.remove())
  const ends: ChildProcess[] = []
  const close = async (): Promise<void> => {
    for (const end of ends) await endEnd(end)
    await remove()
  }
  try {
    ends.push(await startEnd(namespace.name, 'device-end', [mode]))
    ends.push(await startEnd(namespace.name, 'datagrams-end'))
    return { tun: ends[0]!, sender: ends[1]!, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function measureAll(context: Context, ends: Map<string, Ends>): Promise<Row[]> {
  const results = MEASURES.map(() => new Map(MODES.map(mode => [mode, [] as DeviceResult[][]])))
  for (let round = 1; round <= context.rounds; round++) {
    for (const [index, measure] of MEASURES.entries()) {
      for (const mode of MODES) {
        context.progress(`round ${round}/${context.rounds}: ${measure.what} ${measure.size}, ${mode}`)
        results[index]!.get(mode)!.push([await measureOne(context, ends.get(mode)!, measure)])
      }
    }
  }
  return MODES.flatMap(mode => MEASURES.flatMap((measure, index) => rowsOf(measure, mode, results[index]!)))
}

async function measureOne(
  context: Context,
  { tun, sender }: Ends,
  { what, packetBytes }: Measure
): Promise<DeviceResult> {
  const ms = context.seconds * 1000
  const measuring = ask<DeviceResult>(tun, { what, ms, packetBytes } satisfies DeviceOrder)
  if (what === 'read') await ask(sender, { ms, bytes: packetBytes - UDP_IP_HEADERS })
  return measuring
}

function rowsOf({ what, size, packetBytes }: Measure, mode: string, results: Map<string, DeviceResult[][]>): Row[] {
  const say = (name: string, unit: string, of: (result: DeviceResult) => number): Row => {
    const figures = (which: string): Rounds => results.get(which)!.map(samples => samples.map(of))
    const [ours, plain] = [figures(mode), figures(PLAIN)]
    const against = mode === PLAIN ? undefined : paired(ours, plain)
    return row({ case: 'device', what: `${what} ${size}${name}: ${mode}`, unit }, spread(ours.flat()), { against })
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
