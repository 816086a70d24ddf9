// How kt shows itself to a jump host: the keys that the user's ssh would offer. Nothing is asked for on the terminal.
import { readFileSync } from 'node:fs'
import type { AnyAuthMethod, ParsedKey } from 'ssh2'
import type { UserConfig } from './user-config.ts'

export interface Login {
  /** In the order in which they are tried. */
  methods: AnyAuthMethod[]
  /** Files whose keys cannot be used without a passphrase. */
  locked: string[]
}

/** The ssh-agent first, then the identity files. Those that cannot be read are left out. */
export async function loginOf({ user: username, agent, identityFiles, identitiesOnly }: UserConfig): Promise<Login> {
  const { OpenSSHAgent, utils } = (await import('ssh2')).default
  const keys: ParsedKey[] = []
  const locked: string[] = []
  for (const file of identityFiles) {
    const text = contentOf(file)
    if (text === undefined) continue
    const key = utils.parseKey(text)
    if (!(key instanceof Error)) keys.push(...[key].flat())
    else if (/encrypted/i.test(key.message)) locked.push(file)
  }
  const methods: AnyAuthMethod[] = keys.map(key => ({ type: 'publickey', username, key }))
  if (agent === undefined) return { methods, locked }
  if (!identitiesOnly) return { methods: [{ type: 'agent', username, agent }, ...methods], locked }
  const named = identityFiles.flatMap(file => {
    const key = utils.parseKey(contentOf(`${file}.pub`) ?? '')
    return key instanceof Error ? [] : [key].flat()
  })
  /** The agent, with no other keys than these. */
  class Chosen extends OpenSSHAgent {
    override getIdentities(done: (error?: Error | null, keys?: ParsedKey[]) => void): void {
      const isNamed = (key: ParsedKey): boolean => named.some(each => each.getPublicSSH().equals(key.getPublicSSH()))
      super.getIdentities((error, keys) =>
        done(error as Error | null, (keys as ParsedKey[] | undefined)?.filter(isNamed))
      )
    }
  }
  return { methods: [{ type: 'agent', username, agent: new Chosen(agent) }, ...methods], locked }
}

function contentOf(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch {
    return undefined
  }
}
