// The files that the page is made of.

/** Where each is served, and as what. */
export const PAGE_TYPES = {
  'index.html': 'text/html; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml'
} as const

export type PageName = keyof typeof PAGE_TYPES
export type PageFiles = Record<PageName, string>
