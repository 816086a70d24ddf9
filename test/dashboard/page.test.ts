// The page: its types, its files, and the command lines it writes.
import { execFileSync, execFile as run } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import test from 'ava'
import type { RequestRow } from '../../lib/dashboard/model.ts'
import { asCurl } from '../../lib/dashboard/page/curl.ts'
import { bytes, duration } from '../../lib/dashboard/page/format.ts'
import { bundlePage } from '../../scripts/bundle-page.ts'

/** The page's own share of the package; a browser reads it from this computer. */
const PAGE_MAX_BYTES = 200_000

test('the page has no type errors', t => {
  t.is(execFileSync('node_modules/.bin/tsc', ['-p', 'lib/dashboard/page'], { encoding: 'utf8' }), '')
})

test('the page needs nothing from elsewhere and nothing inline', async t => {
  const files = await bundlePage()
  const html = files['index.html']
  t.notRegex(html, /<script(?![^>]* src="\/page\.js")|<style|\sstyle=|\son\w+=/)
  for (const [, url] of html.matchAll(/(?:src|href)="([^"]+)"/g)) t.true(`${url}`.slice(1) in files, url)
  t.notRegex(files['page.css'], /url\(|@import/)
  t.notRegex(files['page.js'], /\bimport\(|\beval\(|new Function/)
  t.true(files['page.js'].length + files['page.css'].length < PAGE_MAX_BYTES)
})

const ROW: RequestRow = {
  ...{ id: 1, at: 0, port: 80, source: '', to: '127.0.0.1:3000', method: 'GET', path: '/a?b=c&d', status: 200, ms: 1 },
  ...{ requestHeaders: [], responseHeaders: [], requestBytes: 0, responseBytes: 0, done: true }
}

test('a copied request is the same request', async t => {
  const seen: object[] = []
  const server = createServer((q, s) => {
    let body = ''
    q.setEncoding('utf8').on('data', part => {
      body += part
    })
    q.on('end', () => {
      seen.push({ method: q.method, path: q.url, host: q.headers.host, odd: q.headers['x-odd'], body })
      s.end()
    })
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await new Promise(resolve => server.once('listening', resolve))
  const to = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const odd = `it's "$HOME" \`x\` \\ !`
  const headers: [string, string][] = [
    ['Host', 'shop.demo'],
    ['X-Odd', odd],
    ['Content-Length', '999']
  ]
  const command = asCurl({ ...ROW, to, method: 'PUT', path: "/it's?a=$b&c", requestHeaders: headers }, `{"a":'b'}\n`)
  await promisify(run)('sh', ['-c', command])
  t.deepEqual(seen, [{ method: 'PUT', path: "/it's?a=$b&c", host: 'shop.demo', odd, body: `{"a":'b'}\n` }])
})

test('a plain request is a short line', t => {
  t.is(asCurl(ROW, undefined), "curl --path-as-is 'http://127.0.0.1:3000/a?b=c&d'")
  t.is(asCurl({ ...ROW, method: 'HEAD' }, undefined), "curl --path-as-is --head 'http://127.0.0.1:3000/a?b=c&d'")
})

test('numbers as people read them', t => {
  t.deepEqual([0, 1023, 1024, 1_500_000, 500 * 2 ** 20].map(bytes), ['0 B', '1023 B', '1.0 KiB', '1.4 MiB', '500 MiB'])
  t.deepEqual([0, 0.244, 12.4, 1500].map(duration), ['0.00 ms', '0.24 ms', '12 ms', '1.5 s'])
})
