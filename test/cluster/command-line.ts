// The command line of the test cluster. Pure: what to do for each command is handed in.
import { Command, InvalidArgumentError, Option } from 'commander'
import { DEFAULT_CHOICE } from './existing.ts'
import { type Choice, IDS, MOST_NODES } from './settings.ts'

/** One function for each command. */
export interface Actions {
  build(): Promise<void>
  up(choice: Choice): Promise<void>
  down(id: number): Promise<void>
  status(id: number): Promise<void>
  kubectl(id: number, args: string[]): Promise<void>
  laptop(id: number, command: string[], options: { resolved: boolean }): Promise<void>
  env(id: number): Promise<void>
}

interface UpOptions {
  id: number
  nodes: number
  proxy: Choice['proxy']
  dualStack: boolean
  demo: boolean
}

/** The parser; `parseAsync` it. Options of `kubectl` and `laptop` stand before the words that are passed on. */
export function commandLine(actions: Actions): Command {
  const program = new Command('npm run cluster --')
    .description(
      'A real Kubernetes on this machine, for tests: API server, nodes, cluster DNS, and a laptop beside it.'
    )
    .enablePositionalOptions()
    .helpCommand(false)
  program.command('build').description('make the binaries and images (once: about 10 minutes)').action(actions.build)
  program
    .command('up')
    .description('start a fresh cluster, building what is missing')
    .addOption(idOption())
    .addOption(new Option('--nodes <number>', 'nodes').default(MOST_NODES).argParser(oneOf([1, MOST_NODES])))
    .addOption(
      new Option('--proxy <mode>', "kube-proxy's mode").choices(['nftables', 'iptables']).default(DEFAULT_CHOICE.proxy)
    )
    .option('--dual-stack', 'services and pods with IPv4 and IPv6', false)
    .option('--no-demo', 'without the namespace demo')
    .action(({ id, nodes, proxy, dualStack, demo }: UpOptions) => actions.up({ id, nodes, proxy, dualStack, demo }))
  program
    .command('down')
    .description('stop it and remove all it made')
    .addOption(idOption())
    .action(({ id }) => actions.down(id))
  program
    .command('status')
    .description('what runs')
    .addOption(idOption())
    .action(({ id }) => actions.status(id))
  program
    .command('env')
    .description('shell exports: eval "$(npm run -s cluster -- env)"')
    .addOption(idOption())
    .action(({ id }) => actions.env(id))
  program
    .command('kubectl')
    .description("kubectl as the cluster's administrator")
    .addOption(idOption())
    .argument('[args...]')
    .helpOption(false)
    .passThroughOptions()
    .allowUnknownOption()
    .action((args: string[], { id }) => actions.kubectl(id, args))
  program
    .command('laptop')
    .description(
      "run a command on the laptop: no default route, a resolver of its own, KUBECONFIG and kt's KT_HOME set"
    )
    .addOption(idOption())
    .option('--resolved', 'beside a systemd-resolved', false)
    .argument('<command...>')
    .passThroughOptions()
    .action((command: string[], { id, resolved }) => actions.laptop(id, command, { resolved }))
  return program
}

function idOption(): Option {
  return new Option('--id <number>', 'which cluster: several run side by side').default(0).argParser(oneOf(IDS))
}

/** A number out of those that exist. */
function oneOf(numbers: number[]): (text: string) => number {
  return text => {
    const value = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN
    if (!numbers.includes(value)) throw new InvalidArgumentError(`One of ${numbers.join(', ')}.`)
    return value
  }
}
