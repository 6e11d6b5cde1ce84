// Sends the notices of calls that wait for approval to the address of `outbound.notifications`.
import type { NotifierPorts } from '../admission/approval/index.ts'
import type { Config } from '../config/index.ts'
import { postText } from '../outbound.ts'
import type { Io } from './io.ts'

const TIMEOUT = 5000
/** Of the answer, which is not looked at. */
const LIMIT = 64 * 1024

/** Undefined where nobody is to be told. The files are read for each notice, so that a new address needs no restart. */
export function noticesOf(config: Config, io: Pick<Io, 'readFile'>): NotifierPorts['send'] | undefined {
  const { notifications, proxy } = config.outbound
  if (notifications === undefined) return undefined
  const { url, path, ca, privateNetwork } = notifications
  return async (headers, body) => {
    const options = {
      url: path === undefined ? url : url + pathIn(io.readFile(path.file)),
      limit: LIMIT,
      timeout: TIMEOUT,
      connectTimeout: TIMEOUT,
      ca: ca === undefined ? undefined : io.readFile(ca.file),
      proxy,
      privateNetwork,
    }
    return (await postText('notifications', options, headers, body)).status
  }
}

/** One line; without the slash in front the text could name another host. */
function pathIn(text: string): string {
  const path = text.trim()
  if (!/^\/(?!\/)[\x21-\x7e]{0,2047}$/.test(path))
    throw Object.assign(new Error('not a path'), { code: 'path_file_not_a_path' })
  return path
}
