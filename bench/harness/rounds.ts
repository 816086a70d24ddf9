// Interleaved rounds: each thing once per round, by each way, the baseline first and last, so that all meet the same machine.
import { Unavailable, type Way } from '../ways/way.ts'
import type { Context } from './case.ts'
import { type Goal, type Row, row } from './rows.ts'
import { paired, type Rounds, spread } from './statistics.ts'
import type { Testbed } from './testbed.ts'
import { undoable } from './undo.ts'

type Open = (bed: Testbed) => Promise<Way>

/** What is measured of each way. */
export interface Thing<T> {
  what: string
  measure(way: Way): Promise<T>
  /** Whether a way can do it at all; without it all can. */
  can?(way: Way): boolean
}

/** What was measured of one thing: the samples of each way, by round. */
export type Measured<T> = Map<Way, T[][]>

/** Open the ways that this machine can; the others become notes. The first one must open. */
export async function openWays(context: Context, bed: Testbed, opens: readonly Open[]): Promise<Way[]> {
  const ways: Way[] = []
  for (const open of opens) {
    try {
      const way = await open(bed)
      ways.push({ ...way, close: undoable(() => way.close()) })
    } catch (error) {
      if (!(error instanceof Unavailable)) {
        await closeWays(ways)
        throw error
      }
      context.note(error.message)
    }
  }
  return ways
}

/** All of them, the last one first; a failure of one does not keep the others open. */
export async function closeWays(ways: readonly Way[]): Promise<void> {
  for (const way of ways.toReversed()) await way.close().catch(() => {})
}

/**
 * Measure all things in each round, so that the samples of one lie as far apart as the case is long: a shared machine changes its pace over minutes.
 * `ways[0]` is the baseline, which comes first and last. A way that fails becomes a note and is left out of that thing from then on.
 */
export async function interleave<T>(
  context: Pick<Context, 'rounds' | 'progress' | 'note'>,
  ways: readonly Way[],
  things: readonly Thing<T>[]
): Promise<Measured<T>[]> {
  const all = things.map(thing => {
    const able = ways.filter(way => thing.can?.(way) ?? true)
    const order = able.length > 1 && able[0] === ways[0] ? [...able, able[0]!] : able
    return { thing, order, measured: new Map<Way, T[][]>(able.map(way => [way, []])), failed: new Set<Way>() }
  })
  for (let round = 1; round <= context.rounds; round++) {
    for (const { thing, order, measured, failed } of all) {
      for (const rounds of measured.values()) rounds.push([])
      for (const way of order) {
        if (failed.has(way)) continue
        context.progress(`round ${round}/${context.rounds}: ${thing.what}: ${way.name}`)
        try {
          measured
            .get(way)!
            .at(-1)!
            .push(await thing.measure(way))
        } catch (error) {
          failed.add(way)
          context.note(`${thing.what}: ${way.name} failed: ${error instanceof Error ? error.message : String(error)}`)
        }
      }
    }
  }
  return all.map(({ measured }) => measured)
}

/** One figure of each sample; ways without any are left out. */
export function figures<T>(measured: Measured<T>, of: (sample: T) => number): Map<Way, Rounds> {
  return new Map(
    [...measured]
      .filter(([, rounds]) => rounds.flat().length > 0)
      .map(([way, rounds]) => [way, rounds.map(samples => samples.map(of))])
  )
}

/** A row of each way; `against` gives what it is compared with, round by round. */
export function rowsByWay(
  of: Map<Way, Rounds>,
  where: (way: Way) => { case: string; what: string; unit: string },
  compare: { against?(way: Way): Rounds | undefined; goal?(way: Way): Goal | undefined } = {}
): Row[] {
  return [...of].map(([way, rounds]) => {
    const baseline = compare.against?.(way)
    const against = baseline && paired(rounds, baseline)
    return row(where(way), spread(rounds.flat()), { against, goal: compare.goal?.(way) })
  })
}

/** For {@link rowsByWay}: all but the baseline are compared with it. */
export function againstWay(of: Map<Way, Rounds>, baseline: Way): (way: Way) => Rounds | undefined {
  return way => (way === baseline ? undefined : of.get(baseline))
}
