import test from 'ava'
import { forbidden, readStatus, refused, statusOf, unreachable } from '../../../lib/kube/api/api-error.ts'
import { PODS, pathOf, type Request, SERVICE_CIDRS } from '../../../lib/kube/api/resource.ts'

const LIST: Request = { ...PODS, verb: 'list', namespace: 'demo' }

function answer(status: number, message: string, reason = ''): ReturnType<typeof refused> {
  return refused(readStatus(status, JSON.stringify({ kind: 'Status', message, reason })), LIST, 'ann')
}

test('a missing right names the verb, the resource and the namespace, and the command that grants it', t => {
  const error = answer(
    403,
    'pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "demo"'
  )
  t.is(error.code, 'KT_FORBIDDEN')
  t.is(error.message, 'user "ann" may not list pods in namespace demo')
  t.is(error.hint, 'ask for that right: kubectl create role kt -n demo --verb=list --resource=pods')
  const wide = forbidden({ ...SERVICE_CIDRS, verb: 'list' }, '')
  t.is(wide.message, 'you may not list servicecidrs.networking.k8s.io in the whole cluster')
  t.regex(wide.hint, /clusterrole kt --verb=list --resource=servicecidrs\.networking\.k8s\.io/)
  t.regex(
    forbidden({ verb: 'create', resource: 'pods', subresource: 'portforward', namespace: 'x' }, '').message,
    /create pods\/portforward in namespace x/
  )
})

test('a 403 of a policy keeps the policy’s words', t => {
  const error = answer(403, 'pods "x" is forbidden: violates PodSecurity "restricted:latest"')
  t.is(error.code, 'KT_FORBIDDEN')
  t.regex(error.message, /violates PodSecurity/)
})

test('other answers', t => {
  t.is(answer(401, 'Unauthorized').code, 'KT_UNAUTHORIZED')
  t.regex(answer(401, 'Unauthorized').message, /user "ann" are unknown or expired/)
  t.is(answer(404, 'pods "x" not found', 'NotFound').code, 'KT_NOT_FOUND')
  t.is(answer(500, 'etcd is away').message, 'the API server refuses to list pods in namespace demo: etcd is away')
  t.is(statusOf(answer(410, 'too old')), 410)
  t.is(statusOf(new Error('x')), 0)
})

test('bodies that are no Status are quoted, on one line and not whole', t => {
  t.is(readStatus(502, '<html>\n  Bad\tGateway</html>').message, '<html> Bad Gateway</html>')
  t.is(readStatus(403, '').message, '')
  t.true(readStatus(500, 'x'.repeat(10_000)).message.length < 1000)
})

test('no answer: the address, the proxy, and the innermost cause', t => {
  const cause = new AggregateError([
    Object.assign(new Error('connect ECONNREFUSED 192.0.2.1:6443'), { code: 'ECONNREFUSED' })
  ])
  const error = unreachable(new URL('https://api:6443'), cause, new URL('http://user:secret@proxy:3128'))
  t.is(error.code, 'KT_API_UNREACHABLE')
  t.is(
    error.message,
    'cannot reach the API server at https://api:6443 through the proxy http://proxy:3128: connect ECONNREFUSED 192.0.2.1:6443'
  )
  t.regex(
    unreachable(new URL('https://api'), Object.assign(new Error('x'), { code: 'SELF_SIGNED_CERT_IN_CHAIN' })).hint,
    /certificate/
  )
})

test('paths: core and groups, namespaces, subresources, a prefix before the API', t => {
  t.is(pathOf(LIST, '/'), '/api/v1/namespaces/demo/pods')
  t.is(
    pathOf({ ...PODS, verb: 'watch', query: { limit: '5' } }, '/k8s/clusters/c-1/'),
    '/k8s/clusters/c-1/api/v1/pods?limit=5&watch=true'
  )
  t.is(pathOf({ ...SERVICE_CIDRS, verb: 'list' }, ''), '/apis/networking.k8s.io/v1/servicecidrs')
  t.is(
    pathOf({ ...PODS, verb: 'get', namespace: 'a', name: 'b', subresource: 'portforward', query: { ports: '7' } }, ''),
    '/api/v1/namespaces/a/pods/b/portforward?ports=7'
  )
})
