// Flags that every command takes, before or after its name, with kt-connect's names and meanings.
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { invokerHome } from '../host/state.ts'
import { OUTPUT_FORMS, type OutputForm } from './output.ts'

/** What they parse to; `command.optsWithGlobals()` gives them beside a command's own. */
export interface GlobalFlags {
  kubeconfig?: string
  context?: string
  namespace?: string
  via?: string
  image?: string
  imagePullSecret?: string
  serviceAccount?: string
  nodeSelector?: string
  withLabel?: string
  withAnnotation?: string
  podQuota?: string
  podCreationTimeout?: number
  forceUpdate?: boolean
  debug?: boolean
  quiet?: boolean
  /** What stands behind `--`. */
  behind?: string[]
  output: OutputForm
}

/** Put the global flags on the program. */
export function globalFlags(program: Command): Command {
  return program
    .option('-c, --kubeconfig <file>', 'kubeconfig file (default: $KUBECONFIG, then ~/.kube/config)')
    .option('--context <name>', 'kubeconfig context (default: the current one)')
    .option('-n, --namespace <name>', "namespace (default: the context's)")
    .option('--via <host>', 'reach the API server from a jump host: ssh://user@host:port, or as ssh knows it')
    .option('-i, --image <image>', 'image of the shadow pod: any with Node 20 or later (default: node:24-alpine)')
    .option('--imagePullSecret <name>', 'secret with which the shadow pod pulls its image')
    .option('--serviceAccount <name>', 'service account of the shadow pod; it never gets its token', 'default')
    .option('--nodeSelector <pairs>', 'nodes on which shadow pods may run: k=v,k=v')
    .option('-l, --withLabel <pairs>', 'further labels of the pods that kt makes: k=v,k=v')
    .option('--withAnnotation <pairs>', 'further annotations of the pods that kt makes: k=v,k=v')
    .option('--podQuota <quota>', 'CPU and memory of a shadow pod, as request and limit: 0.5c,512m')
    .option(
      '--podCreationTimeout <seconds>',
      'how long a shadow pod may take (default: 60, and 300 while its image is pulled)',
      seconds
    )
    .option('-f, --forceUpdate', 'pull the image of the shadow pod again')
    .addOption(
      new Option('--output <form>', 'text, json (one object a line) or yaml').choices(OUTPUT_FORMS).default('text')
    )
    .option('-q, --quiet', 'say only what needs attention')
    .option('-d, --debug', 'say more, on standard error')
}

/**
 * Cut a command line at `--`, behind which a program of the user stands, and take kt-connect's `--flag=true` and `--flag=false` for flags
 * without a value: as `--flag`, and as nothing.
 */
export function prepared(program: Command, argv: readonly string[]): { words: string[]; behind: string[] } {
  const commands = [program, ...program.commands, ...program.commands.flatMap(command => command.commands)]
  const booleans = new Set(commands.flatMap(({ options }) => options.filter(o => o.isBoolean()).map(o => o.long)))
  const end = argv.indexOf('--')
  const words = end < 0 ? argv : argv.slice(0, end)
  const kept = words.flatMap(word => {
    const [, flag = '', value] = /^(--\w+)=(true|false)$/.exec(word) ?? []
    if (value === undefined || !booleans.has(flag)) return [word]
    return value === 'true' ? [flag] : []
  })
  return { words: kept, behind: end < 0 ? [] : argv.slice(end + 1) }
}

/** Under sudo the kubeconfig of the user who typed the command is meant. To be called once the command line is read. */
export function findKubeconfig(program: Command): void {
  const own = kubeconfigUnderSudo()
  if (own !== undefined && program.getOptionValue('kubeconfig') === undefined) program.setOptionValue('kubeconfig', own)
}

/** The flags of every command that were typed, as words for another kt; `besides` are the attributes of those that do not concern it. */
export function typedFlags(program: Command, besides: ReadonlySet<string>): string[] {
  return program.options.flatMap(option => {
    const attribute = option.attributeName()
    if (besides.has(attribute) || program.getOptionValueSource(attribute) !== 'cli') return []
    return option.isBoolean() ? [option.long ?? ''] : [option.long ?? '', String(program.getOptionValue(attribute))]
  })
}

/** A number of seconds on the command line. */
export function seconds(value: string): number {
  if (!/^\d{1,6}$/.test(value)) throw new InvalidArgumentError('a number of seconds is expected')
  return Number(value)
}

/** sudo changes the home directory: the file of the user who typed it is meant, unless root has one of its own. */
function kubeconfigUnderSudo(): string | undefined {
  const file = join(invokerHome(), '.kube/config')
  if (process.env.KUBECONFIG || invokerHome() === homedir() || existsSync(join(homedir(), '.kube/config')))
    return undefined
  return existsSync(file) ? file : undefined
}

/** `a,b , c` → ['a', 'b', 'c']; given twice, both count. */
export function commaList(value: string, before: string[] = []): string[] {
  const parts = value
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '')
  if (parts.length === 0) throw new InvalidArgumentError('a comma list is expected')
  return [...before, ...parts]
}
