// What users of kt-connect, and of its older versions, still type and kt does otherwise: taken with one line that says so.
// docs/kt-connect.md has the same as a table; a test holds both together.
import { type Command, Option } from 'commander'

interface Obsolete {
  /** Names of the commands that took it; `kt` is every command. */
  on: readonly string[]
  flags: string
  /** What is true instead, one line. */
  says: string
  /** The flag of today that gets its value, and that value. */
  becomes?(value: string): [flag: string, value: string]
}

const NOTHING = 'has no effect'

export const OBSOLETE: readonly Obsolete[] = [
  { on: ['kt'], flags: '--useShadowDeployment', says: `${NOTHING}: a lost shadow pod is made again by kt itself` },
  { on: ['kt'], flags: '--useLocalTime', says: `${NOTHING}: no pod is needed to ask for the time` },
  {
    on: ['kt'],
    flags: '--portForwardTimeout <seconds>',
    says: `${NOTHING}: a port-forward is dialled again at once, as often as it takes`
  },
  { on: ['kt'], flags: '--ipVersion <version>', says: `${NOTHING}: both families are used as the cluster has them` },
  { on: ['kt'], flags: '--asWorker', says: `${NOTHING}: it never had one` },
  { on: ['kt'], flags: '--useKubectl', says: `${NOTHING}: kt talks to the API server itself` },
  {
    on: ['kt'],
    flags: '--waitTime <seconds>',
    says: 'is called --podCreationTimeout now',
    becomes: v => ['podCreationTimeout', v]
  },
  { on: ['kt'], flags: '--label <pairs>', says: 'is called --withLabel now', becomes: v => ['withLabel', v] },
  {
    on: ['up'],
    flags: '--mode <mode>',
    says: `${NOTHING}: there is one way, a network device with a stack of its own; sshuttle is not needed`
  },
  { on: ['up'], flags: '--method <mode>', says: `${NOTHING}: there is one way, a network device with its own stack` },
  { on: ['up'], flags: '--shareShadow', says: `${NOTHING}: each kt up has a small pod of its own` },
  { on: ['up'], flags: '--skipCleanup', says: `${NOTHING}: kt up removes nothing of others; kt clean does` },
  { on: ['up'], flags: '--dnsPort <port>', says: `${NOTHING}: no port of this computer is taken for names` },
  { on: ['up'], flags: '--sshPort <port>', says: `${NOTHING}: there is no ssh on the way` },
  { on: ['up'], flags: '--tunName <name>', says: `${NOTHING}: the device is kt0` },
  { on: ['up'], flags: '--tunCidr <range>', says: `${NOTHING}: the device has 198.18.0.0/30` },
  { on: ['up'], flags: '--jvmrc <folder>', says: `${NOTHING}: programs need no settings` },
  { on: ['up'], flags: '--setupGlobalProxy', says: `${NOTHING}: programs need no proxy` },
  { on: ['up'], flags: '--localDomain <domain>', says: `${NOTHING}: names outside of the cluster go where they went` },
  { on: ['up'], flags: '--global', says: `${NOTHING}: every namespace is reached` },
  { on: ['up'], flags: '--cidr <list>', says: 'is called --includeIps now', becomes: v => ['includeIps', v] },
  {
    on: ['up'],
    flags: '--dump2hosts [namespaces]',
    says: 'is called --dnsMode hosts:NAMESPACES now',
    becomes: v => ['dnsMode', v === 'true' ? 'hosts' : `hosts:${v}`]
  },
  {
    on: ['up'],
    flags: '--disableDNS',
    says: 'is called --dnsMode none now',
    becomes: () => ['dnsMode', 'none']
  },
  {
    on: ['up'],
    flags: '--disableTunRoute',
    says: 'is --excludeIps 0.0.0.0/0,::/0 now',
    becomes: () => ['excludeIps', '0.0.0.0/0,::/0']
  },
  {
    on: ['up'],
    flags: '--ingressIp <address>',
    says: `${NOTHING}: hosts of an Ingress are names of your company, which its own DNS or /etc/hosts answers`
  },
  { on: ['exchange', 'mesh'], flags: '--method <mode>', says: 'is called --mode now', becomes: v => ['mode', v] },
  { on: ['mesh'], flags: '--routerImage <image>', says: `${NOTHING}: the router is part of the agent` },
  {
    on: ['run', 'provide'],
    flags: '--port <port>',
    says: 'is called --expose now',
    becomes: v => ['expose', v]
  }
]

/** Commands that have another name now. */
export const RENAMED: Readonly<Record<string, string>> = { run: 'preview', provide: 'preview' }

/** Let the commands of `program` take what is obsolete, unseen in help. A flag that a command has itself stays that one. */
export function takeObsolete(program: Command): void {
  for (const { on, flags } of OBSOLETE) {
    for (const command of [program, ...program.commands].filter(c => on.includes(c.name()))) {
      const option = new Option(flags).hideHelp()
      if (!command.options.some(({ long }) => long === option.long)) command.addOption(option)
    }
  }
}

/** After parsing: give values on to the flags of today; one line for each obsolete thing that was typed or configured. */
export function obsoleteTyped(program: Command, command: Command): string[] {
  const lines: string[] = []
  const now = RENAMED[command.name()]
  if (now !== undefined) lines.push(`kt ${command.name()} is called kt ${now} now`)
  for (const { on, flags, says, becomes } of OBSOLETE) {
    const owner = on[0] === 'kt' ? program : on.includes(command.name()) ? command : undefined
    const option = owner?.options.find(o => o.flags === flags)
    if (owner === undefined || option === undefined) continue
    const name = option.attributeName()
    const value: unknown = owner.getOptionValue(name)
    if (value === undefined || value === false) continue
    lines.push(`${option.long} ${says}`)
    if (becomes !== undefined) give(program, command, becomes(String(value)))
  }
  return lines
}

function give(program: Command, command: Command, [name, value]: [string, string]): void {
  const owner = [command, program].find(c => c.options.some(option => option.attributeName() === name))
  const option = owner?.options.find(each => each.attributeName() === name)
  const parsed: unknown = option?.parseArg === undefined ? value : option.parseArg(value, undefined)
  owner?.setOptionValueWithSource(name, parsed, 'cli')
}
