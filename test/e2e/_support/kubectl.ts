// kubectl on the laptop of a test cluster.
import { type LaptopOptions, laptop } from './laptop.ts'

/** kubectl as the cluster's administrator; its output, or an error that holds what it said. */
export async function kubectl(args: readonly string[], options: LaptopOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await laptop('kubectl', args, options)
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: exit code ${code}\n${stderr}`)
  return stdout
}
