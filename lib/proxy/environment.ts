// How programs of a shell find the proxy: environment variables, and how each shell sets them. Pure.

export type Shell = 'sh' | 'fish' | 'powershell'

/** What each program reads: curl only the lower-case `http_proxy`, Go and most others either spelling. */
const SPELLINGS = (name: string): string[] => [name, name.toLowerCase()]

export interface ProxyAddresses {
  /** `127.0.0.1:2223`. */
  socks: string
  http: string
  /** Hosts that are never asked from the proxy, such as the API server: it must be reached after kt has ended too. */
  direct: readonly string[]
}

/** Variables and their values. Names are left to the proxy (`socks5h`). */
export function proxyEnvironment({ socks, http, direct }: ProxyAddresses): Record<string, string> {
  const values = {
    ALL_PROXY: `socks5h://${socks}`,
    HTTP_PROXY: `http://${http}`,
    HTTPS_PROXY: `http://${http}`,
    NO_PROXY: [...new Set(['localhost', '127.0.0.1', '::1', ...direct])].join(',')
  }
  const variables = Object.entries(values).flatMap(([name, value]) => SPELLINGS(name).map(each => [each, value]))
  // Node's own fetch and http (24.5 and later) look at them only with this.
  return Object.fromEntries([...variables, ['NODE_USE_ENV_PROXY', '1']])
}

/** A line for each variable that sets it, or removes it, for `eval`. */
export function shellLines(variables: Record<string, string>, shell: Shell, remove = false): string[] {
  return Object.entries(variables).map(([name, value]) => (remove ? unset(name, shell) : set(name, value, shell)))
}

function set(name: string, value: string, shell: Shell): string {
  switch (shell) {
    case 'sh':
      return `export ${name}='${value.replaceAll("'", `'\\''`)}'`
    case 'fish':
      return `set -gx ${name} '${value.replaceAll(/[\\']/g, '\\$&')}'`
    case 'powershell':
      return `$env:${name} = '${value.replaceAll("'", "''")}'`
  }
}

function unset(name: string, shell: Shell): string {
  switch (shell) {
    case 'sh':
      return `unset ${name}`
    case 'fish':
      return `set -e ${name}`
    case 'powershell':
      return `Remove-Item Env:${name} -ErrorAction SilentlyContinue`
  }
}
