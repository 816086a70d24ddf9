// `kt env`: the environment of a pod, for a program on this laptop.
import { Command, Option } from 'commander'
import { KtError } from '../errors.ts'
import { loadCluster } from '../kube/api/client.ts'
import { type Environment, environmentOf } from '../kube/environment/environment.ts'
import { parseTarget } from '../kube/traffic/target.ts'
import { podOf } from '../kube/traffic/target-pod.ts'
import type { Shell } from '../proxy/environment.ts'
import { Child } from './child.ts'
import type { GlobalFlags } from './global.ts'
import { yaml } from './output.ts'
import { proxyEnvironmentLines } from './up-proxy.ts'

interface EnvFlags extends GlobalFlags {
  proxy?: boolean
  shell: Shell
  unset?: boolean
  format?: 'dotenv' | 'json' | 'sh'
  container?: string
}

export function envCommand(): Command {
  return new Command('env')
    .description('print the environment of a pod: ConfigMaps, Secrets, fields and $(VAR) resolved')
    .argument('[target]', 'SERVICE, deployment/X, statefulset/X, pod/X')
    .addOption(new Option('--format <form>', 'dotenv, json or sh').choices(['dotenv', 'json', 'sh']))
    .option('--container <name>', "of the pod (default: the pod's first, or the one it names as its default)")
    .option('--proxy', 'instead: what leads the programs of this shell to the proxy of kt up --socks')
    .addOption(new Option('--shell <shell>', 'of --proxy').choices(['sh', 'fish', 'powershell']).default('sh'))
    .option('--unset', 'of --proxy: what leads them away from it')
    .addHelpText(
      'after',
      `
Examples:
  kt env web > .env
  eval "$(kt env --proxy)"
  eval "$(kt env deploy/web --format sh)"
  kt env pod/db-0 --container exporter --format json
Variables that the image itself sets are not known to the cluster.`
    )
    .action(async (text: string | undefined, _: unknown, command: Command) => {
      const flags = command.optsWithGlobals<EnvFlags>()
      if ((text === undefined) !== (flags.proxy ?? false))
        throw new KtError('KT_USAGE', 'name one target, or give --proxy', { hint: 'kt env deploy/web' })
      if (text === undefined) {
        const lines = await proxyEnvironmentLines(flags.shell, flags.unset ?? false)
        return void process.stdout.write(`${lines.join('\n')}\n`)
      }
      const found = await readEnvironment(flags, text, flags.container)
      for (const note of found.notes) process.stderr.write(`! ${note}\n`)
      process.stdout.write(formatted(found, flags))
    })
}

/** The environment of TARGET as typed. Throws KtError. */
export async function readEnvironment(flags: GlobalFlags, text: string, container?: string): Promise<Environment> {
  const target = parseTarget(text)
  const cluster = await loadCluster(flags)
  try {
    return await environmentOf(cluster, await podOf(cluster, target), container)
  } finally {
    cluster.close()
  }
}

/** A program with the environment of `from`, if that is named, which is read before anything is changed. Throws KtError. */
export async function childWith(
  flags: GlobalFlags,
  words: readonly string[],
  from: string | undefined
): Promise<Child> {
  const found = from === undefined ? undefined : await readEnvironment(flags, from)
  for (const note of found?.notes ?? []) process.stderr.write(`! ${note}\n`)
  return new Child(words, found?.variables)
}

function formatted({ variables }: Environment, { format, output }: EnvFlags): string {
  if (format === undefined && output === 'yaml') return yaml(variables)
  const form = format ?? (output === 'json' ? 'json' : 'dotenv')
  if (form === 'json') return `${JSON.stringify(variables)}\n`
  const line = form === 'sh' ? shLine : dotenvLine
  return Object.entries(variables).map(line).join('')
}

/** POSIX: nothing has a meaning inside single quotes but their end. */
function shLine([name, value]: [string, string]): string {
  // A name like `a.b` may stand in a container's environment, but no shell can set it.
  if (!/^[A-Za-z_]\w*$/.test(name)) return `# ${name} cannot be set by a shell\n`
  return `export ${name}='${value.replaceAll("'", "'\\''")}'\n`
}

/** As Node's --env-file and dotenv read it: quoted where it must be, by a quote that is not inside. */
function dotenvLine([name, value]: [string, string]): string {
  if (/^[\w./:@%+,-]*$/.test(value)) return `${name}=${value}\n`
  const quote = ["'", '"', '`'].find(each => !value.includes(each) && (each !== '"' || !value.includes('\\n')))
  return `${name}=${quote === undefined ? JSON.stringify(value) : `${quote}${value}${quote}`}\n`
}
