// One conditional write to a Service: made from its present state, refused by the API server when that is not the present any more.
import { statusOf } from '../api/api-error.ts'
import type { Cluster, Service } from '../api/client.ts'
import { SERVICES } from '../api/resource.ts'

/** Others write to a Service rarely; who loses so often in a row has a loop against him. */
const ATTEMPTS = 8

/**
 * Read the Service, ask `patchFor` for a merge patch that carries its resourceVersion, write it; on a conflict all of it
 * again. `patchFor` may throw to refuse, and returns undefined when there is nothing to do. The Service as it is afterwards.
 */
export async function changeService(
  { api, namespace }: Cluster,
  name: string,
  patchFor: (service: Service) => object | undefined,
  signal?: AbortSignal
): Promise<Service> {
  for (let attempt = 1; ; attempt++) {
    const service = await api.call<Service>({ ...SERVICES, verb: 'get', namespace, name }, signal)
    const body = patchFor(service)
    if (body === undefined) return service
    try {
      return await api.call<Service>({ ...SERVICES, verb: 'patch', namespace, name, body }, signal)
    } catch (error) {
      if (statusOf(error) !== 409 || attempt === ATTEMPTS) throw error
    }
  }
}
