// Completion in real shells at a real terminal: what is typed, then TAB, then what stands on the line.
import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { KT, kt } from '../_support/kt.ts'
import { laptop } from '../_support/laptop.ts'
import { needPackages } from './_support/packages.ts'

const BIN = mkdtempSync(join(tmpdir(), 'kt-completion-'))

/** How each shell is started without anybody's settings, and how it takes the script up. */
const SHELLS: [name: string, start: string, load: string][] = [
  ['bash', 'bash --norc --noprofile -i', 'source <(kt completion bash)'],
  // npm sets EDITOR=vi, at which zsh would take Ctrl-A for text.
  ['zsh', 'zsh -f -i', 'bindkey -e; autoload -Uz compinit; compinit -u -D; source <(kt completion zsh)'],
  ['fish', 'fish --no-config -i', 'kt completion fish | source']
]

/** Typed before TAB, and the words on the line behind it. */
const LINES: [typed: string, completed: string][] = [
  ['kt birds', 'kt birdseye'],
  ['kt forward -n demo iper', 'kt forward -n demo iperf3'],
  ['kt up --excl', 'kt up --excludeIps'],
  ['kt exchange web -n dem', 'kt exchange web -n demo'],
  ['kt config set global.pod-q', 'kt config set global.pod-quota']
]

test.before(async () => {
  await needPackages('zsh', 'fish')
  writeFileSync(join(BIN, 'kt'), `#!/bin/sh\nexec ${process.execPath} ${KT} "$@"\n`)
  chmodSync(join(BIN, 'kt'), 0o755)
})

/** The shells find kt as a command. */
const WITH_KT = { PATH: `${BIN}:${process.env.PATH}:/usr/sbin:/usr/bin:/sbin:/bin` }
/** Ctrl-A. */
const BEGIN_OF_LINE = String.fromCharCode(1)

for (const [name, start, load] of SHELLS) {
  test(`${name}: commands, flags, keys and live names`, async t => {
    // The line is not run but printed: `echo` goes in front of it.
    const typed = LINES.map(([line]) => `${line}\t${BEGIN_OF_LINE}echo "<" \r`)
    const { stdout } = await typeInto(start, [`${load}\r`, ...typed, 'exit\r'])
    for (const [line, completed] of LINES) t.true(stdout.includes(`< ${completed}`), `${line}: ${stdout.slice(-3000)}`)
  })
}

/** Before the first part a shell starts, before the second it reads its completions; each further one waits for a start of kt. */
const PAUSES_S = [1, 8]

/** Type the parts one after another, each when the one before has had its time. */
async function typeInto(shell: string, parts: string[]): Promise<{ stdout: string }> {
  const typing = parts.map((part, i) => `sleep ${PAUSES_S[i] ?? 4}; printf '%b' '${forPrintf(part)}'`).join('; ')
  const script = `{ ${typing}; sleep 1; } | script -qfec '${shell}' /dev/null`
  return await laptop('sh', ['-c', script], {
    env: { ...WITH_KT, TERM: 'xterm', LC_ALL: 'C.UTF-8' },
    timeoutMs: 60_000
  })
}

/** For `printf %b` in single quotes. */
function forPrintf(text: string): string {
  const octal = (each: string): string => `\\0${each.charCodeAt(0).toString(8)}`
  return [...text].map(each => (each < ' ' || each === "'" || each === '\\' ? octal(each) : each)).join('')
}

test('powershell gets a script, and an unknown shell the list', async t => {
  t.regex((await kt(['completion', 'powershell'])).stdout, /^Register-ArgumentCompleter -Native -CommandName kt /)
  const wrong = await kt(['completion', 'tcsh'])
  t.is(wrong.code, 2)
  t.regex(wrong.stderr, /Allowed choices are bash, zsh, fish, powershell/)
})
