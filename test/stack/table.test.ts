import test from 'ava'
import { Path } from '../../lib/stack/path.ts'
import { Table, type TableEntry } from '../../lib/stack/table.ts'
import { IpView, UDP } from '../../lib/wire/ip.ts'
import { ENDS, ENDS6, type Ends, packet } from '../_support/packets.ts'

class Entry implements TableEntry<Entry> {
  readonly path: Path
  next: Entry | undefined = undefined
  constructor(path: Path) {
    this.path = path
  }
}

function view(ends: Ends): IpView {
  const bytes = packet(ends, UDP, new Uint8Array(8))
  const ip = new IpView()
  if (!ip.wrap(bytes, 0, bytes.length)) throw new Error('no packet')
  return ip
}

test('each of 40,000 conversations is found by its own four values, and by no others', t => {
  const table = new Table<Entry>()
  const all: { ends: Ends; entry: Entry }[] = []
  for (let i = 0; i < 20_000; i++) {
    for (const base of [ENDS, ENDS6]) {
      const ends = { ...base, sourcePort: 1 + (i % 5000), destinationPort: 1 + Math.floor(i / 5000) }
      const entry = new Entry(new Path(view(ends), ends.sourcePort, ends.destinationPort))
      table.add(entry)
      all.push({ ends, entry })
    }
  }
  t.is(table.size, 40_000)
  const find = (ends: Ends): Entry | undefined => table.find(view(ends), ends.sourcePort, ends.destinationPort)
  t.true(all.every(({ ends, entry }) => find(ends) === entry))
  for (const { ends } of all.slice(0, 10)) {
    t.is(find({ ...ends, sourcePort: 60_000 }), undefined)
    t.is(find({ ...ends, destinationPort: 9 }), undefined)
    t.is(find({ ...ends, source: ends.source.replace(/1$/, '2') }), undefined)
    t.is(find({ ...ends, destination: ends.destination.replace(/7$/, '8') }), undefined)
  }
  const [gone, kept] = [all.filter((_, i) => i % 3 === 0), all.filter((_, i) => i % 3 !== 0)]
  t.true(gone.every(({ entry }) => table.remove(entry)))
  t.false(table.remove(gone[0]!.entry))
  t.false(table.has(gone[0]!.entry))
  t.true(kept.every(({ ends, entry }) => find(ends) === entry && table.has(entry)))
  t.true(gone.every(({ ends }) => find(ends) === undefined))
  t.is(table.all().length, kept.length)
})

test('a path tells its ends, and survives the packet it was made from', t => {
  for (const ends of [ENDS, ENDS6]) {
    const packetView = view(ends)
    packetView.bytes = Buffer.from(packetView.bytes)
    const path = new Path(packetView, ends.sourcePort, ends.destinationPort)
    packetView.bytes.fill(0)
    const { source, sourcePort, destination, destinationPort } = path
    t.deepEqual({ source, sourcePort, destination, destinationPort }, ends)
  }
})
