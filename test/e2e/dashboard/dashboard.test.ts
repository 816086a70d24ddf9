// kt dashboard in a browser, against a real cluster: what is shown is true, what is asked for happens, and strangers get nothing.
import { once } from 'node:events'
import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { inCluster } from '../_support/demo.ts'
import { KT, kt, type RunningKt, startKt } from '../_support/kt.ts'
import { kubectl } from '../_support/kubectl.ts'
import { laptop, spawnOnLaptop } from '../_support/laptop.ts'
import { needPackages } from '../cli/_support/packages.ts'
import { eventually } from '../up/_support/eventually.ts'
import { launchBrowser } from './_support/browser.ts'

const LOCAL_PORT = 18_090
const MEBIBYTES = 3
const IMAGES = join(import.meta.dirname, '../../../docs/images')
/** For the repository, bytes. */
const IMAGE_MAX = 300_000

let up: RunningKt
let browser: Browser
let context: BrowserContext
let page: Page
let stopLocal = (): void => {}
/** What the page complained of. */
const complaints: string[] = []

/** Notes in the page when a connection to node-echo is shown for the first time. */
const WATCH = `new MutationObserver(() => {
  const rows = [...document.querySelectorAll('#flows tr[data-port]')]
  if (rows.some(row => row.textContent.includes('node-echo'))) document.body.dataset.seen ??= Date.now()
}).observe(document.body, { childList: true, subtree: true, characterData: true })`

interface Served {
  url: string
  api: string
  metrics: string
  token: string
}

async function served(): Promise<Served> {
  const { code, stdout, stderr } = await laptop(process.execPath, [KT, 'dashboard', '--output', 'json'])
  if (code !== 0) throw new Error(stderr + stdout)
  return JSON.parse(stdout) as Served
}

/** Status and body of a request from the laptop. */
async function curl(...args: string[]): Promise<{ status: number; text: string }> {
  const { stdout } = await laptop('curl', ['-sS', '-m', '10', '-w', '\n%{http_code}', ...args])
  const end = stdout.lastIndexOf('\n')
  return { status: Number(stdout.slice(end + 1)), text: stdout.slice(0, end) }
}

test.before(async () => {
  await kt(['down'])
  await needPackages('chromium')
  const local = spawnOnLaptop(process.execPath, [join(import.meta.dirname, 'peers/local.mjs'), String(LOCAL_PORT)])
  stopLocal = () => void local.kill()
  await once(local.stdout, 'data')
  up = await startKt(['-n', 'demo'])
  browser = await launchBrowser()
  context = await browser.newContext({ viewport: { width: 1440, height: 1100 } })
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  page = await context.newPage()
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text())
  })
  page.on('pageerror', error => complaints.push(String(error)))
  await page.goto((await served()).url)
  await page.getByText('connected').first().waitFor()
})

test.after.always(async () => {
  await browser?.close()
  stopLocal()
  await up?.stop()
})

test.serial('a connection is there within a second of its start, and its bytes are right', async t => {
  await page.evaluate(WATCH)
  const url = `http://node-echo/big?mb=${MEBIBYTES}`
  const script = `date +%s%3N; exec curl -sS -o /dev/null --limit-rate 1M '${url}'`
  const { code, stdout } = await laptop('sh', ['-c', script])
  t.is(code, 0)
  const row = page.locator('#flows tr', { hasText: 'node-echo' }).first()
  await row.getByText(/CLOSED|TIME_WAIT/).waitFor()
  const after = Number(await page.evaluate('document.body.dataset.seen')) - Number(stdout)
  t.log(`seen ${after} ms after curl was started`)
  t.true(after <= 1_000, `${after} ms`)
  const received = Number(await row.locator('td[data-bytes]').nth(1).getAttribute('data-bytes'))
  t.true(Math.abs(received / (MEBIBYTES * 2 ** 20) - 1) < 0.01, String(received))
})

test.serial('a question is shown with its reason, and one that is asked on the page is explained', async t => {
  await laptop('curl', ['-sS', '-o', '/dev/null', 'http://nginx.demo/'])
  await page.locator('#names tr', { hasText: 'is short for nginx.demo.svc.cluster.local' }).first().waitFor()
  await page.getByLabel('Who answers').fill('nginx.demo')
  await page.getByRole('button', { name: 'Ask' }).click()
  await page.locator('#names output', { hasText: 'ClusterIP 10.' }).waitFor()
  t.pass()
})

