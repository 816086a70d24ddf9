// Every conversation through the TUN.
import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import type { FlowRow } from '../model.ts'
import { bytes, clock, duration } from './format.ts'
import { Filter, Name, Panel, Table } from './parts.tsx'
import { flows } from './store.ts'

const filter = signal('')
const HEADS = ['Program', 'Name and address', 'Sent', 'Received', 'Round trip', 'Resent', 'State', 'Since']

export function Flows(): JSX.Element {
  const wanted = filter.value
  const shown = flows.value.filter(row => wanted === '' || textOf(row).includes(wanted))
  const live = flows.value.filter(({ ended }) => ended === 0).length
  return (
    <Panel
      id="flows"
      title="Connections"
      count={live}
      beside={
        <Filter
          label="Connections whose name, address, port or state has"
          value={wanted}
          change={value => {
            filter.value = value
          }}
        />
      }
    >
      <Table label="Connections" heads={HEADS} empty="Nothing goes through the device at the moment.">
        {shown.map(row => (
          <tr key={`${row.key} ${row.since}`} class={row.ended === 0 ? '' : 'over'} data-port={row.port}>
            <td>
              {row.network} {row.port === 0 ? '' : row.port}
            </td>
            <td class="wide">
              {row.name === '' ? null : (
                <div>
                  <Name text={row.name} />
                </div>
              )}
              <span class="muted">
                {row.address.includes(':') ? `[${row.address}]` : row.address}:{row.remotePort}
              </span>
            </td>
            <td class="number" data-bytes={row.sentBytes}>
              {bytes(row.sentBytes)}
            </td>
            <td class="number" data-bytes={row.receivedBytes}>
              {bytes(row.receivedBytes)}
            </td>
            <td class="number">{row.roundTripMs === 0 ? '' : duration(row.roundTripMs)}</td>
            <td class="number">{row.retransmits}</td>
            <td>{row.state}</td>
            <td>{clock(row.since)}</td>
          </tr>
        ))}
      </Table>
    </Panel>
  )
}

function textOf({ name, address, port, remotePort, state, network }: FlowRow): string {
  return `${network} ${port} ${name} ${address}:${remotePort} ${state}`.toLowerCase()
}
