// From the global flags to what the sessions take: which cluster, and what is wanted of every pod that is made there.
import { KtError } from '../errors.ts'
import type { PodWishes } from '../kube/shadow/shadow-manifest.ts'
import type { ClusterOptions } from '../session/link/open-cluster.ts'
import { detachedLog } from './detach.ts'
import { DEFAULT_IMAGE } from './foreground.ts'
import type { GlobalFlags } from './global.ts'

/** For every command that stays. Throws KT_USAGE. */
export function clusterOptions(flags: GlobalFlags): ClusterOptions & { image: string } {
  return {
    kubeconfig: flags.kubeconfig,
    context: flags.context,
    namespace: flags.namespace,
    via: flags.via,
    image: flags.image ?? DEFAULT_IMAGE,
    pod: podWishes(flags),
    log: detachedLog()
  }
}

function podWishes(flags: GlobalFlags): PodWishes {
  const { imagePullSecret, serviceAccount, nodeSelector, forceUpdate, podQuota, podCreationTimeout } = flags
  return {
    ...(imagePullSecret ? { imagePullSecrets: [imagePullSecret] } : {}),
    ...(serviceAccount && serviceAccount !== 'default' ? { serviceAccount } : {}),
    ...(nodeSelector ? { nodeSelector: pairs('--nodeSelector', nodeSelector) } : {}),
    ...(forceUpdate ? { imagePullPolicy: 'Always' as const } : {}),
    ...(flags.withLabel ? { labels: pairs('--withLabel', flags.withLabel) } : {}),
    ...(flags.withAnnotation ? { annotations: pairs('--withAnnotation', flags.withAnnotation) } : {}),
    ...(podQuota ? { quota: parseQuota(podQuota) } : {}),
    ...(podCreationTimeout === undefined ? {} : { readyLimitMs: podCreationTimeout * 1000 })
  }
}

/** `a=b,c=d`, as kt-connect and kubectl write labels. Throws KT_USAGE. */
export function pairs(flag: string, text: string): Record<string, string> {
  const parts = text
    .split(',')
    .map(part => part.trim())
    .filter(Boolean)
  return Object.fromEntries(
    parts.map(part => {
      const [, key, value] = /^([^=\s]+)=(.*)$/.exec(part) ?? []
      if (key === undefined)
        throw new KtError('KT_USAGE', `${flag}: "${part}" is not key=value`, { hint: `for example: ${flag} a=b,c=d` })
      return [key, value ?? '']
    })
  )
}

/** kt-connect's `0.5c,512m`: cores, and k, m or g for KiB, MiB, GiB. Throws KT_USAGE. */
export function parseQuota(text: string): { cpu?: string; memory?: string } {
  const quota: { cpu?: string; memory?: string } = {}
  for (const part of text.toLowerCase().split(',')) {
    const [, amount, unit] = /^\s*(\d+(?:\.\d+)?)([ckmg])\s*$/.exec(part) ?? []
    if (amount === undefined)
      throw new KtError('KT_USAGE', `--podQuota: "${part}" is neither cores nor bytes`, {
        hint: 'for example 0.5c,512m: c is cores; k, m and g are KiB, MiB and GiB'
      })
    if (unit === 'c') quota.cpu = amount
    else quota.memory = `${amount}${(unit ?? '').replace('k', 'K').replace('m', 'M').replace('g', 'G')}i`
  }
  return quota
}
