// Runs the command lines of its first argument one after the other, in one process, and prints what each has said.
import { run } from '../../lib/commands/main.ts'

interface Ended {
  code: number
  stdout: string
  stderr: string
}

const write = process.stdout.write.bind(process.stdout)
const ended: Ended[] = []
for (const argv of JSON.parse(process.argv[2] ?? '[]') as string[][]) {
  const now: Ended = { code: -1, stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    process[name].write = (text: string | Uint8Array): boolean => {
      now[name] += text
      return true
    }
  }
  now.code = await run(argv)
  ended.push(now)
}
write(JSON.stringify(ended), () => process.exit(0))
