// The operational log: one JSON object a line on stderr, an event name and fields from closed sets, never a caller's text.

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFields = Record<string, string | number | boolean | undefined>

export interface Log {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
}

const ORDER: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

export function createLog(level: LogLevel, now: () => number, write: (line: string) => void): Log {
  const least = ORDER.indexOf(level)
  const at =
    (severity: LogLevel) =>
    (event: string, fields?: LogFields): void => {
      if (ORDER.indexOf(severity) < least) return
      write(JSON.stringify({ time: new Date(now()).toISOString(), level: severity, event, ...fields }))
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
