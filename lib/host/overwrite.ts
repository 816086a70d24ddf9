// A small file of the system, written over in place.
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'

/**
 * Write `text` (latin1, so that every byte survives) into a file that is there. It stays the same inode with its mode, owner and security
 * label, and a bind mount allows nothing else. New text first, then the new length: nobody ever reads an empty file.
 */
export async function overwrite(path: string, text: string): Promise<void> {
  const bytes = Buffer.from(text, 'latin1')
  const file = await open(path, constants.O_WRONLY)
  try {
    await file.write(bytes, 0, bytes.length, 0)
    await file.truncate(bytes.length)
    await file.sync()
  } finally {
    await file.close()
  }
}
