// What is not the cluster's, through the proxy: a program of this laptop at an address that is not loopback.
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { text } from 'node:stream/consumers'
import { SocksClient } from 'socks'
import { decodeDatagram, encodeDatagram } from '../../../../lib/proxy/socks.ts'

const [host = '', port = ''] = (process.argv[2] ?? '').split(':')
const proxy = { host, port: Number(port), type: 5 } as const
const own = Object.values(networkInterfaces())
  .flat()
  .find(each => each?.family === 'IPv4' && !each.internal)!.address

const server = createServer((_, s) => s.setHeader('connection', 'close').end('outside')).listen(0, own)
await once(server, 'listening')
const target = { host: own, port: (server.address() as AddressInfo).port }

const { socket } = await SocksClient.createConnection({ command: 'connect', destination: target, proxy })
socket.write('GET / HTTP/1.0\r\n\r\n')
const socks = (await text(socket)).split('\r\n\r\n')[1]

const [answer] = (await once(
  get({ ...proxy, path: `http://${target.host}:${target.port}/`, agent: false }),
  'response'
)) as [IncomingMessage]
const http = await text(answer)
server.close()

const client = new SocksClient({ command: 'associate', destination: { host: '0.0.0.0', port: 0 }, proxy })
const established = once(client, 'established')
client.connect()
const [{ socket: control, remoteHost }] = (await established) as [
  { socket: import('node:net').Socket; remoteHost: { host: string; port: number } }
]
const udp = createSocket('udp4')
async function ask(to: string, at: number, bytes: Uint8Array): Promise<Uint8Array> {
  udp.send(encodeDatagram(to, at, bytes), remoteHost.port, host)
  const [message] = (await once(udp, 'message')) as [Buffer]
  return decodeDatagram(message)!.data
}
// kubernetes.default.svc.cluster.local, A
const labels = ['kubernetes', 'default', 'svc', 'cluster', 'local']
const name = Buffer.concat(labels.map(label => Buffer.from([label.length, ...Buffer.from(label)])))
const question = Buffer.concat([Buffer.from('123401000001000000000000', 'hex'), name, Buffer.from([0, 0, 1, 0, 1])])
const resolved = Buffer.from(await ask('kube-dns.kube-system', 53, question))
const echo = createSocket('udp4')
echo.on('message', (bytes, from) => echo.send(bytes, from.port, from.address))
await new Promise<void>(resolve => echo.bind(0, own, resolve))
const direct = String(Buffer.from(await ask(own, echo.address().port, Buffer.from('echo'))))
for (const each of [udp, echo]) each.close()
control.destroy()
console.log(JSON.stringify({ socks, http, udp: resolved.readUInt16BE(6), direct }))
