// Exchanges and previews inside a session: all are looked at before anything is changed, then begun one after the other.
import { KtError } from '../../errors.ts'
import type { Right } from '../../kube/api/api-error.ts'
import { type ExchangeWish, exchangeRights, planExchange } from './exchange.ts'
import type { Begun, Exposing, Planned } from './exposing.ts'
import { type PreviewWish, planPreview, previewRights } from './preview.ts'

/** What is to come to this laptop while the session lives. */
export interface TrafficWishes {
  exchanges: readonly ExchangeWish[]
  previews: readonly PreviewWish[]
}

/** All of it works. */
export interface Traffic {
  banners: string[]
  exposed: string[]
  /** Resolves when one of them is not ours any more. */
  lost: Promise<Error>
}

/** What they cannot do without. */
export function trafficRights({ exchanges, previews }: TrafficWishes): (namespace: string) => Right[] {
  const all = [...exchanges.map(exchangeRights), ...previews.map(previewRights)]
  return namespace => all.flatMap(rights => rights(namespace))
}

/** Look at everything that can be in the way; throws KtError. What it returns begins them; each is undone with the session. */
export async function planTraffic(
  exposing: Exposing,
  { exchanges, previews }: TrafficWishes
): Promise<() => Promise<Traffic>> {
  demandOnce(exchanges.map(({ target: { kind, name } }) => `${kind}/${name}`))
  demandOnce(previews.map(({ name }) => `service/${name}`))
  const planned: Planned[] = []
  // Each has a shadow and a line of its own: only what they expose is said of the session.
  const own = (): Exposing => ({ ...exposing, parts: {} })
  for (const wish of exchanges) planned.push(await planExchange(own(), wish))
  for (const wish of previews) planned.push(await planPreview(own(), wish))
  return async () => {
    const begun: Begun[] = []
    for (const begin of planned) begun.push(await begin())
    return {
      banners: begun.map(({ banner }) => banner),
      exposed: begun.flatMap(({ exposed }) => exposed),
      lost: Promise.race(begun.map(({ lost }) => lost))
    }
  }
}

function demandOnce(names: string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined)
    throw new KtError('KT_USAGE', `${twice} is named twice`, { hint: 'several ports of one: shop:3000:80,9090:grpc' })
}
