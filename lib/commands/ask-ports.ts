// `--expose` was left out: the user is asked which port, where there is a terminal to ask on.
import { createInterface } from 'node:readline/promises'
import { KtError } from '../errors.ts'
import { describePorts, exampleExpose, type ServicePort } from '../kube/traffic/ports.ts'
import type { ExchangeWish } from '../session/traffic-in/exchange.ts'

/** Undefined without a terminal: then what is missing is an error. */
export function askPorts(): ExchangeWish['ask'] {
  if (process.stdin.isTTY !== true || process.stdout.isTTY !== true) return undefined
  return async (service, ports) => {
    const port = await which(service, ports)
    const example = exampleExpose(port)
    const [local = '', remote] = example.split(':')
    const typed = await ask(`Local port for ${describePorts([port])} [${local}]: `)
    return typed === '' ? example : `${typed}:${remote}`
  }
}

async function which(service: string, ports: readonly ServicePort[]): Promise<ServicePort> {
  const [only, ...others] = ports
  if (only !== undefined && others.length === 0) return only
  const { default: select } = await import('@inquirer/select')
  const choices = ports.map(port => ({ name: describePorts([port]), value: port }))
  return await select({ message: `Which port of ${service} is to come to this laptop?`, choices }).catch(leave)
}

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  const gone = new Promise<never>((_, reject) => terminal.once('SIGINT', () => reject(new Error('Ctrl-C'))))
  try {
    return (await Promise.race([terminal.question(question), gone]).catch(leave)).trim()
  } finally {
    terminal.close()
  }
}

/** Ctrl-C is an answer, too. */
function leave(cause: unknown): never {
  throw new KtError('KT_USAGE', '--expose is missing, and no port was chosen', { cause })
}
