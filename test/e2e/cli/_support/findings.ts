// What `kt check` finds, as a program reads it.
import type { Finding } from '../../../../lib/check/finding.ts'
import { imageArguments, KT } from '../../_support/kt.ts'
import { type Finished, laptop } from '../../_support/laptop.ts'

export interface Checked {
  code: number | null
  works: boolean
  findings: Finding[]
  /** The one finding about this; throws when there is none. */
  about(check: string): Finding
}

/** Run `kt check` on the laptop, through a program that becomes it. */
export async function checkThrough(through: readonly string[], ...args: string[]): Promise<Checked> {
  const image = args.includes('--image') ? [] : imageArguments()
  const [program = '', ...words] = [...through, process.execPath, KT, 'check', '--output', 'json', ...image, ...args]
  return read(await laptop(program, words))
}

export function check(...args: string[]): Promise<Checked> {
  return checkThrough([], ...args)
}

function read({ code, stdout, stderr }: Finished): Checked {
  if (stdout === '') throw new Error(`kt check said nothing: ${stderr}`)
  const { works, findings } = JSON.parse(stdout) as { works: boolean; findings: Finding[] }
  return {
    code,
    works,
    findings,
    about: name => {
      const found = findings.find(({ check: each }) => each === name)
      if (found === undefined) throw new Error(`nothing about ${name}: ${stdout}`)
      return found
    }
  }
}
