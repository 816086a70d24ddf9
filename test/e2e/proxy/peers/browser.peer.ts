// Chromium, once with proxy.pac and once with the proxy for everything.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { chromium } from 'playwright-core'

const [proxy = '', service = ''] = process.argv.slice(2)
const own = Object.values(networkInterfaces())
  .flat()
  .find(each => each?.family === 'IPv4' && !each.internal)!.address
const server = createServer((q, s) => s.end(q.url === '/' ? 'outside' : '')).listen(0, own)
await once(server, 'listening')
const outside = `http://${own}:${(server.address() as AddressInfo).port}/`

async function statuses(argument: string, urls: Record<string, string>): Promise<Record<string, number | string>> {
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', argument] })
  const page = await browser.newPage()
  const found: Record<string, number | string> = {}
  try {
    for (const [name, url] of Object.entries(urls)) {
      const answer = await page.goto(url, { timeout: 15_000 }).catch((error: Error) => error.message.split('\n')[0]!)
      if (typeof answer === 'string') found[name] = answer
      else found[name] = name === 'outside' ? ((await answer?.text()) ?? '') : (answer?.status() ?? 0)
    }
  } finally {
    await browser.close()
  }
  return found
}

const names = ['nginx', 'nginx.demo', 'nginx.demo.svc.cluster.local']
const byFile = await statuses(`--proxy-pac-url=http://${proxy}/proxy.pac`, {
  ...Object.fromEntries(names.map(name => [name, `http://${name}/`])),
  address: `http://${service}/`,
  outside
})
const all = await statuses(`--proxy-server=socks5://${proxy}`, { proxyServer: 'http://nginx/' })
server.close()
console.log(JSON.stringify({ ...byFile, ...all }))
