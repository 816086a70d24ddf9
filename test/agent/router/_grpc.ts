// A gRPC service and its callers, by the library that people use.
import {
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceClientConstructor,
  type ServiceError,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation
} from '@grpc/grpc-js'
import { fromJSON } from '@grpc/proto-loader'

export interface Text {
  text: string
  count?: number
  payload?: Buffer
}

const [Text, stream] = ['Text', true]
const definition = fromJSON({
  nested: {
    kt: {
      nested: {
        test: {
          nested: {
            Text: {
              fields: {
                text: { type: 'string', id: 1 },
                count: { type: 'int32', id: 2 },
                payload: { type: 'bytes', id: 3 }
              }
            },
            Echo: {
              methods: {
                Unary: { comment: '', requestType: Text, responseType: Text },
                Collect: { comment: '', requestType: Text, responseType: Text, requestStream: stream },
                Repeat: { comment: '', requestType: Text, responseType: Text, responseStream: stream },
                Talk: {
                  comment: '',
                  requestType: Text,
                  responseType: Text,
                  requestStream: stream,
                  responseStream: stream
                }
              }
            }
          }
        }
      }
    }
  }
})
const Echo = (loadPackageDefinition(definition) as { kt: { test: GrpcObject } }).kt.test
  .Echo as ServiceClientConstructor

export interface GrpcServer {
  port: number
  /** Calls whose caller gave up. */
  cancelled: string[]
  close(): void
}

/** `name` comes back in every answer. */
export async function serveGrpc(name: string, at = '127.0.0.1:0'): Promise<GrpcServer> {
  const server = new Server()
  const cancelled: string[] = []
  const service: UntypedServiceImplementation = {
    Unary(call: ServerUnaryCall<Text, Text>, done: sendUnaryData<Text>) {
      call.on('cancelled', () => cancelled.push(call.request.text))
      const trailer = new Metadata()
      trailer.set('late', 'yes')
      if (call.request.text === 'slow') return
      if (call.request.text === 'wrong')
        done({ code: status.FAILED_PRECONDITION, details: 'not so', metadata: trailer })
      else {
        const first = new Metadata()
        first.set('seen-bin', Buffer.from(call.metadata.get('key-bin').map(String).join('|')))
        for (const value of call.metadata.get('key')) first.add('seen', value)
        call.sendMetadata(first)
        done(null, { text: `${name} ${call.request.text}`, payload: call.request.payload ?? Buffer.alloc(0) }, trailer)
      }
    },
    Collect(call: ServerReadableStream<Text, Text>, done: sendUnaryData<Text>) {
      const texts: string[] = []
      call.on('data', ({ text }: Text) => texts.push(text))
      call.on('end', () => done(null, { text: `${name} ${texts.join(',')}`, count: texts.length }))
    },
    Repeat(call: ServerWritableStream<Text, Text>) {
      call.on('cancelled', () => cancelled.push(call.request.text))
      for (let i = 0; i < (call.request.count ?? 0); i++) call.write({ text: `${name} ${i}` })
      if (call.request.text !== 'open') call.end()
    },
    Talk(call: ServerDuplexStream<Text, Text>) {
      call.on('data', ({ text }: Text) => call.write({ text: `${name} ${text}` }))
      call.on('end', () => call.end())
    }
  }
  server.addService(Echo.service, service)
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(at, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound)
      else reject(error)
    })
  })
  return { port, cancelled, close: () => server.forceShutdown() }
}

export interface GrpcClient {
  /** Answer, first metadata and trailers; or code and details of the error. */
  unary(text: Text, metadata?: Record<string, string>, deadlineMs?: number): Promise<unknown>
  collect(texts: string[], metadata?: Record<string, string>): Promise<unknown>
  repeat(count: number, metadata?: Record<string, string>): Promise<unknown>
  /** Text by text, each sent when the last has come back. */
  talk(texts: string[], metadata?: Record<string, string>): Promise<unknown>
  /** Take some of an answer that does not end, and cancel. */
  cancel(): Promise<unknown>
  close(): void
}

