// Which ports an exchange leads to the laptop: those of `--expose`, else those the user chooses, else a word about those there are.
import { KtError } from '../../errors.ts'
import {
  type CarriedPort,
  carriedPorts,
  describePorts,
  exampleExpose,
  parseExpose,
  type ServicePort
} from '../../kube/traffic/ports.ts'
import type { ExchangeWish } from './exchange.ts'
import type { Exposing } from './exposing.ts'

/** All `ports` of `service`, each with its local program or with none. Throws KT_USAGE with the ports that exist. */
export async function chosenPorts(
  { report }: Exposing,
  service: string,
  ports: ServicePort[],
  { expose, ask }: ExchangeWish
): Promise<CarriedPort[]> {
  if (expose !== '') return carriedPorts(service, ports, parseExpose(expose))
  const [first] = ports
  if (ask !== undefined && first !== undefined) {
    report({ event: 'note', text: `service ${service} has: ${describePorts(ports)}` })
    return carriedPorts(service, ports, parseExpose(await ask(service, ports)))
  }
  throw new KtError('KT_USAGE', `--expose is missing; service ${service} has: ${describePorts(ports) || 'no ports'}`, {
    hint: first === undefined ? '' : `for example: kt exchange ${service} --expose ${exampleExpose(first)}`
  })
}
