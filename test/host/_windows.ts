// Windows as lib/host sees it: PowerShell reads statements and calls cmdlets, which know their parameters (learn.microsoft.com/powershell/module)
// and change the routes, addresses and rules of this object. What it does not know is an error, as it would be there.
import assert from 'node:assert/strict'
import type { NetworkInterfaceInfo } from 'node:os'
import type { RunOptions, RunResult } from '../../lib/host/run.ts'

type Value = string | string[] | number | boolean
type Parameters = Record<string, Value>

interface WindowsRoute {
  DestinationPrefix: string
  NextHop: string
  InterfaceAlias: string
  Protocol: string
}

interface Rule {
  Namespace: string[]
  NameServers: string[]
  Comment: string
}

/** What is kept from one start of PowerShell to the next. */
export interface WindowsState {
  adapters: Record<string, { addresses: string[]; mtu: number; suffix: string }>
  routes: WindowsRoute[]
  rules: Rule[]
  /** `Get-AuthenticodeSignature`, by path. */
  signatures: Record<string, { status: string; subject: string }>
  administrator: boolean
}

/** Parameters of each cmdlet; `!` those that it asks for when they are missing. */
const CMDLETS: Record<string, string[]> = {
  'Set-NetIPInterface': ['InterfaceAlias', 'AddressFamily', 'NlMtuBytes', 'DadTransmits', 'PolicyStore'],
  'New-NetIPAddress': ['InterfaceAlias!', 'IPAddress!', 'PrefixLength', 'PolicyStore'],
  'New-NetRoute': ['DestinationPrefix!', 'InterfaceAlias!', 'NextHop', 'RouteMetric', 'PolicyStore'],
  'Remove-NetRoute': ['DestinationPrefix', 'InterfaceAlias', 'PolicyStore', 'Confirm', 'ErrorAction'],
  'Add-DnsClientNrptRule': ['Namespace!', 'NameServers', 'DisplayName', 'Comment'],
  'Set-DnsClient': ['InterfaceAlias!', 'ConnectionSpecificSuffix'],
  'Clear-DnsClientCache': []
}

const OURS = /^\$ours = @\(Get-DnsClientNrptRule \| Where-Object \{ \$_\.Comment -eq '([^']+)' \}\)$/
/** Here everything is bound at once. */
const WAIT =
  /^for \(\$i = 0; \$i -lt \d+ -and -not \(Get-NetIPInterface (-\w+ '\w+' )+-ErrorAction SilentlyContinue\); \$i\+\+\) \{ Start-Sleep -Milliseconds \d+ \}$/
const SIGNATURE = /^\$s = Get-AuthenticodeSignature -LiteralPath ('.*')$/

export class Windows {
  readonly state: WindowsState
  #ours: Rule[] = []
  #signature = ''

  constructor(
    state: WindowsState = {
      adapters: {
        Ethernet: { addresses: ['192.168.7.9/24'], mtu: 1500, suffix: '' },
        kt0: { addresses: [], mtu: 65_535, suffix: '' }
      },
      routes: [
        { DestinationPrefix: '0.0.0.0/0', NextHop: '192.168.7.1', InterfaceAlias: 'Ethernet', Protocol: 'NetMgmt' },
        { DestinationPrefix: '192.168.7.0/24', NextHop: '0.0.0.0', InterfaceAlias: 'Ethernet', Protocol: 'Local' },
        { DestinationPrefix: '224.0.0.0/4', NextHop: '0.0.0.0', InterfaceAlias: 'Ethernet', Protocol: 'Local' }
      ],
      rules: [{ Namespace: ['.office.test'], NameServers: ['10.8.0.1'], Comment: 'of the company' }],
      signatures: {},
      administrator: true
    }
  ) {
    this.state = state
  }

