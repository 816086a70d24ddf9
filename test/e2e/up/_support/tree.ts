// A large tree of files, the same for the same seed: many small ones, some empty, some large, a deep folder, odd names.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { knownBytes } from './known-bytes.ts'

const FOLDERS = 40
const LARGE_BYTES = 8 << 20
const SMALL_MAX_BYTES = 6000

/** Make a tree of `files` files and a few special ones below `directory`, which need not exist. */
export function makeTree(directory: string, files: number, seed: string): void {
  const bytes = knownBytes(LARGE_BYTES / 2 ** 20, seed)
  for (let index = 0; index < files; index += 1) {
    const start = (index * 7919) % (LARGE_BYTES - SMALL_MAX_BYTES)
    write(
      join(directory, `folder-${index % FOLDERS}`, `file ${index}.bin`),
      bytes.subarray(start, start + ((index * 613) % SMALL_MAX_BYTES))
    )
  }
  write(join(directory, 'large.bin'), bytes)
  write(join(directory, 'empty'), Buffer.alloc(0))
  write(join(directory, 'a/b/c/d/e/f/g/deep and ünusual.txt'), Buffer.from('deep\n'))
  symlinkSync('../large.bin', join(directory, 'a/link'))
}

function write(path: string, bytes: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, bytes)
}

/** One line for each file, link and folder with the SHA-256 of its contents; equal trees give equal lists. */
export function listTree(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .map(entry => {
      const path = join(entry.parentPath, entry.name)
      const name = path.slice(directory.length + 1)
      if (entry.isSymbolicLink()) return `${name} link`
      if (entry.isDirectory()) return `${name}/`
      return `${name} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`
    })
    .sort()
}
