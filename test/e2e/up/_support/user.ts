// Users of the cluster with few rights: a service account, a Role, and a kubeconfig that holds its token.
import { writeFileSync } from 'node:fs'
import { kubectl } from '../../_support/kubectl.ts'
import { kubeconfig } from '../../_support/laptop.ts'

/** What a Role allows: `pods/portforward` and `services.apps` as kubectl writes them. */
export interface Rule {
  group?: string
  resource: string
  verbs: string[]
}

export interface User {
  /** A kubeconfig with this user's token, for the namespace of its rights. */
  file: string
  /** Replace the rights. */
  allow(rules: readonly Rule[]): Promise<void>
  remove(): Promise<void>
}

/** Make a user in `namespace` that may do nothing yet; its kubeconfig is written to `file`. */
export async function makeUser(name: string, namespace: string, file: string): Promise<User> {
  const role = (rules: readonly Rule[]): object => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name, namespace },
    rules: rules.map(({ group, resource, verbs }) => ({ apiGroups: [group ?? ''], resources: [resource], verbs }))
  })
  const apply = (...items: object[]): Promise<string> =>
    kubectl(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) })
  await apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } }, role([]), {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name, namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
    subjects: [{ kind: 'ServiceAccount', name, namespace }]
  })
  const token = (await kubectl(['-n', namespace, 'create', 'token', name])).trim()
  await writeKubeconfig(file, { user: name, namespace, credentials: { token } })
  return {
    file,
    allow: async rules => void (await apply(role(rules))),
    remove: async () => {
      for (const kind of ['rolebinding', 'role', 'serviceaccount']) {
        await kubectl(['-n', namespace, 'delete', kind, name, '--ignore-not-found'])
      }
    }
  }
}

interface Entry {
  user: string
  namespace: string
  credentials: object
  /** In place of the cluster's own address. */
  server?: string
}

/** A kubeconfig for the test cluster with other credentials or another address. */
export async function writeKubeconfig(file: string, { user, namespace, credentials, server }: Entry): Promise<void> {
  const view = ['config', 'view', '--minify', '--raw', '--flatten', '-o', 'json', '--kubeconfig', kubeconfig()]
  const config = JSON.parse(await kubectl(view)) as { clusters: { name: string; cluster: { server: string } }[] }
  const [entry] = config.clusters
  if (entry === undefined) throw new Error(`${kubeconfig()} has no cluster`)
  if (server !== undefined) entry.cluster.server = server
  const changed = {
    ...config,
    users: [{ name: user, user: credentials }],
    contexts: [{ name: 'test', context: { cluster: entry.name, user, namespace } }],
    'current-context': 'test'
  }
  writeFileSync(file, JSON.stringify(changed), { mode: 0o600 })
}