test.serial('an exchange from the page: begun, its requests shown, given back', async t => {
  const answers = async (): Promise<string> => await inCluster('curl -sS -m 5 -d hello http://nginx/over?a=1')
  t.regex(await answers(), /^nginx /)
  await page.locator('tr[data-service=nginx]').getByRole('button', { name: 'Exchange…' }).click()
  await page.getByRole('dialog').getByLabel('Ports').fill(`${LOCAL_PORT}:80`)
  await page.getByRole('dialog').getByRole('button', { name: 'Begin' }).click()
  await page.locator('tr[data-service=nginx]').getByRole('button', { name: 'Give back' }).waitFor({ timeout: 60_000 })
  t.true(await eventually(true, 10_000, async () => (await answers()).includes('"local":true')))
  const request = page.locator('[data-request]', { hasText: '/over?a=1' }).first()
  await request.getByText('200').waitFor()
  await request.locator('summary').click()
  await request.getByRole('button', { name: 'Body, 5 B' }).click()
  await request.locator('pre', { hasText: 'hello' }).waitFor()
  await request.getByText('x-who').waitFor()
  await request.getByRole('button', { name: 'Copy as curl' }).click()
  await request.getByRole('button', { name: 'Copied' }).waitFor()
  t.regex(
    await page.evaluate<string>('navigator.clipboard.readText()'),
    /^curl .* --data-raw hello 'http:\/\/127\.0\.0\.1:18090\/over\?a=1'$/
  )
  await screenshots(t)
  await page.locator('tr[data-service=nginx]').getByRole('button', { name: 'Give back' }).click()
  await page.locator('tr[data-service=nginx]').getByRole('button', { name: 'Exchange…' }).waitFor({ timeout: 30_000 })
  t.true(await eventually(true, 10_000, async () => (await answers()).startsWith('nginx ')))
})

test.serial('what cannot be begun is said in the dialog, and nothing has changed', async t => {
  await page.locator('tr[data-service=nginx]').getByRole('button', { name: 'Exchange…' }).press('Enter')
  await page.getByRole('dialog').getByLabel('Ports').fill('1:80')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').getByText('nobody listens at 127.0.0.1:1').waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  t.true(
    complaints.every(text => text.includes('400')),
    complaints.join('\n')
  )
  complaints.length = 0 // the browser's own word about the answer 400
})

test.serial('a foreign name, a missing token and another page get nothing', async t => {
  const { api, metrics, url, token } = await served()
  const bearer = `Authorization: Bearer ${token}`
  const wish = JSON.stringify({ kind: 'exchange', service: 'nginx', expose: `${LOCAL_PORT}:80` })
  t.is((await curl('-H', bearer, `${api}/status`)).status, 200)
  t.is((await curl('-H', bearer, metrics)).status, 200)
  t.is((await curl('-H', bearer, '-H', 'Host: evil.example', `${api}/status`)).status, 403)
  t.is((await curl('-H', 'Host: evil.example', url)).status, 403)
  t.is((await curl(`${api}/status`)).status, 401)
  t.is((await curl('-d', wish, '-H', 'content-type: application/json', `${api}/works`)).status, 401)
  const [cookie] = await context.cookies(api)
  const withCookie = ['-H', `Cookie: ${cookie!.name}=${cookie!.value}`, '-H', 'content-type: application/json']
  const foreign = await curl('-d', wish, ...withCookie, '-H', 'Origin: https://evil.example', `${api}/works`)
  t.is(foreign.status, 403)
  t.is((await curl('-d', wish, ...withCookie, '-H', `Origin: ${new URL(api).origin}`, `${api}/works`)).status, 401)
  t.deepEqual(JSON.parse((await curl('-H', bearer, `${api}/works`)).text), [])
  const used = new URL(url)
  t.is((await curl(url)).status, 303)
  t.is((await curl(used.href)).status, 401)
})

