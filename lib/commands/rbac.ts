// `kt rbac [COMMAND]`: the rights that kt asks for, as a Role that can be applied or sent to whoever may give them.
import { Command, InvalidArgumentError } from 'commander'
import { readKubeconfig } from '../kube/api/kubeconfig.ts'
import { CLUSTER_WIDE, type Need, needsOf, RIGHTS_COMMANDS, type RightsCommand } from '../kube/api/rights.ts'
import type { GlobalFlags } from './global.ts'
import { print } from './output.ts'

interface RbacFlags extends GlobalFlags {
  cluster?: boolean
  user: string
}

const API_GROUP = 'rbac.authorization.k8s.io'

export function rbacCommand(done: (code: number) => void): Command {
  return new Command('rbac')
    .description('print a Role with exactly the rights that kt needs in a namespace, and its binding')
    .argument('[command]', `only those of one command: ${RIGHTS_COMMANDS.join(', ')}`, rightsCommand)
    .option('--user <name>', 'who is to have them: USER, or system:serviceaccount:NAMESPACE:NAME', 'NAME')
    .option('--cluster', 'with a ClusterRole that lets kt up know the names and ranges of all namespaces')
    .addHelpText(
      'after',
      `
Examples:
  kt rbac -n shop --user alice | kubectl apply -f -    everything, in namespace shop
  kt rbac exchange -n shop                             only what kt exchange needs`
    )
    .action((command: RightsCommand | undefined, _: unknown, self: Command) => {
      const flags = self.optsWithGlobals<RbacFlags>()
      const objects = objectsFor(command, flags)
      const list = { apiVersion: 'v1', kind: 'List', items: objects.map(({ object }) => object) }
      print(flags.output, list, objects.map(document).join('---\n'))
      done(0)
    })
}

function rightsCommand(text: string): RightsCommand {
  const found = RIGHTS_COMMANDS.find(command => command === (text === 'connect' ? 'up' : text))
  if (found === undefined) throw new InvalidArgumentError(`one of ${RIGHTS_COMMANDS.join(', ')} is expected`)
  return found
}

/** One document of the output. */
interface Described {
  comment: string
  object: object
  needs?: readonly Need[]
}

function objectsFor(command: RightsCommand | undefined, flags: RbacFlags): Described[] {
  const namespace = flags.namespace ?? (readKubeconfig(flags).namespace || 'default')
  const name = command === undefined ? 'kt' : `kt-${command}`
  const needs = needsOf(command === undefined ? RIGHTS_COMMANDS : [command])
  const what = command === undefined ? 'all commands of kt' : `kt ${command}`
  const role: Described = {
    comment: `what ${what} ${command === undefined ? 'need' : 'needs'} in namespace ${namespace}`,
    object: { ...head('Role', name, namespace), rules: needs.map(ruleOf) },
    needs
  }
  const found = [role, binding('Role', name, namespace, flags.user)]
  if (!flags.cluster) return found
  const wide: Described = {
    comment: 'not needed: kt up then knows the names and ranges of all namespaces',
    object: { ...head('ClusterRole', 'kt'), rules: CLUSTER_WIDE.map(ruleOf) },
    needs: CLUSTER_WIDE
  }
  return [...found, wide, binding('ClusterRole', 'kt', undefined, flags.user)]
}

function binding(kind: 'Role' | 'ClusterRole', role: string, namespace: string | undefined, user: string): Described {
  const subjects = [{ apiGroup: API_GROUP, kind: 'User', name: user }]
  const roleRef = { apiGroup: API_GROUP, kind, name: role }
  const comment = user === 'NAME' ? 'put the name of the user, as the API server calls him, in the place of NAME' : ''
  return { comment, object: { ...head(`${kind}Binding`, role, namespace), roleRef, subjects } }
}

function head(kind: string, name: string, namespace?: string): object {
  return { apiVersion: `${API_GROUP}/v1`, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) } }
}

function ruleOf({ group, resource, verbs }: Need): object {
  return { apiGroups: [group ?? ''], resources: [resource], verbs }
}

/** YAML for people: a rule is a line, with what it is for behind it. */
function document({ comment, object, needs = [] }: Described): string {
  const lines = comment === '' ? [] : [`# ${comment}`]
  for (const [key, value] of Object.entries(object)) {
    if (key === 'rules')
      lines.push('rules:', ...needs.map(need => `- ${flow(ruleOf(need))}${need.for ? ` # ${need.for}` : ''}`))
    else if (key === 'subjects') lines.push('subjects:', ...(value as object[]).map(subject => `- ${flow(subject)}`))
    else lines.push(`${key}: ${typeof value === 'string' ? value : flow(value)}`)
  }
  return `${lines.join('\n')}\n`
}

/** JSON is YAML; with blanks it is read like it, too. */
function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  return `{ ${Object.entries(value)
    .map(([key, part]) => `${key}: ${flow(part)}`)
    .join(', ')} }`
}