  readonly run = async (program: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> => {
    assert.match(program, /^C:\\Windows.System32.WindowsPowerShell\\v1\.0\\powershell\.exe$/)
    return this.powershell(args, options.input ?? '')
  }

  /** What powershell.exe does with these arguments and this standard input. */
  powershell(args: readonly string[], input: string): RunResult {
    assert.deepEqual(args.slice(-2), ['-Command', '-'])
    assert.ok(args.includes('-NoProfile') && args.includes('-NonInteractive'))
    assert.ok(
      /^[\x20-\x7e\n]*$/.test(input) || /[\u2018-\u201b]/.test(input),
      'the code page of the console does not matter'
    )
    const lines = input.split('\n').filter(line => line !== '')
    const script = /^try \{ (.*) \} catch \{ \[Console\]::Error\.WriteLine\(\$_\.Exception\.Message\); exit 1 \}$/.exec(
      lines.pop() ?? ''
    )?.[1]
    assert.ok(script !== undefined, 'one block, on one line')
    const stdout: string[] = []
    try {
      for (const statement of split(script, ';')) {
        const said = this.#execute(statement.trim())
        if (said !== undefined) stdout.push(said)
      }
      return { ok: true, stdout: stdout.map(line => `${line}\r\n`).join(''), stderr: '' }
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error
      return { ok: false, stdout: stdout.join('\r\n'), stderr: `${(error as Error).message}\r\n` }
    }
  }

  readonly interfaces = (): NodeJS.Dict<NetworkInterfaceInfo[]> => {
    const info = (cidr: string, internal: boolean): NetworkInterfaceInfo => {
      const base = { address: cidr.split('/')[0] ?? '', cidr, internal, mac: '', netmask: '' }
      return cidr.includes(':') ? { ...base, family: 'IPv6', scopeid: 0 } : { ...base, family: 'IPv4' }
    }
    const found: NodeJS.Dict<NetworkInterfaceInfo[]> = { 'Loopback Pseudo-Interface 1': [info('127.0.0.1/8', true)] }
    for (const [name, { addresses }] of Object.entries(this.state.adapters))
      found[name] = addresses.map(each => info(each, false))
    return found
  }

  /** Somebody else's tunnel has the range. */
  foreign(cidr: string): string {
    this.state.routes.push({ DestinationPrefix: cidr, NextHop: '0.0.0.0', InterfaceAlias: 'wg0', Protocol: 'NetMgmt' })
    return 'wg0'
  }

  /** The adapter goes, and with it its routes. */
  lose(alias: string): void {
    delete this.state.adapters[alias]
    this.state.routes = this.state.routes.filter(({ InterfaceAlias }) => InterfaceAlias !== alias)
  }

  /** The rule with the longest name that the name ends in. */
  asked(name: string): string {
    const rules = this.state.rules.flatMap(rule => rule.Namespace.map(namespace => ({ ...rule, namespace })))
    const best = rules
      .filter(({ namespace }) => `.${name}`.endsWith(namespace))
      .sort((a, b) => b.namespace.length - a.namespace.length)[0]
    return best?.NameServers[0] ?? '192.0.2.53'
  }

  #execute(statement: string): string | undefined {
    const comment = OURS.exec(statement)?.[1]
    if (comment !== undefined) {
      this.#ours = this.state.rules.filter(rule => rule.Comment === comment)
      return undefined
    }
    const file = SIGNATURE.exec(statement)?.[1]
    if (file !== undefined) {
      this.#signature = String(literal(file))
      return undefined
    }
    if (statement === '$ours.Count') return String(this.#ours.length)
    if (statement === '$ours | Remove-DnsClientNrptRule -Force') {
      this.state.rules = this.state.rules.filter(rule => !this.#ours.includes(rule))
      return undefined
    }
    if (statement.startsWith('ConvertTo-Json')) return this.#json(statement)
    if (statement.includes('.IsInRole(')) return this.state.administrator ? 'True' : 'False'
    if (WAIT.test(statement)) return undefined
    const [name = '', parameters] = parse(split(statement, '|')[0] ?? '')
    return this.#call(name, parameters)
  }

  #json(statement: string): string {
    if (statement.includes('Get-NetRoute')) return JSON.stringify(this.state.routes)
    if (statement.includes('Get-DnsClientServerAddress')) return JSON.stringify(SERVERS)
    assert.ok(statement.includes('$s.Status') && statement.includes('$s.SignerCertificate.Subject'))
    return JSON.stringify(this.state.signatures[this.#signature] ?? { status: 'NotSigned', subject: '' })
  }

  #call(name: string, given: Parameters): string | undefined {
    const known = CMDLETS[name]
    if (known === undefined) throw new Error(`The term '${name}' is not recognized as the name of a cmdlet`)
    for (const each of Object.keys(given))
      if (!known.includes(each) && !known.includes(`${each}!`))
        throw new Error(`A parameter cannot be found that matches parameter name '${each}'.`)
    for (const each of known)
      if (each.endsWith('!') && !(each.slice(0, -1) in given)) throw new Error(`missing mandatory parameters: ${each}`)
    if ('PolicyStore' in given) assert.equal(given.PolicyStore, 'ActiveStore')
    try {
      this.#change(name, given)
    } catch (error) {
      if (given.ErrorAction !== 'SilentlyContinue') throw error
    }
    return undefined
  }

  #change(name: string, given: Parameters): void {
    const { state } = this
    const alias = String(given.InterfaceAlias ?? '')
    const adapter = (): WindowsState['adapters'][string] => {
      const found = state.adapters[alias]
      if (found === undefined)
        throw new Error(`No MSFT_NetIPInterface objects found with property 'InterfaceAlias' equal to '${alias}'.`)
      return found
    }
    switch (name) {
      case 'Set-NetIPInterface':
        assert.match(String(given.AddressFamily), /^IPv[46]$/)
        adapter().mtu = Number(given.NlMtuBytes)
        return
      case 'New-NetIPAddress':
        adapter().addresses.push(`${given.IPAddress}/${given.PrefixLength}`)
        return
      case 'Set-DnsClient':
        adapter().suffix = String(given.ConnectionSpecificSuffix)
        return
      case 'New-NetRoute': {
        adapter()
        const prefix = String(given.DestinationPrefix)
        if (state.routes.some(each => each.DestinationPrefix === prefix && each.InterfaceAlias === alias))
          throw new Error('Instance MSFT_NetRoute already exists')
        assert.equal(given.NextHop, prefix.includes(':') ? '::' : '0.0.0.0')
        state.routes.push({
          DestinationPrefix: prefix,
          NextHop: String(given.NextHop),
          InterfaceAlias: alias,
          Protocol: 'NetMgmt'
        })
        return
      }
      case 'Remove-NetRoute': {
        assert.equal(given.Confirm, false, 'nobody is there to answer')
        const at = state.routes.findIndex(
          each => each.DestinationPrefix === given.DestinationPrefix && each.InterfaceAlias === alias
        )
        if (at < 0) throw new Error('No matching MSFT_NetRoute objects found')
        state.routes.splice(at, 1)
        return
      }
      case 'Add-DnsClientNrptRule':
        state.rules.push({
          Namespace: given.Namespace as string[],
          NameServers: given.NameServers as string[],
          Comment: String(given.Comment)
        })
        return
    }
  }
}

const SERVERS = {
  interfaces: [
    { InterfaceIndex: 9, InterfaceMetric: 50 },
    { InterfaceIndex: 4, InterfaceMetric: 25 }
  ],
  servers: [
    { InterfaceIndex: 4, ServerAddresses: ['192.0.2.53'] },
    { InterfaceIndex: 4, ServerAddresses: ['fec0:0:0:ffff::1'] },
    { InterfaceIndex: 9, ServerAddresses: ['192.0.2.53'] },
    { InterfaceIndex: 12, ServerAddresses: ['203.0.113.1'] }
  ]
}

/** At the separator, but not inside of quotes, brackets or braces. */
function split(text: string, separator: string): string[] {
  const parts: string[] = ['']
  let depth = 0
  let quoted = false
  for (const character of text) {
    if (/['\u2018-\u201b]/.test(character)) quoted = !quoted
    else if (!quoted && '({'.includes(character)) depth++
    else if (!quoted && ')}'.includes(character)) depth--
    if (character === separator && depth === 0 && !quoted) parts.push('')
    else parts[parts.length - 1] += character
  }
  return parts
}

/** `Verb-Noun -Name value …`. */
function parse(statement: string): [string, Parameters] {
  const words = split(statement.trim(), ' ').filter(word => word !== '')
  const parameters: Parameters = {}
  for (let i = 1; i < words.length; i++) {
    const name = /^-([A-Za-z]+)(?::(.+))?$/.exec(words[i]!)
    assert.ok(name?.[1] !== undefined, `a parameter: ${words[i]}`)
    if (name[2] !== undefined) parameters[name[1]] = literal(name[2])
    else if (words[i + 1] === undefined || words[i + 1]!.startsWith('-')) parameters[name[1]] = true
    else parameters[name[1]] = literal(words[++i]!)
  }
  return [words[0]!, parameters]
}

function literal(text: string): Value {
  if (text === '$false' || text === '$true') return text === '$true'
  if (/^\d+$/.test(text)) return Number(text)
  if (text.startsWith('@(')) return split(text.slice(2, -1), ',').map(each => String(literal(each)))
  if (!text.startsWith("'")) return text
  assert.ok(text.endsWith("'"))
  return text.slice(1, -1).replace(/(['\u2018-\u201b])\1/g, '$1')
}
