// The files of the configuration on the real file system.
import { readFile, stat } from 'node:fs/promises'
import type { FileSource } from '../config/index.ts'

/** More than any of them may hold; what is larger is not read at all. */
const MAX_BYTES = 64 * 1024 * 1024

export const diskFiles: FileSource = {
  async stamp(path) {
    const found = await stat(path, { bigint: true }).catch(() => undefined)
    if (found === undefined || !found.isFile()) return undefined
    // A symlink swap changes the inode, an edit in place the time or the size.
    return `${found.dev}:${found.ino}:${found.mtimeNs}:${found.ctimeNs}:${found.size}`
  },
  async read(path) {
    const { size } = await stat(path)
    if (size > MAX_BYTES) throw new Error('the file is too large')
    return readFile(path)
  },
}
