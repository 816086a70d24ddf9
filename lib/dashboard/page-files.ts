// The page as files in memory: from the published package, or bundled from the sources of a checkout.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { PAGE_TYPES, type PageFiles, type PageName } from './page-types.ts'

/** All files of the page, as text. */
export async function pageFiles(): Promise<PageFiles> {
  const packed = new URL('../../dashboard/', import.meta.url)
  if (!existsSync(packed)) {
    const bundler = new URL('../../scripts/bundle-page.ts', import.meta.url)
    const { bundlePage } = (await import(bundler.href)) as { bundlePage(): Promise<PageFiles> }
    return await bundlePage()
  }
  const names = Object.keys(PAGE_TYPES) as PageName[]
  const texts = await Promise.all(names.map(name => readFile(new URL(name, packed), 'utf8')))
  return Object.fromEntries(names.map((name, i) => [name, texts[i]!])) as PageFiles
}
