// Journals of dead processes, whatever has become of them: a disk that was full, a power cut, another program.
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { recoverJournals } from '../../lib/host/journal.ts'

/** No process has this number: the greatest is 2²². */
const NAME = '4194305-1.journal'
const OWNER = { pid: 4_194_305, started: 'long ago', network: 'net:[1]', boot: 'another' }

const FILES: Record<string, string> = {
  empty: '',
  'zeros, as after a power cut': '\0'.repeat(4_096),
  'values that are no lines of ours': 'null\n5\n"text"\n[]\n{}\n',
  'an owner that is none': '{"owner":null}\n',
  'a change that is none': `${JSON.stringify({ owner: OWNER })}\n{"done":1}\nnull\n{"done":null}\n`,
  'a last line without its end': `${JSON.stringify({ owner: OWNER })}\n{"change":{"kind":"resolv.co`
}

for (const [what, text] of Object.entries(FILES)) {
  test(`a journal that holds ${what} stops nothing and is cleared away`, async t => {
    const directory = mkdtempSync(join(tmpdir(), 'kt-journal-'))
    writeFileSync(join(directory, NAME), text)
    t.deepEqual(await recoverJournals(directory), [])
    t.deepEqual(readdirSync(directory), [])
  })
}
