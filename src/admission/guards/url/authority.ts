// Judges the hosts of a URL or connection, and the parameters that could name others.
import type { UrlGuard } from '../../../core/guards.ts'
import { judgeHost } from './host.ts'

const PORT = /^(.*?)(?::([0-9]{1,5}))?$/s
const MAX_HOSTS = 32

/** `host:port`, or several of them. */
export function judgeHosts(
  text: string,
  settings: UrlGuard,
  { several }: { several: boolean },
): string | undefined {
  const hosts = several ? text.split(',') : [text]
  if (hosts.length > MAX_HOSTS) return 'has more than 32 hosts'
  for (const one of hosts) {
    const [, host = '', port] = PORT.exec(one) ?? []
    if (host === '') return 'has no host'
    if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) return 'has no valid port'
    const reason = judgeHost(host, settings)
    if (reason !== undefined) return reason
  }
  return undefined
}

/** Parameters that give a connection another host than the one before them. */
const HOST_PARAMETER =
  /^(?:host|hostaddr|server|servername|addr|address|proxy[a-z_]*|socks[a-z_]*|ssh[a-z_]*)$/i
/** Parameters that make a driver load code or read files, or leave the network. */
const DANGEROUS_PARAMETER =
  /^(?:socketfactory(?:arg)?|sslfactory(?:arg)?|autodeserialize|allowloadlocalinfile(?:inpath)?|allowurlinlocalinfile|queryinterceptors|statementinterceptors|init|initsql|unix_?socket|socket|loggerfile|service|passfile|sslkey|sslcert|sslrootcert|tlscafile|tlscertificatekeyfile)$/i

/** One parameter of a connection. */
export function judgeParameter(name: string, value: string, settings: UrlGuard): string | undefined {
  const key = name.replace(/[\s.-]/g, '')
  if (DANGEROUS_PARAMETER.test(key)) return 'has a parameter that makes a driver read files or load code'
  if (HOST_PARAMETER.test(key) && value !== '') return judgeHosts(value, settings, { several: true })
  return undefined
}
