// The way into the configuration: the defaults, or the file that --config or DUCTAPE_MCP_CONFIG names.
import { type ConfigResult, formatProblems, type Problem } from './problem.ts'
import { type Config, configSchema, freeze } from './schema.ts'

export { LIVE_FILES, type LiveFile } from './live-files.ts'
export type { LiveValue } from './live-schemas.ts'
export { createFileWatcher, type FileChange, type FileSource, type FileWatcher } from './watch.ts'
export { type Config, formatProblems, type Problem }

export interface LoadOptions {
  readonly path?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly readFile: (path: string) => string
}

export const CONFIG_VARIABLE = 'DUCTAPE_MCP_CONFIG'

export function defaultConfig(): Config {
  return freeze(configSchema.parse({}, { jitless: true }))
}

// --config wins over the variable; an empty variable is no variable, as in every shell.
export function configPath({ path, env }: Omit<LoadOptions, 'readFile'>): string | undefined {
  return path ?? (env[CONFIG_VARIABLE] || undefined)
}

// The YAML parser is loaded only when there is a file to parse.
export async function loadConfig(options: LoadOptions): Promise<ConfigResult> {
  const path = configPath(options)
  if (path === undefined) return { ok: true, config: defaultConfig(), warnings: [] }
  let text: string
  try {
    text = options.readFile(path)
  } catch (error) {
    return { ok: false, problems: [unreadable(path, error)] }
  }
  const { parseConfig } = await import('./parse.ts')
  return parseConfig(text, path)
}

/** Loads what reads the files of live/. */
export const loadLiveParser = async (): Promise<typeof import('./live.ts').parseLive> =>
  (await import('./live.ts')).parseLive

const READ_FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
  EISDIR: 'is a directory, not a file',
  EACCES: 'may not be read by this user',
  EPERM: 'may not be read by this user',
  ERR_ACCESS_DENIED: 'may not be read: node runs with --permission and without --allow-fs-read for it',
}

function unreadable(source: string, error: unknown): Problem {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const reason = READ_FAULTS[code] ?? 'cannot be read'
  return {
    source,
    path: '',
    line: 0,
    column: 0,
    message: `the config file ${reason}`,
    fix: `Give the path of a readable file with --config or ${CONFIG_VARIABLE}, or neither to run on the defaults.`,
  }
}
