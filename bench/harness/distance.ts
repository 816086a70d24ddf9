// An API server that is far away: a kubeconfig that names a delay proxy in front of it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { end, type Laptop, waitForLine } from '../ways/way.ts'

const PROGRAM = fileURLToPath(new URL('../traffic/delay-proxy.ts', import.meta.url))
const READY_MS = 10_000

export interface Distance {
  kubeconfig: string
  close(): Promise<void>
}

/** Start the proxy on the laptop. The test cluster's certificate names 127.0.0.1, so nothing but the address changes. */
export async function openDistance(laptop: Laptop, rttMs: number): Promise<Distance> {
  const text = readFileSync(laptop.kubeconfig, 'utf8')
  const [, host, port] = /server"?: *"?https:\/\/([\d.]+):(\d+)/.exec(text) ?? []
  if (host === undefined || port === undefined) throw new Error(`${laptop.kubeconfig}: no server with an IPv4 address`)
  const child = laptop.spawn(process.execPath, [PROGRAM, String(rttMs), host, port])
  const local = await waitForLine(child, READY_MS, each => /^port (\d+)/.exec(each)?.[1])
  const directory = mkdtempSync(join(tmpdir(), 'kt-bench-'))
  const kubeconfig = join(directory, 'kubeconfig')
  writeFileSync(kubeconfig, text.replaceAll(`https://${host}:${port}`, `https://127.0.0.1:${local}`), { mode: 0o600 })
  return {
    kubeconfig,
    close: async () => {
      await end(child)
      rmSync(directory, { recursive: true })
    }
  }
}
