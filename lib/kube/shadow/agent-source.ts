// The agent as one JavaScript text: from the published package, or bundled from the sources of a checkout.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** Text of the bundle that the shadow pod runs, at most 200 kB. */
export async function agentSource(): Promise<string> {
  const packed = new URL('../../../shadow-agent/agent.js', import.meta.url)
  if (existsSync(packed)) return readFile(packed, 'utf8')
  const bundler = new URL('../../../scripts/bundle-agent.ts', import.meta.url)
  const { bundleAgent } = (await import(bundler.href)) as { bundleAgent(): Promise<string> }
  return bundleAgent()
}
