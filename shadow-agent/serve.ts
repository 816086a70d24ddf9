// A stream that the laptop opened → what it asks for.
import type { MuxStream } from '../lib/mux/stream.ts'
import { decodeRequest, encodeVerdict } from '../lib/tunnel/request.ts'
import { datagrams } from './datagrams.ts'
import { dial, refuse } from './dial.ts'
import { type AgentIdentity, gatherFacts, textOf } from './facts.ts'
import { nameservers, resolve } from './resolve.ts'
import { traffic } from './traffic.ts'

/** Answer one stream. Whatever the request says, nothing throws. */
export function serve(stream: MuxStream, bytes: Uint8Array, identity: AgentIdentity): void {
  const request = decodeRequest(bytes)
  switch (request?.kind) {
    case 'dial':
      dial(stream, request.host, request.port)
      break
    case 'datagrams':
      datagrams(stream, request.host, request.port)
      break
    case 'resolve':
      relay(stream, request.message)
      break
    case 'facts':
      stream.resume()
      stream.write(encodeVerdict('opened'))
      stream.end(JSON.stringify(gatherFacts(identity)))
      break
    case 'traffic':
      traffic(stream)
      break
    default:
      refuse(stream, 'denied')
  }
}

function relay(stream: MuxStream, message: Uint8Array): void {
  stream.resume()
  const gone = new AbortController()
  stream.once('close', () => gone.abort())
  // resolve() never rejects; the file is read anew because the kubelet may rewrite it.
  void resolve(message, nameservers(textOf('/etc/resolv.conf')), gone.signal).then(answer => {
    if (answer.verdict !== 'opened') return refuse(stream, answer.verdict)
    stream.write(encodeVerdict('opened'))
    stream.end(answer.message)
  })
}
