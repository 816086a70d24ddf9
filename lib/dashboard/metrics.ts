// The status as Prometheus reads it: the text format, version 0.0.4.
import type { StatusView } from './model.ts'

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

interface Metric {
  name: string
  type: 'counter' | 'gauge'
  help: string
  value: number
}

/** What `/metrics` answers. Seconds and bytes, as Prometheus wants units. */
export function metricsText({ state, stateSince, roundTripMs, bytesIn, bytesOut, ...rest }: StatusView): string {
  const lost = rest.carriers.filter(({ event }) => event === 'lost').length
  const metrics: Metric[] = [
    {
      name: 'kt_connected',
      type: 'gauge',
      help: 'Whether the agent is reached.',
      value: state === 'connected' ? 1 : 0
    },
    { name: 'kt_state_since_seconds', type: 'gauge', help: 'When the state began.', value: stateSince / 1000 },
    { name: 'kt_received_bytes_total', type: 'counter', help: 'Bytes from the cluster.', value: bytesIn },
    { name: 'kt_sent_bytes_total', type: 'counter', help: 'Bytes to the cluster.', value: bytesOut },
    { name: 'kt_round_trip_seconds', type: 'gauge', help: 'Last round trip to the agent.', value: roundTripMs / 1000 },
    { name: 'kt_connections', type: 'gauge', help: 'TCP connections through the device.', value: rest.connections },
    { name: 'kt_udp_flows', type: 'gauge', help: 'UDP flows through the device.', value: rest.flows },
    { name: 'kt_routes', type: 'gauge', help: 'Ranges that are routed to the cluster.', value: rest.routes.length },
    { name: 'kt_carriers_lost_recently', type: 'gauge', help: 'Losses among the last 50 changes.', value: lost }
  ]
  return metrics
    .map(({ name, type, help, value }) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${value}\n`)
    .join('')
}
