// A name of the company's network, which the laptop's resolver knows, for the machine of the control plane.
import { existingCluster } from '../../cluster/existing.ts'
import { run } from '../../cluster/run.ts'
import { cacheDirectory } from '../../cluster/settings.ts'
import { CLUSTERS } from './areas.ts'
import { laptop } from './laptop.ts'

export const COMPANY_DOMAIN = 'example.test'
/** What the company's DNS says of `www`, and a neighbour of its. */
export const [WWW_ADDRESS, NEIGHBOUR] = ['192.0.2.11', '192.0.2.12']
const COMPANY_RANGE = '192.0.2.0/24'

/** Let the control plane have `WWW_ADDRESS`, and the laptop a route there; the result puts all back. */
export async function joinCompany(): Promise<() => Promise<void>> {
  const { controlPlane, laptopGateway } = existingCluster(CLUSTERS.main.id, cacheDirectory(process.env))
  const change = async (verb: 'add' | 'del'): Promise<void> => {
    await run('ip', ['-n', controlPlane, 'addr', verb, `${WWW_ADDRESS}/32`, 'dev', 'lo'])
    const { code, stderr } = await laptop('ip', ['route', verb, COMPANY_RANGE, 'via', laptopGateway])
    if (code !== 0) throw new Error(stderr)
  }
  await change('add')
  return () => change('del')
}
