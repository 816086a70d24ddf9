// The laptop's own resolver in a test: a name server on the laptop whose questions can be counted, and the resolv.conf that names it.
import { once } from 'node:events'
import { collect, spawnOnLaptop } from '../../_support/laptop.ts'
import { succeed } from '../../up/_support/program.ts'
import { keepResolver } from '../../up/_support/resolver.ts'
import { peerPath } from './ask.ts'

const ADDRESS = '127.0.0.77'

export interface Company {
  address: string
  /** `name TYPE` of each question since the last call. */
  questions(): string[]
  /** End it, and put the resolv.conf back. */
  stop(): Promise<void>
}

/** Start it and make it the laptop's resolver; `lines` are further lines of /etc/resolv.conf. */
export async function startCompany(lines: string[] = []): Promise<Company> {
  const child = spawnOnLaptop(process.execPath, [peerPath('upstream'), ADDRESS])
  const output = collect(child.stdout)
  const errors = collect(child.stderr)
  await Promise.race([once(child.stdout, 'data'), once(child, 'exit')])
  if (child.exitCode !== null) throw new Error(`the company's name server has ended: ${errors()}`)
  const putBack = await keepResolver()
  await succeed({ input: [`nameserver ${ADDRESS}`, ...lines, ''].join('\n') }, 'sh', '-c', 'cat > /etc/resolv.conf')
  let seen = 1 // the first line says that it listens
  return {
    address: ADDRESS,
    questions() {
      const all = output().trim().split('\n')
      const fresh = all.slice(seen)
      seen = all.length
      return fresh
    },
    async stop() {
      await putBack()
      const ended = once(child, 'exit')
      if (child.kill()) await ended
    }
  }
}
