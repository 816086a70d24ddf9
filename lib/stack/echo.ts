// ICMP and ICMPv6 echo: someone asks whether an address is there. Whoever owns the stack knows, or does not answer.
import { formatAddress } from '../wire/address.ts'
import { ECHO_REQUEST, IcmpView } from '../wire/icmp.ts'
import { addressesOf, type IpView, swapped } from '../wire/ip.ts'
import type { Core } from './core.ts'
import type { EchoAnswer } from './output.ts'

/** A ping. Not calling `reply` is the answer of an address where nobody is. */
export class EchoRequest implements EchoAnswer {
  readonly #core: Core
  readonly leaving: Uint8Array
  readonly message: Uint8Array

  constructor(core: Core, packet: IpView) {
    this.#core = core
    this.leaving = swapped(addressesOf(packet))
    this.message = new Uint8Array(packet.bytes.subarray(packet.payload, packet.end))
  }

  get source(): string {
    return formatAddress(this.leaving, this.leaving.length / 2, this.leaving.length / 2)
  }
  get destination(): string {
    return formatAddress(this.leaving, 0, this.leaving.length / 2)
  }

  /** Answer for the destination, now or later. */
  reply(): void {
    this.#core.output.sendEchoReply(this)
  }
}

/** A packet with protocol ICMP or ICMPv6 has arrived. Everything but an echo request is for nobody here. */
export function icmpArrives(core: Core, packet: IpView, onEcho: (echo: EchoRequest) => void): void {
  const view = new IcmpView()
  if (!view.wrap(packet.bytes, packet.payload, packet.end)) core.stats.malformed++
  else if (view.type !== ECHO_REQUEST[packet.version] || !packet.unicast) core.stats.ignored++
  else onEcho(new EchoRequest(core, packet))
}
