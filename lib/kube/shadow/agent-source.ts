// The agent, and its ssh door, each as one JavaScript text: from the published package, or bundled from the sources of a checkout.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** Text of the bundle that the shadow pod runs, at most 200 kB. */
export async function agentSource(): Promise<string> {
  return (await packed('agent.js')) ?? (await (await bundler()).bundleAgent())
}

/** Text of the bundle of the ssh door, at most 320 kB. */
export async function sshDoorSource(): Promise<string> {
  return (await packed('ssh-door.js')) ?? (await (await bundler()).bundleSshDoor())
}

async function packed(name: string): Promise<string | undefined> {
  const file = new URL(`../../../shadow-agent/${name}`, import.meta.url)
  return existsSync(file) ? await readFile(file, 'utf8') : undefined
}

interface Bundler {
  bundleAgent(): Promise<string>
  bundleSshDoor(): Promise<string>
}

async function bundler(): Promise<Bundler> {
  const module = new URL('../../../scripts/bundle-agent.ts', import.meta.url)
  return (await import(module.href)) as Bundler
}
