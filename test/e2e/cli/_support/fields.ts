// The fields that docs/output.md names, and those a value really has.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const PAGE = readFileSync(join(import.meta.dirname, '../../../../docs/output.md'), 'utf8')

/** `a`, `a.b`, `a[]`: of the section `## title`; what a description names in backticks is a field of the entry. */
export function documented(title: string): Set<string> {
  const section = PAGE.split('\n## ').find(each => each.startsWith(`${title}\n`)) ?? ''
  const fields = new Set<string>()
  for (const [, left = '', right = ''] of section.matchAll(/^\| (`.*?) \| (.*?) \|$/gm)) {
    const names = [...left.matchAll(/`([^`]+)`/g)].map(([, name]) => name ?? '')
    for (const name of names) fields.add(name)
    for (const [, inner = ''] of right.matchAll(/`([A-Za-z]+)`/g)) {
      fields.add(title === 'Events' ? inner : `${names[0]}${names[0]?.endsWith('[]') ? '' : ''}.${inner}`)
    }
  }
  return fields
}

/** Every field of a value, as the page writes them; a list of texts is one field. */
export function fieldsOf(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) {
    const objects = value.filter(each => typeof each === 'object' && each !== null)
    if (objects.length === 0) return path === '' ? [] : [path]
    return [...new Set(objects.flatMap(each => fieldsOf(each, path === '' ? '' : `${path}[]`)))]
  }
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) return [path]
  return Object.entries(value).flatMap(([key, inner]) => fieldsOf(inner, path === '' ? key : `${path}.${key}`))
}

/** Fields of a value that the page does not name. */
export function undocumented(title: string, value: unknown): string[] {
  const known = documented(title)
  const bare = (field: string): string => field.replace(/^\[\]\.?/, '')
  return fieldsOf(value)
    .map(bare)
    .filter(field => !known.has(field) && !known.has(`${field}[]`))
}
