// Flags that every command takes, before or after its name, with kt-connect's names and meanings.
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { invokerHome } from '../host/state.ts'

/** What they parse to; `command.optsWithGlobals()` gives them beside a command's own. */
export interface GlobalFlags {
  kubeconfig?: string
  context?: string
  namespace?: string
  image?: string
  debug?: boolean
  output: 'text' | 'json'
}

/** Put the global flags on the program. */
export function globalFlags(program: Command): Command {
  return program
    .option('-c, --kubeconfig <file>', 'kubeconfig file (default: $KUBECONFIG, then ~/.kube/config)')
    .option('--context <name>', 'kubeconfig context (default: the current one)')
    .option('-n, --namespace <name>', "namespace (default: the context's)")
    .option('-i, --image <image>', 'image of the shadow pod: any with Node 20 or later (default: node:24-alpine)')
    .addOption(
      new Option('--output <form>', 'text, or json: one object a line').choices(['text', 'json']).default('text')
    )
    .option('-d, --debug', 'say more, on standard error')
    .hook('preAction', () => {
      const own = kubeconfigUnderSudo()
      if (own !== undefined && program.getOptionValue('kubeconfig') === undefined)
        program.setOptionValue('kubeconfig', own)
    })
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
