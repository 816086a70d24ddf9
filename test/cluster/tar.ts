// A tar archive (POSIX ustar) in memory, reproducible: no times, no owners' names.
import { lstatSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'

const BLOCK = 512

/** Collects entries; parents are made on the way. Later entries of the same path are left out. */
export class TarWriter {
  readonly #chunks: Uint8Array[] = []
  readonly #paths = new Set<string>()

  /** A directory with all its parents. */
  directory(path: string, mode = 0o755): void {
    const name = path.replace(/^\/|\/$/g, '')
    if (name === '' || this.#paths.has(name)) return
    this.#parent(name)
    this.#entry(`${name}/`, '5', mode, 0, '')
    this.#paths.add(name)
  }

  file(path: string, bytes: Uint8Array, mode = 0o644): void {
    const name = path.replace(/^\//, '')
    if (this.#paths.has(name)) return
    this.#parent(name)
    this.#entry(name, '0', mode, bytes.length, '')
    this.#chunks.push(bytes, new Uint8Array((BLOCK - (bytes.length % BLOCK)) % BLOCK))
    this.#paths.add(name)
  }

  symlink(path: string, target: string): void {
    const name = path.replace(/^\//, '')
    if (this.#paths.has(name)) return
    this.#parent(name)
    this.#entry(name, '2', 0o777, 0, target)
    this.#paths.add(name)
  }

  /** A file or a folder of this machine at `path`; a link given here is followed, links inside a folder stay links. */
  copy(source: string, path: string): void {
    const status = statSync(source)
    if (!status.isDirectory()) {
      this.file(path, readFileSync(source), status.mode & 0o7777)
      return
    }
    this.directory(path, status.mode & 0o7777)
    for (const name of readdirSync(source).sort()) {
      const inner = join(source, name)
      if (lstatSync(inner).isSymbolicLink()) this.symlink(join(path, name), readlinkSync(inner))
      else this.copy(inner, join(path, name))
    }
  }

  /** The archive; the writer is used up. */
  end(): Buffer {
    this.#chunks.push(new Uint8Array(2 * BLOCK))
    return Buffer.concat(this.#chunks)
  }

  #parent(name: string): void {
    const slash = name.lastIndexOf('/')
    if (slash > 0) this.directory(name.slice(0, slash))
  }

  #entry(name: string, type: string, mode: number, size: number, link: string): void {
    const header = Buffer.alloc(BLOCK)
    const [prefix, rest] = splitName(name)
    header.write(rest, 0)
    header.write(octal(mode, 8), 100)
    header.write(octal(0, 8), 108) // uid
    header.write(octal(0, 8), 116) // gid
    header.write(octal(size, 12), 124)
    header.write(octal(0, 12), 136) // time of last change
    header.write('        ', 148) // the checksum counts itself as spaces
    header.write(type, 156)
    header.write(link, 157, 100)
    header.write('ustar\u000000', 257)
    header.write(prefix, 345)
    let sum = 0
    for (const byte of header) sum += byte
    header.write(`${octal(sum, 7)}\0 `, 148)
    this.#chunks.push(header)
  }
}

function octal(value: number, width: number): string {
  return value.toString(8).padStart(width - 1, '0')
}

/** ustar keeps 100 bytes of a name, and up to 155 of the folders before it. */
function splitName(name: string): [prefix: string, rest: string] {
  if (Buffer.byteLength(name) <= 100) return ['', name]
  for (let slash = name.indexOf('/'); slash > 0; slash = name.indexOf('/', slash + 1)) {
    const [prefix, rest] = [name.slice(0, slash), name.slice(slash + 1)]
    if (rest.length > 0 && Buffer.byteLength(rest) <= 100 && Buffer.byteLength(prefix) <= 155) return [prefix, rest]
  }
  throw new Error(`name too long for ustar: ${name}`)
}
