// npm run cluster -- build|up|down|status|kubectl|laptop|env
import { existsSync } from 'node:fs'
import { build } from './build.ts'
import { commandLine } from './command-line.ts'
import { down } from './down.ts'
import { existingCluster } from './existing.ts'
import { laptopVariables, runBeside, runOnLaptop } from './laptop.ts'
import { requireMachine, UnfitMachine } from './machine.ts'
import { withResolved } from './resolved.ts'
import { RunError } from './run.ts'
import { cacheDirectory, clusterSettings, type Settings } from './settings.ts'
import { status } from './status.ts'
import { Steps } from './steps.ts'
import { up } from './up.ts'

const cache = cacheDirectory(process.env)

/** A cluster that runs, or an error that says how to get it. */
function running(id: number): Settings {
  const settings = existingCluster(id, cache)
  if (existsSync(settings.kubeconfig)) return settings
  throw new UnfitMachine(`cluster ${id} does not run: npm run cluster -- up${id === 0 ? '' : ` --id ${id}`}`)
}

const program = commandLine({
  build: () => build(cache, new Steps()),
  up: async choice => {
    const steps = new Steps()
    await build(cache, steps)
    await up(clusterSettings(choice, cache), cache, steps)
  },
  down: async id => {
    const settings = existingCluster(id, cache)
    await requireMachine(settings.binaries)
    await down(settings, cache)
  },
  status: async id => {
    if (!(await status(existingCluster(id, cache)))) process.exitCode = 1
  },
  kubectl: async (id, args) => {
    process.exitCode = await runBeside(running(id), 'kubectl', args)
  },
  laptop: async (id, command, { resolved }) => {
    process.exitCode = await runOnLaptop(running(id), resolved ? await withResolved(cache, command) : command)
  },
  env: async id => {
    const settings = running(id)
    const variables = { ...laptopVariables(settings), KT_CLUSTER_LAPTOP: settings.laptop }
    for (const [name, value] of Object.entries(variables))
      process.stdout.write(`export ${name}='${value.replaceAll("'", "'\\''")}'\n`)
  }
})

try {
  await program.parseAsync()
} catch (error) {
  if (!(error instanceof UnfitMachine) && !(error instanceof RunError)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
