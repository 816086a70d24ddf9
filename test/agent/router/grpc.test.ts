// gRPC as people call it: each row directly and through the router must be the same, and each call goes where its metadata says.
import test from 'ava'
import { callGrpc, GRPC_ROWS, type GrpcClient, type GrpcServer, serveGrpc } from './_grpc.ts'
import { type RunningRouter, startRouter, until, versionRoute } from './_router.ts'

let original: GrpcServer
let laptop: GrpcServer
let router: RunningRouter
let direct: GrpcClient
let through: GrpcClient

test.before(async () => {
  original = await serveGrpc('original')
  laptop = await serveGrpc('laptop')
  router = await startRouter(original.port, port => [versionRoute('one', port, laptop.port)])
  direct = callGrpc(original.port)
  through = callGrpc(router.port)
})

test.after.always(async () => {
  direct.close()
  through.close()
  original.close()
  laptop.close()
  await router.close()
})

for (const [name, row] of Object.entries(GRPC_ROWS)) {
  test.serial(`the same directly and through the router: ${name}`, async t => {
    const expected = await row(direct)
    t.deepEqual(await row(through), expected)
    t.truthy(expected)
  })
}

test.serial('the server hears of a deadline and of a cancelled call', async t => {
  original.cancelled.length = 0
  await through.unary({ text: 'slow' }, {}, 100)
  await through.cancel()
  await until(() => original.cancelled.length === 2)
  t.deepEqual(original.cancelled.sort(), ['open', 'slow'])
})

test.serial('each call of one channel goes where its metadata says, many at once', async t => {
  const calls = Array.from({ length: 300 }, (_, i) => {
    const version = ['one', 'two', ''][i % 3]!
    const wanted = version === 'one' ? 'laptop' : 'original'
    return through.unary({ text: String(i) }, version === '' ? {} : { version }).then(told => {
      const { answer } = told as { answer: { text: string } }
      return answer.text === `${wanted} ${i}`
    })
  })
  t.true((await Promise.all(calls)).every(Boolean))
  t.deepEqual(await through.talk(['a'], { version: 'one' }), ['laptop a'])
})

test.serial('the pod of a route is not there: the original answers', async t => {
  router.load([versionRoute('gone', router.port, 9)])
  const told = (await through.unary({ text: 'a' }, { version: 'gone' })) as { answer: { text: string } }
  t.is(told.answer.text, 'original a')
  t.deepEqual(await through.collect(['a', 'b'], { version: 'gone' }), { text: 'original a,b', count: 2 })
  t.is(router.status.routes[0]?.passedOn, 2)
})
