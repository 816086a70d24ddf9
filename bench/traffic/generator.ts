// A program of its own, started inside of a network namespace: does what its parent asks, one message in, one out.
import { type HoldRequest, type HoldResult, hold } from './held.ts'
import { type RoundTripRequest, type RoundTripResult, roundTrips } from './round-trips.ts'
import { type TransferRequest, type TransferResult, transfer } from './transfer.ts'
import { type ConnectRequest, type ConnectResult, tryConnect } from './try-connect.ts'

/** What may be asked for, and what is answered. */
export interface Orders {
  transfer: { request: TransferRequest; result: TransferResult }
  roundTrips: { request: RoundTripRequest; result: RoundTripResult }
  connect: { request: ConnectRequest; result: ConnectResult }
  hold: { request: HoldRequest; result: HoldResult }
}

export interface Order<K extends keyof Orders = keyof Orders> {
  id: number
  what: K
  request: Orders[K]['request']
}

export interface Answer {
  id: number
  result?: unknown
  error?: string
}

const WORKERS: { [K in keyof Orders]: (request: Orders[K]['request']) => Promise<Orders[K]['result']> } = {
  transfer,
  roundTrips,
  connect: tryConnect,
  hold
}

process.on('message', ({ id, what, request }: Order) => {
  const worker = WORKERS[what] as (request: unknown) => Promise<unknown>
  worker(request).then(
    result => process.send?.({ id, result } satisfies Answer),
    error => process.send?.({ id, error: error instanceof Error ? error.message : String(error) } satisfies Answer)
  )
})
process.on('disconnect', () => process.exit(0))
