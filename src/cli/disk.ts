// The files of the configuration on the real file system.
import { readFile as readWithCallback, stat as statWithCallback } from 'node:fs'
import { promisify } from 'node:util'
import type { FileSource } from '../config/index.ts'

// node:fs/promises would load Node's readline, and twelve more of its modules, at each start.
const stat = promisify(statWithCallback)
const readFile = promisify(readWithCallback)

/** More than any of them may hold; what is larger is not read at all. */
const MAX_BYTES = 64 * 1024 * 1024

export const diskFiles: FileSource = {
  async stamp(path) {
    const found = await stat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) =>
      error.code === 'ENOENT' || error.code === 'ENOTDIR' ? undefined : error,
    )
    if (found === undefined) return undefined
    // There is something that cannot be read, which is not the same as nothing: a folder in its place, or no right to look.
    if (found instanceof Error) return 'unreadable'
    // A symlink swap changes the inode, an edit in place the time or the size.
    return `${found.dev}:${found.ino}:${found.mtimeNs}:${found.ctimeNs}:${found.size}`
  },
  async read(path) {
    const found = await stat(path)
    if (!found.isFile() || found.size > MAX_BYTES)
      throw new Error('it is no file, or a larger one than any of them may be')
    return readFile(path)
  },
}
