// The command line: global flags, the list of commands, and what an error looks like.
import { Command, CommanderError } from 'commander'
import { KtError, type KtErrorCode } from '../errors.ts'
import { version } from '../version.ts'
import { applyCommand } from './apply.ts'
import { benchCommand } from './bench.ts'
import { birdseyeCommand } from './birdseye.ts'
import { bundleCommand } from './bundle.ts'
import { captureCommand } from './capture.ts'
import { checkCommand } from './check.ts'
import { demandUp } from './child.ts'
import { cleanCommand } from './clean.ts'
import { completeCommand } from './complete.ts'
import { completionCommand } from './completion.ts'
import { configCommand } from './config.ts'
import { applyConfig } from './config-file.ts'
import { dashboardCommand } from './dashboard.ts'
import { dnsCommand } from './dns.ts'
import { downCommand } from './down.ts'
import { envCommand } from './env.ts'
import { exchangeCommand } from './exchange.ts'
import { forwardCommand } from './forward.ts'
import { findKubeconfig, type GlobalFlags, globalFlags, prepared } from './global.ts'
import { logsCommand } from './logs.ts'
import { meshCommand } from './mesh.ts'
import { obsoleteTyped, takeObsolete } from './obsolete.ts'
import { reportError } from './output.ts'
import { previewCommand } from './preview.ts'
import { rbacCommand } from './rbac.ts'
import { recoverCommand } from './recover.ts'
import { shellCommand } from './shell.ts'
import { sshConfigCommand, sshProxyCommand } from './ssh-config.ts'
import { statusCommand } from './status.ts'
import { upCommand } from './up.ts'
import { versionCommand } from './version.ts'

/** Exit codes by class; README lists them. */
const USAGE = 2
const LAPTOP = 3
const CLUSTER = 4
const AGENT = 5
const INTERNAL = 70

const EXIT_CODES: Record<KtErrorCode, number> = {
  KT_USAGE: USAGE,
  KT_NOT_ROOT: LAPTOP,
  KT_NO_TUN: LAPTOP,
  KT_NO_TOOL: LAPTOP,
  KT_PLATFORM: LAPTOP,
  KT_RUNNING: LAPTOP,
  KT_NO_LOCAL: LAPTOP,
  KT_NOT_RUNNING: LAPTOP,
  KT_DEVICE_LOST: LAPTOP,
  KT_ROUTES: LAPTOP,
  KT_RESOLVER: LAPTOP,
  KT_JOURNAL: LAPTOP,
  KT_KUBECONFIG: CLUSTER,
  KT_API_UNREACHABLE: CLUSTER,
  KT_JUMP_HOST: CLUSTER,
  KT_UNAUTHORIZED: CLUSTER,
  KT_FORBIDDEN: CLUSTER,
  KT_NOT_FOUND: CLUSTER,
  KT_CONFLICT: CLUSTER,
  KT_API: CLUSTER,
  KT_SHADOW_FAILED: AGENT,
  KT_SHADOW_TIMEOUT: AGENT,
  KT_CARRIER_REFUSED: AGENT,
  KT_CARRIER_LOST: AGENT,
  KT_AGENT: AGENT,
  KT_INTERNAL: INTERNAL
}

/** The whole command line; `done` is told the exit code of the command that has run. */
export function buildProgram(done: (code: number) => void): Command {
  const program = globalFlags(new Command('kt'))
    .description('One network for your laptop and a Kubernetes cluster.')
    .version(`kt version ${version}`, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .showSuggestionAfterError()
    .showHelpAfterError('(see kt --help)')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'kt: ')) })
  for (const command of [
    upCommand(done),
    shellCommand(done),
    downCommand(done),
    statusCommand(done),
    dnsCommand(done),
    exchangeCommand(done),
    meshCommand(done),
    previewCommand(done),
    forwardCommand(done),
    sshConfigCommand(),
    recoverCommand(done),
    cleanCommand(done),
    rbacCommand(done),
    checkCommand(done),
    benchCommand(done),
    birdseyeCommand(),
    dashboardCommand(),
    captureCommand(done),
    bundleCommand(),
    applyCommand(program, done),
    logsCommand(),
    envCommand(),
    configCommand(program, done),
    completionCommand(),
    versionCommand()
  ]) {
    program.addCommand(command.copyInheritedSettings(program))
  }
  program.addCommand(completeCommand(program), { hidden: true })
  program.addCommand(sshProxyCommand(done).copyInheritedSettings(program), { hidden: true })
  for (const old of ['provide', 'run']) {
    program.addCommand(previewCommand(done).name(old).copyInheritedSettings(program), { hidden: true })
  }
  takeObsolete(program)
  return program.hook('preAction', (_, command) => {
    demandUp(command.name(), program.opts<GlobalFlags>().behind ?? [])
    if (command.parent === program) applyConfig(program, command)
    for (const line of obsoleteTyped(program, command)) process.stderr.write(`! ${line}\n`)
    findKubeconfig(program)
  })
}

/** Run one command line (without `node kt`); the exit code. Never throws. */
export async function run(argv: string[]): Promise<number> {
  let code = 0
  const program = buildProgram(exitCode => {
    code = exitCode
  })
  try {
    const { words, behind } = prepared(program, argv)
    program.setOptionValue('behind', behind)
    await program.parseAsync(words, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE
    return fail(error, program.opts<GlobalFlags>())
  }
}

/** One line that says what was wrong, one that says what to do. */
function fail(error: unknown, { output, debug }: Partial<GlobalFlags>): number {
  const known = error instanceof KtError ? error : undefined
  const code = known?.code ?? 'KT_INTERNAL'
  const message = known?.message ?? `unexpected fault: ${error instanceof Error ? error.message : String(error)}`
  const event = { event: 'error', code, message, hint: known?.hint ?? '' } as const
  reportError(output ?? 'text', event)
  if (debug || known === undefined) process.stderr.write(`${error instanceof Error ? error.stack : ''}\n`)
  if (process.connected) process.send?.(event) // to the one who started us in the background
  return EXIT_CODES[code]
}