test.serial('it fits on a telephone and a wall, works by keyboard, and nothing complains', async t => {
  for (const width of [400, 1280, 3840]) {
    await page.setViewportSize({ width, height: 900 })
    const wide = await page.evaluate<number>('document.documentElement.scrollWidth')
    t.true(wide <= width, `${wide} > ${width}`)
  }
  await page.setViewportSize({ width: 1440, height: 1100 })
  await page.getByRole('link', { name: 'Services' }).focus()
  await page.keyboard.press('Enter')
  await page.keyboard.press('Tab')
  t.is(await page.evaluate("document.activeElement.getAttribute('aria-label')"), 'Services whose name has')
  t.deepEqual(complaints, [])
})

test.serial('a mesh and a preview, by the API, and given back', async t => {
  const { api, token } = await served()
  const own = ['-m', '60', '-H', `Authorization: Bearer ${token}`]
  const begin = (wish: object): ReturnType<typeof curl> =>
    curl(...own, '-H', 'content-type: application/json', '-d', JSON.stringify(wish), `${api}/works`)
  const begun = await Promise.all([
    begin({ kind: 'mesh', service: 'node-echo', expose: `${LOCAL_PORT}:80`, versionMark: 'blue' }),
    begin({ kind: 'preview', service: 'shown', expose: `${LOCAL_PORT}:80` })
  ])
  t.deepEqual(
    begun.map(({ status }) => status),
    [201, 201],
    JSON.stringify(begun)
  )
  t.regex(await inCluster(`curl -sS -m 5 -H 'version: blue' http://node-echo/`), /"local":true/)
  t.notRegex(await inCluster('curl -sS -m 5 http://node-echo/'), /"local"/)
  t.regex(await inCluster('curl -sS -m 5 http://shown/'), /"local":true/)
  for (const { text } of begun) {
    const { id } = JSON.parse(text) as { id: string }
    t.is((await curl(...own, '-X', 'DELETE', `${api}/works/${id}`)).status, 204)
  }
  t.notRegex(await inCluster(`curl -sS -m 5 -H 'version: blue' http://node-echo/`), /"local"/)
})

test.serial('kt ends: what was begun on the page is put back, too', async t => {
  const { api, token } = await served()
  const wish = JSON.stringify({ kind: 'exchange', service: 'nginx', expose: `${LOCAL_PORT}:80` })
  const words = ['-m', '60', '-H', `Authorization: Bearer ${token}`, '-H', 'content-type: application/json']
  t.is((await curl(...words, '-d', wish, `${api}/works`)).status, 201)
  t.like(await up.stop(), { code: 0, signal: null })
  t.regex(await inCluster('curl -sS -m 5 http://nginx/'), /^nginx /)
  t.is(await kubectl(['-n', 'demo', 'get', 'pods,services,configmaps', '-l', 'control-by=kt', '-o', 'name']), '')
  await page.getByRole('alert').getByText('kt does not answer').waitFor()
  const { code, stderr } = await laptop(process.execPath, [KT, 'dashboard'])
  t.is(code, 3)
  t.regex(stderr, /^kt: kt is not running here\n {4}try: sudo kt up/)
})

/** Something to be seen. */
async function traffic(): Promise<void> {
  await inCluster('for p in / /cart /pay?id=7; do curl -sS -m 5 -o /dev/null http://nginx$p; done')
  const urls = ['http://web-0.web:8080/', 'http://node-echo/big?mb=1', 'http://nginx/', 'http://nothing.demo/']
  await laptop('curl', ['-sS', '-m', '5', ...urls.flatMap(url => ['-o', '/dev/null', url])])
  await laptop('curl', ['-sS', '-m', '4', '--limit-rate', '300k', '-o', '/dev/null', 'http://node-echo/big?mb=9'])
}

/** Both themes; kept with KT_SCREENSHOTS=1. */
async function screenshots(t: ExecutionContext): Promise<void> {
  if (process.env.KT_SCREENSHOTS !== '1') return
  await traffic()
  await page.evaluate("document.querySelectorAll('.scroll').forEach(each => each.scrollTo(0, 0)); scrollTo(0, 0)")
  mkdirSync(IMAGES, { recursive: true })
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    const path = join(IMAGES, `dashboard-${colorScheme}.png`)
    await page.screenshot({ path })
    t.true(statSync(path).size < IMAGE_MAX, `${path}: ${statSync(path).size} bytes`)
  }
  await page.emulateMedia({ colorScheme: 'light' })
}
