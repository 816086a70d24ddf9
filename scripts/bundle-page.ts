// The dashboard's page as four files that need nothing from elsewhere.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { PageFiles } from '../lib/dashboard/page-types.ts'

const SOURCES = new URL('../lib/dashboard/page/', import.meta.url)

/** The page: HTML and icon as they are, script and style bundled and minified. */
export async function bundlePage(): Promise<PageFiles> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('main.tsx', SOURCES))],
    outfile: 'page.js',
    bundle: true,
    write: false,
    platform: 'browser',
    target: 'es2022',
    format: 'esm',
    minify: true,
    legalComments: 'none',
    jsx: 'automatic',
    jsxImportSource: 'preact'
  })
  const output = (end: string): string => outputFiles.find(({ path }) => path.endsWith(end))!.text
  const source = (name: string): string => readFileSync(new URL(name, SOURCES), 'utf8')
  return {
    'index.html': source('index.html'),
    'icon.svg': source('icon.svg'),
    'page.js': output('.js'),
    'page.css': output('.css')
  }
}
