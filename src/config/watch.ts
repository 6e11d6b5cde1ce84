// Watches files by looking: a mounted ConfigMap or Secret changes by a symlink swap, which no file event shows everywhere (libraries.md, "Reload").
import { createHash } from 'node:crypto'

export interface FileSource {
  /** Differs when the bytes may differ; undefined = there is no such file. */
  stamp(path: string): Promise<string | undefined>
  read(path: string): Promise<Buffer>
}

export interface FileChange {
  /** Undefined = the file is gone or cannot be read. */
  bytes: Buffer | undefined
  /** SHA-256 of the bytes, lower-case hex. */
  digest: string
}

interface Watched {
  path: string
  stamp: string | undefined
  digest: string | undefined
  apply(change: FileChange): void | Promise<void>
}

export interface FileWatcher {
  /** Calls back at the first look and whenever the bytes differ from the last ones; a file that never existed is no change. */
  watch(path: string, apply: (change: FileChange) => void | Promise<void>): void
  /** Looks at all files once; looks never overlap. */
  look(): Promise<void>
}

const ABSENT = 'absent'
/** A file that is there and cannot be read must not pass for one that was never written. */
const UNREADABLE = 'unreadable'

export function createFileWatcher(files: FileSource): FileWatcher {
  const watched: Watched[] = []
  let looking: Promise<void> | undefined

  const lookAt = async (entry: Watched): Promise<void> => {
    const stamp = await files.stamp(entry.path).catch(() => undefined)
    if (stamp !== undefined && stamp === entry.stamp) return
    const bytes = stamp === undefined ? undefined : await files.read(entry.path).catch(() => undefined)
    // While it is being written, what was read may be half of it, and half a policy can be valid and lack its deny rules: next time.
    if (bytes !== undefined && (await files.stamp(entry.path).catch(() => undefined)) !== stamp) return
    entry.stamp = bytes === undefined ? undefined : stamp
    const digest =
      bytes !== undefined
        ? createHash('sha256').update(bytes).digest('hex')
        : stamp === undefined
          ? ABSENT
          : UNREADABLE
    if (digest === (entry.digest ?? ABSENT)) return
    entry.digest = digest
    await entry.apply({ bytes, digest })
  }

  const lookAtAll = async (): Promise<void> => {
    for (const entry of watched) await lookAt(entry)
  }

  return {
    watch(path, apply) {
      watched.push({ path, stamp: undefined, digest: undefined, apply })
    },
    look() {
      looking ??= lookAtAll().finally(() => {
        looking = undefined
      })
      return looking
    },
  }
}
