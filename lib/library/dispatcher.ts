// undici's clients on connections of a dialer.
import { connect as connectTls } from 'node:tls'
import { Agent, type Dispatcher, Dispatcher1Wrapper } from 'undici'
import type { Dialer } from '../proxy/dialer.ts'
import { asSocket } from '../proxy/http-agent.ts'

/** Keeps connections as undici does; `destroy` ends them. */
export function dialingDispatcher(dialer: Dialer): Dispatcher {
  const agent = new Agent({
    connect({ hostname, host, protocol, port, servername }, callback) {
      const secure = protocol === 'https:'
      const name = hostname.replace(/^\[|\]$/g, '')
      dialer.dial(name, Number(port || (secure ? 443 : 80))).then(
        stream => {
          // undici's type says Socket; it uses what a Duplex has.
          const socket = asSocket(stream) as Parameters<typeof callback>[1] & object
          if (!secure) return callback(null, socket)
          const tls = connectTls({ socket, servername: servername || name, host, ALPNProtocols: ['http/1.1'] })
          const failed = (error: Error): void => callback(error, null)
          tls.once('error', failed)
          tls.once('secureConnect', () => {
            tls.off('error', failed)
            callback(null, tls)
          })
        },
        (error: Error) => callback(error, null)
      )
    }
  })
  return new Dispatcher1Wrapper(agent) // Node's own fetch speaks to dispatchers as undici did before version 8
}
