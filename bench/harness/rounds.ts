// Interleaved rounds: each way once per round, the baseline first and last, so that all meet the same machine.
import { Unavailable, type Way } from '../ways/way.ts'
import type { Context } from './case.ts'
import type { Testbed } from './testbed.ts'
import { undoable } from './undo.ts'

type Open = (bed: Testbed) => Promise<Way>

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

/** Measure; a way that fails becomes a note and is left out from then on. `ways[0]` is the baseline. */
export async function interleave<T>(
  context: Context,
  ways: readonly Way[],
  what: string,
  measure: (way: Way) => Promise<T>
): Promise<Map<Way, T[]>> {
  const results = new Map<Way, T[]>(ways.map(way => [way, []]))
  const failed = new Set<Way>()
  for (let round = 1; round <= context.rounds; round++) {
    const order = ways.length > 1 ? [...ways, ways[0]!] : ways
    for (const way of order.filter(each => !failed.has(each))) {
      context.progress(`${what}, round ${round}/${context.rounds}: ${way.name}`)
      try {
        results.get(way)!.push(await measure(way))
      } catch (error) {
        failed.add(way)
        context.note(`${what}: ${way.name} failed: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }
  return results
}
