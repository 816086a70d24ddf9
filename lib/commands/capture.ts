// `kt capture`: what goes through the running `kt up`, as a file that Wireshark opens.
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { Command } from 'commander'
import { KtError } from '../errors.ts'
import { openCapture } from '../session/control.ts'
import type { GlobalFlags } from './global.ts'
import { meant } from './which.ts'

interface CaptureFlags extends GlobalFlags {
  write: string
}

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export function captureCommand(done: (code: number) => void): Command {
  return new Command('capture')
    .description('write what goes through kt up into a file for Wireshark, until Ctrl-C')
    .argument('[filter...]', 'which packets: host NAME, net RANGE, port N, tcp, udp, icmp, and, or, not, src, dst')
    .requiredOption('-w, --write <file>', 'the file (pcapng), or - for standard output')
    .addHelpText(
      'after',
      `
Examples:
  kt capture -w all.pcapng
  kt capture -w shop.pcapng host shop.demo and tcp port 80
  kt capture -w - not port 53 | wireshark -k -i -
Names of services stand beside the packets and in the file's own table of names.`
    )
    .action(async (words: string[], _: unknown, command: Command) => {
      await capture(command, words.join(' '))
      done(0)
    })
}

async function capture(by: Command, filter: string): Promise<void> {
  const { write, quiet, output } = by.optsWithGlobals<CaptureFlags>()
  const session = meant(by).find(({ command }) => command === 'up')
  if (session === undefined)
    throw new KtError('KT_NOT_RUNNING', 'kt up does not run here: there is nothing to capture', {
      hint: 'try: sudo kt up'
    })
  const body = await openCapture(session.socket, filter).catch((error: Error) => {
    throw new KtError('KT_USAGE', error.message, { hint: 'kt capture --help tells what a filter may be' })
  })
  const out = write === '-' ? process.stdout : createWriteStream(write, { mode: 0o600 })
  if (out !== process.stdout)
    await once(out, 'open').catch((cause: Error) => {
      body.destroy()
      throw new KtError('KT_USAGE', `${write} cannot be written: ${cause.message}`, { cause })
    })
  const say = (value: object, line: string): void => {
    if (output !== 'text') process.stderr.write(`${JSON.stringify(value)}\n`)
    else if (!quiet) process.stderr.write(`${line}\n`)
  }
  say({ event: 'ready', file: write, filter }, `Capturing into ${write}; Ctrl-C ends it`)
  let bytes = 0
  body.on('data', (part: Buffer) => {
    bytes += part.length
  })
  let stopped: boolean = false
  for (const signal of STOP_SIGNALS)
    process.once(signal, () => {
      stopped = true
      body.destroy()
    })
  await pipeline(body, out, { end: out !== process.stdout }).catch((error: NodeJS.ErrnoException) => {
    // Our own end, the session's, or that of whoever reads from us: what was written stays good.
    if (!stopped && !['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(error.code ?? '')) throw error
  })
  say({ event: 'stopped', file: write, bytes }, `${bytes} bytes in ${write}`)
}
