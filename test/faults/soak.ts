// Many new connections a second for a long time: memory and descriptors of both ends stay what they were.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { serviceAddress } from '../e2e/_support/demo.ts'
import { startKt } from '../e2e/_support/kt.ts'
import { spawnOnLaptop } from '../e2e/_support/laptop.ts'
import { agentsOf, podsOfKt } from './ground.ts'

/** Until caches and the heap have their size: what comes later is compared with the end of this, a part of the whole. */
const WARM_UP = 0.25
const LOOKS = 40
/** The median of the last quarter may be above that of the warm end by this much. */
const GROWTH_MIB = 24
const GROWTH_PART = 0.15
const MORE_DESCRIPTORS = 20
/** 150 MB and 31 for stripping types, which only a checkout does; 96 MB. */
const MOST_MIB = { laptop: 173, agent: 92 } as const

interface Look {
  megabytes: number
  descriptors: number
}

/** Runs for `ms` with `rate` new connections a second; false when one end has grown or is too large, or more than one in a thousand connections failed. */
export async function soak(ms: number, rate: number): Promise<boolean> {
  const kt = await startKt(['--namespace', 'demo'])
  const [pod] = await podsOfKt()
  const ends = { laptop: kt.pid, agent: agentsOf(pod!.uid)[0]! }
  const host = await serviceAddress('node-echo')
  const peer = spawnOnLaptop(process.execPath, [
    join(import.meta.dirname, 'peers/connections.peer.ts'),
    host,
    String(rate)
  ])
  let told = { made: 0, failed: 0 }
  createInterface({ input: peer.stdout }).on('line', line => {
    told = JSON.parse(line) as typeof told
  })
  const looks: Record<keyof typeof ends, Look[]> = { laptop: [], agent: [] }
  try {
    for (let i = 0; i < LOOKS; i++) {
      await delay(ms / LOOKS)
      for (const end of ['laptop', 'agent'] as const) looks[end].push(look(ends[end]))
      process.stdout.write(`${line((i + 1) * (ms / LOOKS), told, looks)}\n`)
    }
  } finally {
    peer.kill()
    await kt.stop()
  }
  const flat = (['laptop', 'agent'] as const).map(end => isFlat(end, looks[end]))
  return flat.every(Boolean) && told.failed * 1000 <= told.made
}

/** Resident memory and open descriptors of a process. */
function look(pid: number): Look {
  const [, kilobytes = '0'] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? []
  return { megabytes: Number(kilobytes) / 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length }
}

function line(ms: number, { made, failed }: { made: number; failed: number }, looks: Record<string, Look[]>): string {
  const ends = Object.entries(looks).map(([end, all]) => {
    const { megabytes, descriptors } = all.at(-1)!
    return `${end} ${megabytes.toFixed(0)} MiB, ${descriptors} descriptors`
  })
  return `${(ms / 1000).toFixed(0).padStart(5)} s  ${made} connections, ${failed} failed; ${ends.join('; ')}`
}

function isFlat(end: keyof typeof MOST_MIB, looks: Look[]): boolean {
  const warm = looks.slice(Math.floor(looks.length * WARM_UP), Math.floor(looks.length * 2 * WARM_UP))
  const last = looks.slice(-Math.floor(looks.length * WARM_UP))
  const grown = (pick: (look: Look) => number): number => median(last.map(pick)) - median(warm.map(pick))
  const [memory, descriptors] = [grown(l => l.megabytes), grown(l => l.descriptors)]
  const most = median(last.map(l => l.megabytes))
  const flat =
    most <= MOST_MIB[end] &&
    memory <= Math.max(GROWTH_MIB, GROWTH_PART * median(warm.map(l => l.megabytes))) &&
    descriptors <= MORE_DESCRIPTORS
  process.stdout.write(
    `${flat ? '✓' : '✗'} ${end}: ${memory.toFixed(1)} MiB and ${descriptors} descriptors more, ${most.toFixed(0)} MiB in all\n`
  )
  return flat
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? 0
}
