// Commands through the ssh door, where they were asked for: `ssh kt COMMAND`, and a shell without a terminal. What sshuttle needs.
import { spawn } from 'node:child_process'
import type { Connection, ServerChannel } from 'ssh2'

/** At a time of one ssh connection. */
const MAX_COMMANDS = 16
/** What a shell says that a signal has ended: 128 and its number is for those that ended by themselves. */
const SIGNALLED = 255

/** Run what the client asks for with /bin/sh, as the user of the pod. */
export function runCommands(client: Connection): void {
  let commands = 0
  const run = (channel: ServerChannel, command: string | undefined): void => {
    commands += 1
    runOne(channel, command, () => {
      commands -= 1
    })
  }
  client.on('session', (accept, reject) => {
    if (commands >= MAX_COMMANDS) return reject()
    const session = accept()
    session.on('exec', (begin, _, { command }) => run(begin(), command))
    return session.on('shell', begin => run(begin(), undefined))
  })
}

function runOne(channel: ServerChannel, command: string | undefined, ended: () => void): void {
  const child = spawn('/bin/sh', command === undefined ? [] : ['-c', command], { cwd: '/' })
  channel.on('close', () => child.kill('SIGHUP'))
  channel.pipe(child.stdin).on('error', () => {}) // a program need not read its input
  child.stdout.pipe(channel, { end: false })
  child.stderr.pipe(channel.stderr, { end: false })
  child.on('error', error => channel.stderr.write(`${error.message}\n`)) // no shell; 'close' follows
  child.on('close', code => {
    ended()
    channel.exit(code === null || code < 0 ? SIGNALLED : code)
    channel.end()
  })
}
