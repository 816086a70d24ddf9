// The kinds of Istio and of the Gateway API that kt writes, as far as the API server has to know them; nobody acts on them here.
import { kubectl } from '../../_support/kubectl.ts'
import type { Rule } from '../../up/_support/user.ts'

const KINDS = {
  istio: [
    ['networking.istio.io', 'VirtualService', 'virtualservices'],
    ['networking.istio.io', 'DestinationRule', 'destinationrules']
  ],
  gateway: [['gateway.networking.k8s.io', 'HTTPRoute', 'httproutes']]
} as const

type Flavour = keyof typeof KINDS

/** What `--apply` asks for. */
export const rulesFor = (flavour: Flavour): Rule[] =>
  KINDS[flavour].map(([group, , resource]) => ({ group, resource, verbs: ['list', 'create', 'delete'] }))

export async function install(flavour: Flavour): Promise<void> {
  const items = KINDS[flavour].map(([group, kind, plural]) => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      // The API server takes a group of kubernetes.io only with somebody's approval.
      annotations: { 'api-approved.kubernetes.io': 'https://github.com/kubernetes-sigs/gateway-api/pull/2997' }
    },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
        }
      ]
    }
  }))
  await kubectl(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) })
  for (const { metadata } of items)
    await kubectl(['wait', '--for=condition=Established', `crd/${metadata.name}`, '--timeout=30s'])
}

export async function uninstall(flavour: Flavour): Promise<void> {
  const names = KINDS[flavour].map(([group, , plural]) => `${plural}.${group}`)
  await kubectl(['delete', 'crd', ...names, '--ignore-not-found', '--timeout=30s'])
}
