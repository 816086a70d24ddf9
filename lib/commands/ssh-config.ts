// `kt ssh-config`: lines for ~/.ssh/config with which OpenSSH reaches the cluster, and `kt ssh-proxy`, which they name.
import { Command, InvalidArgumentError } from 'commander'
import { readKubeconfig } from '../kube/api/kubeconfig.ts'
import { sshProxy } from '../session/ssh-proxy.ts'
import { ownPublicKey, sshFiles } from '../ssh/own-files.ts'
import { clusterOptions } from './cluster-options.ts'
import { inForeground } from './foreground.ts'
import { type GlobalFlags, typedFlags } from './global.ts'
import { print } from './output.ts'

const DEFAULT_HOST = 'kt'
/** OpenSSH asks whether the other side lives so often, seconds; it gives up after three. The tunnel may be away for longer, with its own patience. */
const ALIVE_SECONDS = 60
/** Flags of the whole command line that are no matter of the cluster, or are written anew. */
const NOT_PASSED = new Set(['kubeconfig', 'context', 'namespace', 'output', 'quiet', 'version'])

interface SshFlags extends GlobalFlags {
  shell?: boolean
}

export function sshConfigCommand(): Command {
  return new Command('ssh-config')
    .description('print a host for ~/.ssh/config: ssh -L, -R and -D through a pod of its own')
    .argument('[host]', `the name that ssh is given (default: ${DEFAULT_HOST})`, hostName)
    .option('--shell', 'ssh may also run commands in the pod; without it, ports only')
    .addHelpText(
      'after',
      `
Needs no root, and no kt that runs: each ssh makes a pod, and removes it. Examples:
  kt ssh-config >> ~/.ssh/config; ssh -L 8080:nginx.demo:80 kt
  kt ssh-config -n shop shop > shop.conf; ssh -F shop.conf -D 1080 shop
  ssh -R '*:9000:localhost:3000' kt            port 9000 of the pod is port 3000 here
  kt ssh-config --shell kt-sh >> ~/.ssh/config; ssh kt-sh cat /etc/resolv.conf`
    )
    .action(async (host: string | undefined, _: unknown, command: Command) => {
      const flags = command.optsWithGlobals<SshFlags>()
      const name = host ?? DEFAULT_HOST
      await ownPublicKey() // makes the key: OpenSSH looks for it before it asks us for anything
      print(flags.output, { host: name, ...sshFiles() }, hostBlock(name, proxyWords(name, command, flags), flags))
    })
}

/** Hidden: OpenSSH runs it. */
export function sshProxyCommand(done: (code: number) => void): Command {
  return new Command('ssh-proxy')
    .description('what kt ssh-config names as ProxyCommand: standard input and output are the ssh connection')
    .argument('<alias>', 'the name of the host in known_hosts', hostName)
    .option('--shell', 'ssh may also run commands in the pod')
    .action(async (alias: string, _: unknown, command: Command) => {
      const flags = command.optsWithGlobals<SshFlags>()
      const options = { ...clusterOptions(flags), alias, shell: flags.shell ?? false }
      const ssh = { input: process.stdin, output: process.stdout }
      // Standard output is ssh's; what needs attention shows on its terminal.
      const said = { ...flags, quiet: flags.debug !== true }
      done(await inForeground(said, (report, stop) => sshProxy(options, ssh, report, stop), undefined, process.stderr))
    })
}

/** ssh_config(5). `IgnoreUnknown` for what is younger than OpenSSH 8.7. */
function hostBlock(name: string, words: readonly string[], { shell = false }: SshFlags): string {
  const { identity, knownHosts } = sshFiles()
  return [
    `Host ${name}`,
    '  User kt',
    `  HostKeyAlias ${name}`,
    `  IdentityFile "${identity}"`,
    '  IdentitiesOnly yes',
    `  UserKnownHostsFile "${knownHosts}"`,
    '  StrictHostKeyChecking yes',
    '  UpdateHostKeys no',
    `  ServerAliveInterval ${ALIVE_SECONDS}`,
    // Ports only: as if -N was typed.
    ...(shell ? [] : ['  IgnoreUnknown SessionType', '  SessionType none']),
    `  ProxyCommand ${words.map(quoted).join(' ')}`,
    ''
  ].join('\n')
}

/** The command line of `kt ssh-proxy`: the cluster is the one that is meant now, whatever the current context will be. */
function proxyWords(name: string, command: Command, flags: SshFlags): string[] {
  const { contextName, namespace, files } = readKubeconfig(flags)
  const home = process.env.KT_HOME
  const [file, ...others] = files
  return [
    ...(home === undefined ? [] : ['env', `KT_HOME=${home}`]),
    ...[process.execPath, ...process.execArgv, process.argv[1] ?? ''],
    'ssh-proxy',
    // Several files are those of KUBECONFIG, which ssh hands on.
    ...(file === undefined || others.length > 0 ? [] : ['--kubeconfig', file]),
    ...['--context', contextName, '--namespace', flags.namespace ?? namespace ?? 'default'],
    ...typedFlags(command.parent!, NOT_PASSED),
    ...(flags.shell ? ['--shell'] : []),
    name
  ]
}

/** For the shell to which OpenSSH hands a ProxyCommand, and for OpenSSH itself, to which % is one of its tokens. */
function quoted(word: string): string {
  const safe = /^[\w@+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
  return safe.replaceAll('%', '%%')
}

/** No pattern of ssh_config(5). */
function hostName(value: string): string {
  if (!/^[a-zA-Z0-9][\w.-]{0,62}$/.test(value))
    throw new InvalidArgumentError('letters, digits, dots, - and _ are possible')
  return value
}
