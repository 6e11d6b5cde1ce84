// Reads connection strings that are no URLs: JDBC, `key=value` of libpq, ODBC and ADO.NET.
import type { UrlGuard } from '../../../core/guards.ts'
import { judgeHosts, judgeParameter } from './authority.ts'

type JudgeUrl = (text: string, settings: UrlGuard) => string | undefined

// jdbc:mysql:loadbalance://, jdbc:oracle:thin:@//host:port/service and jdbc:oracle:thin:@host:port:sid.
const ORACLE = /^oracle:(?:thin|oci):(?:[^@/]*)@(?:\/\/)?([^/:]+(?::[0-9]+)?)(?:[:/][\w.$-]*)?$/i
const SUBPROTOCOL = /^([a-z0-9+]+)(?::(?:loadbalance|replication|aurora|sequential))?:\/\//i

export function judgeJdbc(text: string, settings: UrlGuard, judge: JudgeUrl): string | undefined {
  if (/\s/u.test(text)) return 'holds a space'
  const oracle = ORACLE.exec(text)
  if (oracle !== null) {
    if (!settings.schemes.has('oracle')) return 'has a scheme that is not allowed'
    return judgeHosts(oracle[1] ?? '', settings, { several: false })
  }
  if (!SUBPROTOCOL.test(text)) return 'has no host'
  // Properties of SQL Server follow the host behind a semicolon.
  const [address = '', ...properties] = text.replace(SUBPROTOCOL, '$1://').split(';')
  for (const property of properties) {
    const [name = '', value = ''] = property.split('=', 2)
    const reason = judgeParameter(name, value, settings)
    if (reason !== undefined) return reason
  }
  return judge(address, settings)
}

const HOSTS =
  /^(?:host|hostaddr|hostname|server|datasource|addr|address|networkaddress|endpoint|endpointsuffix|bootstrapservers|brokers|contactpoints|nodes)$/
/** The name of an account at a cloud, which has a host of its own. */
const ACCOUNT = /^(?:accountname|sharedaccesssignature)$/

export function judgeDsn(text: string, settings: UrlGuard, judge: JudgeUrl): string | undefined {
  if (!settings.schemes.has('dsn')) return 'has a form that is not allowed'
  let hasHost = false
  for (const [name, value] of pairsOf(text)) {
    const key = name.toLowerCase().replace(/[\s_.-]/g, '')
    if (value.includes('://')) {
      const reason = judge(value, settings)
      if (reason !== undefined) return reason
      hasHost = true
    } else if (HOSTS.test(key)) {
      const reason = judgeHosts(value.replace(/^tcp:/i, '').replace(/,([0-9]+)$/, ':$1'), settings, {
        several: true,
      })
      if (reason !== undefined) return reason
      hasHost = true
    } else {
      const reason = judgeParameter(key, value, settings)
      if (reason !== undefined) return reason
      hasHost ||= ACCOUNT.test(key)
    }
  }
  // Without one a driver takes this machine.
  return hasHost ? undefined : 'has no host'
}

/** Pairs are divided by semicolons, or by spaces where there is none. */
function pairsOf(text: string): [string, string][] {
  const isDivided = text.includes(';')
  const parts = isDivided ? text.split(';') : text.trim().split(/\s+(?=[\w.-]+\s*=)/)
  return parts
    .filter((part) => part.trim() !== '')
    .map((part) => {
      const at = part.indexOf('=')
      return at < 0 ? [part.trim(), ''] : [part.slice(0, at).trim(), unquoted(part.slice(at + 1).trim())]
    })
}

const unquoted = (value: string): string => (/^(['"]).*\1$/s.test(value) ? value.slice(1, -1) : value)
