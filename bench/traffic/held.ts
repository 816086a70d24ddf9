// Many connections kept open at once, each of which has proved that it works.
import { dial, type Target, type Wire } from './dial.ts'

export interface HoldRequest {
  target: Target
  /** Open or close until so many are held. */
  connections: number
  /** How many dials may be under way at once. */
  concurrency: number
  limitMs: number
}

export interface HoldResult {
  held: number
  failed: number
  ms: number
}

/** An idle connection needs no more. */
const BUFFER_BYTES = 256

const held: Wire[] = []

/** Bring the number of held connections to what is asked for. */
export async function hold(request: HoldRequest): Promise<HoldResult> {
  const began = performance.now()
  for (const wire of held.splice(request.connections)) wire.socket.destroy()
  let left = request.connections - held.length
  let failed = 0
  const lane = async (): Promise<void> => {
    while (left-- > 0 && performance.now() - began < request.limitMs) {
      try {
        held.push(await openHeld(request.target))
      } catch {
        failed++
      }
    }
  }
  await Promise.all(Array.from({ length: request.concurrency }, lane))
  return { held: held.length, failed, ms: performance.now() - began }
}

async function openHeld(target: Target): Promise<Wire> {
  const wire = await dial(target, BUFFER_BYTES)
  await new Promise<void>((resolve, reject) => {
    wire.onBytes = () => resolve()
    wire.onEnd = error => reject(error ?? new Error('closed'))
    wire.socket.write('echo\nk')
  })
  wire.onEnd = () => {
    const index = held.indexOf(wire)
    if (index >= 0) held.splice(index, 1)
  }
  return wire
}
