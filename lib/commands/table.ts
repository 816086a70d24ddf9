// Rows in columns, without lines: what people read and `awk` can cut.
import Table from 'cli-table3'

const NONE = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  '
}

/** Lines that end in newlines; the first row is the head. Empty without further rows. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  const grid = new Table({ chars: NONE, style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] } })
  grid.push([...head], ...rows.map(row => [...row]))
  return grid
    .toString()
    .split('\n')
    .map(line => `${line.trimEnd()}\n`)
    .join('')
}