export function callGrpc(port: number, host = '127.0.0.1'): GrpcClient {
  const client = new Echo(`${host}:${port}`, credentials.createInsecure(), { 'grpc.enable_http_proxy': 0 })
  const invoke = client as unknown as Record<string, (...args: unknown[]) => unknown>
  const told = (error: ServiceError): unknown => ({
    code: error.code,
    details: error.details.replace(/ after .*/s, '') // how long it took
  })
  return {
    unary: (text, values = {}, deadlineMs = 5_000) =>
      new Promise(resolve => {
        let first: unknown
        let answer: unknown
        const options = { deadline: Date.now() + deadlineMs }
        const call = invoke.Unary!(text, metadata(values), options, (error: ServiceError | null, value: Text) => {
          answer =
            error === null
              ? { text: value.text, bytes: value.payload?.length }
              : { ...(told(error) as object), trailers: plain(error.metadata) }
        }) as ClientReadableStream<Text>
        call.on('metadata', (value: Metadata) => {
          first = plain(value)
        })
        call.on('status', (value: { metadata: Metadata }) =>
          setImmediate(() => resolve({ answer, first, last: plain(value.metadata) }))
        )
      }),
    collect: (texts, values = {}) =>
      new Promise(resolve => {
        const call = invoke.Collect!(metadata(values), (error: ServiceError | null, value: Text) => {
          resolve(error === null ? value : told(error))
        }) as ClientWritableStream<Text>
        for (const text of texts) call.write({ text })
        call.end()
      }),
    repeat: (count, values = {}) =>
      all(invoke.Repeat!({ text: 'a', count }, metadata(values)) as ClientReadableStream<Text>),
    async talk(texts, values = {}) {
      const call = invoke.Talk!(metadata(values)) as ClientDuplexStream<Text, Text>
      const heard: string[] = []
      let next = 0
      call.write({ text: texts[next] ?? '' })
      return await new Promise(resolve => {
        call.on('data', ({ text }: Text) => {
          heard.push(text)
          next += 1
          if (next < texts.length) call.write({ text: texts[next] ?? '' })
          else call.end()
        })
        call.on('error', (error: ServiceError) => resolve(told(error)))
        call.on('end', () => resolve(heard))
      })
    },
    cancel: () =>
      new Promise(resolve => {
        const call = invoke.Repeat!({ text: 'open', count: 3 }, new Metadata()) as ClientReadableStream<Text>
        let count = 0
        call.on('data', () => {
          count += 1
          if (count === 3) call.cancel()
        })
        call.on('error', (error: ServiceError) => resolve({ count, ...(told(error) as object) }))
      }),
    close: () => client.close()
  }
}

function all(call: ClientReadableStream<Text>): Promise<unknown> {
  return new Promise(resolve => {
    const heard: string[] = []
    call.on('data', ({ text }: Text) => heard.push(text))
    call.on('error', (error: ServiceError) => resolve({ code: error.code, details: error.details }))
    call.on('end', () => resolve(heard))
  })
}

function metadata(values: Record<string, string>): Metadata {
  const made = new Metadata()
  for (const [name, value] of Object.entries(values)) {
    for (const each of value.split('|')) made.add(name, name.endsWith('-bin') ? Buffer.from(each) : each)
  }
  return made
}

function plain(value: Metadata): unknown {
  const { date: _date, ...rest } = value.toJSON() as Record<string, unknown>
  return rest
}

const PAYLOAD = Buffer.alloc(3_000_000, 'kt')

/** The server and the client hear of a deadline at the same time: whose trailers win is chance. */
function codeOf(told: unknown): number | undefined {
  return (told as { answer: { code?: number } }).answer.code
}

/** Calls of every kind. */
export const GRPC_ROWS: Record<string, (client: GrpcClient) => Promise<unknown>> = {
  unary: client => client.unary({ text: 'a' }),
  'metadata, also twice and binary': client => client.unary({ text: 'a' }, { key: '1|2', 'key-bin': 'a\0b|c' }),
  'three megabytes both ways': client => client.unary({ text: 'a', payload: PAYLOAD }),
  'an error with trailers': client => client.unary({ text: 'wrong' }),
  'client streaming': client => client.collect(['a', 'b', 'c']),
  'client streaming of nothing': client => client.collect([]),
  'server streaming': client => client.repeat(1_000),
  'server streaming of nothing': client => client.repeat(0),
  'both ways, text by text': client => client.talk(['a', 'b', 'c', 'd']),
  'a deadline': async client => codeOf(await client.unary({ text: 'slow' }, {}, 200)),
  'a cancelled call': client => client.cancel()
}
