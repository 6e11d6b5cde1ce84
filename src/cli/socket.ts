// Listens on a unix socket that only its owner and group can reach (unix(7)), and clears away what an ended process left there.
import { chmodSync, lstatSync, statSync, unlinkSync } from 'node:fs'
import { connect, type Server } from 'node:net'
import { dirname } from 'node:path'
import { UsageError } from './io.ts'

const OWNER_AND_GROUP = 0o660
const OTHERS_WRITE = 0o002

/**
 * Resolves with the path when the server listens there (mode 0660, never wider for a moment); rejects with UsageError, which names the path and
 * what to do. The socket goes away when the server is closed. A socket whose process has ended is replaced; one that somebody answers, or
 * another kind of file, is left alone.
 */
export async function listenUnix(server: Server, path: string): Promise<string> {
  checkFolder(dirname(path))
  if (isSocketThere(path)) await removeStale(path)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(refusal(path, codeOf(error))))
    // The kernel makes the file inside this call, with the mask of this moment: there is no time at which others could connect.
    const mask = process.umask(0o777 & ~OWNER_AND_GROUP)
    try {
      server.listen(path, resolve)
    } finally {
      process.umask(mask)
    }
  })
  try {
    // A default ACL of the folder stands above the mask.
    chmodSync(path, OWNER_AND_GROUP)
  } catch (error) {
    server.close()
    throw refusal(path, codeOf(error))
  }
  return path
}

function checkFolder(folder: string): void {
  let mode: number
  try {
    const stat = statSync(folder)
    if (!stat.isDirectory()) throw new UsageError(`listen: ${folder} is not a folder.\n`)
    mode = stat.mode
  } catch (error) {
    if (error instanceof UsageError) throw error
    const fix = codeOf(error) === 'ENOENT' ? 'Create it first' : 'Check its permissions'
    throw new UsageError(
      `listen: the folder ${folder} of the unix socket cannot be used (${codeOf(error)}). ${fix}.\n`,
    )
  }
  // Whoever may write there could put a socket of their own in place of ours, and nginx would hand it every token.
  if ((mode & OTHERS_WRITE) !== 0)
    throw new UsageError(
      `listen: everybody may write to the folder ${folder}, and so replace the unix socket in it. Run chmod o-w on it, or choose another folder.\n`,
    )
}

function isSocketThere(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return false
  if (found.isSocket()) return true
  throw new UsageError(
    `listen: ${path} exists and is not a socket. Remove it, or choose another path for the unix socket.\n`,
  )
}

async function removeStale(path: string): Promise<void> {
  const code = await new Promise<string>((resolve) => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve('EADDRINUSE')
    })
    probe.once('error', (error) => resolve(codeOf(error)))
  })
  // Only this says that nobody listens; no permission and a full queue say nothing of the kind.
  if (code !== 'ECONNREFUSED' && code !== 'ENOENT') throw refusal(path, code)
  try {
    unlinkSync(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw refusal(path, codeOf(error))
  }
}

function refusal(path: string, code: string): UsageError {
  const reason = code === 'EADDRINUSE' ? 'another process listens there' : code
  return new UsageError(`listen: cannot listen on unix:${path}: ${reason}.\n`)
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
