// `kt dns NAME [TYPE]`: who answers this name and why, asked from the running `kt up`.
import { Command } from 'commander'
import type { Explanation } from '../dns/explain.ts'
import { KtError } from '../errors.ts'
import { askControl } from '../session/control.ts'
import { PROXY_COMMAND } from '../session/proxy.ts'
import type { GlobalFlags } from './global.ts'
import { print } from './output.ts'
import { meant } from './which.ts'

export function dnsCommand(done: (code: number) => void): Command {
  return new Command('dns')
    .description('who answers a name, and why: the rule, the source, the records, the time')
    .argument('<name>', 'as a program would ask for it: nginx, nginx.demo, www.example.com, 7.0.96.10.in-addr.arpa')
    .argument('[type]', 'A, AAAA, SRV, PTR, TXT, … or TYPE65', 'A')
    .addHelpText(
      'after',
      `
Exit code 0: there is an answer with records. 1: there is none.
Examples:
  kt dns nginx.demo
  kt dns _http._tcp.nginx.demo.svc SRV
  kt dns 7.0.96.10.in-addr.arpa PTR
  kt dns nginx.demo --context west             asks the kt of this context, of several that run`
    )
    .action(async (name: string, type: string, _: unknown, command: Command) => {
      const { output } = command.optsWithGlobals<GlobalFlags>()
      const found = await ask(command, name, type)
      print(output, found, text(found))
      done(found.records.length > 0 ? 0 : 1)
    })
}

async function ask(by: Command, name: string, type: string): Promise<Explanation> {
  const session = meant(by).find(({ command }) => command === 'up' || command === PROXY_COMMAND)
  if (session === undefined) {
    throw new KtError('KT_NOT_RUNNING', 'kt up does not run here: nobody answers for the cluster', {
      hint: 'try: sudo kt up'
    })
  }
  const query = new URLSearchParams({ name, type })
  const found = (await askControl(session.socket, 'GET', `/dns?${query}`)) as Explanation & { error?: string }
  if (found.error !== undefined) {
    throw new KtError('KT_USAGE', `${name} ${type}: ${found.error}`, { hint: 'for example: kt dns nginx.demo SRV' })
  }
  return found
}

function text({ name, type, steps, records }: Explanation): string {
  const lines = [
    `${name} ${type}`,
    ...steps.map(({ step, text: what }) => `  ${`${step}:`.padEnd(7)} ${what}`),
    ...records.map(record => `          ${record.name} ${record.ttl} ${record.type} ${record.data}`)
  ]
  return `${lines.join('\n')}\n`
}
