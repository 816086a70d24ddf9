// A program of its own: client-node's PortForward the way its users write it, a local port for a port of a pod.
// Arguments: namespace, pod, remote port. Prints the local port.
import { type AddressInfo, createServer } from 'node:net'
import { KubeConfig, PortForward } from '@kubernetes/client-node'

const [namespace = '', pod = '', port = ''] = process.argv.slice(2)
const config = new KubeConfig()
config.loadFromDefault()
const forward = new PortForward(config)

const server = createServer({ noDelay: true }, socket => {
  socket.on('error', () => socket.destroy())
  forward.portForward(namespace, pod, [Number(port)], socket, null, socket).then(
    made => {
      // Left alone it goes on with a download that nobody takes, for as long as this program runs.
      const stop = (): void => (typeof made === 'function' ? made() : made)?.terminate()
      if (socket.destroyed) stop()
      else socket.once('close', stop)
    },
    () => socket.destroy()
  )
})
server.listen(0, '127.0.0.1', () => process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`))
