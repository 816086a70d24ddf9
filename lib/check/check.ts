// `kt check`, put together: from this computer outwards. Nothing is changed anywhere.
import { type Cluster, loadCluster } from '../kube/api/client.ts'
import { readKubeconfig } from '../kube/api/kubeconfig.ts'
import type { ClusterOptions } from '../session/link/open-cluster.ts'
import { type Finding, faultOf, ok } from './finding.ts'
import { checkLaptop, checkTunnels } from './laptop.ts'
import { checkJournals, checkRemains } from './leftovers.ts'
import { checkDns, checkImage, checkPod, checkRights } from './namespace.ts'
import { checkRoutes } from './routes.ts'
import { checkWay } from './way.ts'

/** Each finding as soon as it is known. What cannot be asked because something before it failed is left out. */
export async function* check(
  options: ClusterOptions & { image: string },
  signal: AbortSignal
): AsyncGenerator<Finding> {
  yield* await checkLaptop()
  yield await checkTunnels()
  yield checkJournals()
  let cluster: Cluster
  let answerMs = 0
  try {
    const { contextName, files } = readKubeconfig(options)
    yield ok('kubeconfig', `context ${contextName} of ${files.join(', ')}`)
    const began = performance.now()
    cluster = await loadCluster(options, signal)
    answerMs = performance.now() - began
  } catch (error) {
    const code = (error as { code?: string }).code
    yield faultOf(code === 'KT_KUBECONFIG' ? 'kubeconfig' : code === 'KT_NOT_FOUND' ? 'namespace' : 'api-server', error)
    return
  }
  try {
    yield* await checkWay(cluster, answerMs, signal)
    yield* await checkRoutes(cluster, signal)
    yield* await checkRights(cluster, signal)
    yield await checkPod(cluster, options.image, signal)
    yield await checkImage(cluster, options.image, signal)
    yield await checkDns(cluster, signal)
    yield* await checkRemains(cluster, signal)
  } catch (error) {
    yield faultOf('api-server', error)
  } finally {
    cluster.close()
  }
}
