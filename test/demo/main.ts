// npm run demo [-- --kubeconfig FILE [--image IMAGE]]: the main job on real input, one line a step.
import { Command } from 'commander'
import { KT, openKt } from '../../bench/ways/kt.ts'
import { builtInGround } from './built-in.ts'
import { compareTransfers } from './bulk.ts'
import { checks } from './checks.ts'
import { type Ground, Unfit } from './ground.ts'
import { ownGround } from './own.ts'
import { Steps } from './steps.ts'
import { traces } from './traces.ts'

interface Flags {
  kubeconfig?: string
  image: string
}

/** Interrupted by the user: everything is taken down, nothing is said about what had not been shown yet. */
const INTERRUPTED = 130

const flags = new Command('npm run demo --')
  .description('Shows what kt does: on the built-in test cluster, or on one of your own.')
  .option('--kubeconfig <file>', 'show it on this cluster, in the namespace kt-demo, which is removed afterwards')
  .option('--image <image>', 'Node image for pods on your own cluster', 'node:24-alpine')
  .parse()
  .opts<Flags>()

const interrupted = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => reject(new Interrupted(`${signal}: taking everything down`)))
  }
})
interrupted.catch(() => {}) // raced below; outside of the race nobody waits for it

class Interrupted extends Error {}

const steps = new Steps()
const undo: (() => Promise<unknown>)[] = []
process.exitCode = await Promise.race([show(), interrupted]).catch(failed)
steps.silence()
for (const step of undo.reverse()) {
  await step().catch(error => {
    process.exitCode = failed(error)
  })
}
process.exit()

/** The whole of it; the exit code. What it starts is put on `undo` before it is started. */
async function show(): Promise<number> {
  const ground = await prepare()
  const before = await traces(ground)
  console.log('\nkt up')
  const kt = await openKt(ground.laptop, {
    args: ['--namespace', ground.web.namespace],
    onLine: line => console.log(`  │ ${line}`)
  })
  undo.push(() => kt.close())
  console.log('\nOn the laptop, with programs that know nothing of kt')
  for (const { what, run } of checks(ground)) await steps.check(what, run)
  await compareTransfers(ground, kt, steps)
  console.log('\nCtrl-C')
  await steps.check(`${KT} ends and puts back routes, resolver and the cluster's objects`, async () => {
    const code = await kt.stop()
    if (code !== 0) throw new Error(`exit code ${code}`)
    return (await traces(ground)).sameAs(before)
  })
  return steps.summary()
}

async function prepare(): Promise<Ground> {
  const ground = flags.kubeconfig === undefined ? builtInGround() : ownGround(flags.kubeconfig, flags.image)
  undo.push(() => ground.close())
  await ground.open()
  return ground
}

function failed(error: unknown): number {
  const plain = error instanceof Unfit || error instanceof Interrupted
  console.error(`\n${plain ? error.message : error instanceof Error ? error.stack : String(error)}`)
  return error instanceof Interrupted ? INTERRUPTED : 1
}
