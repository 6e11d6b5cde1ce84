// A fault of the config file: where it stands, what is wrong and what to write instead.
import type { Config } from './schema.ts'

export interface Problem {
  readonly source: string // the file's name; the place is source:line:column
  readonly path: string // the key, `http.maxBody`; empty for the file as a whole
  readonly line: number // 1 is the first; 0 where there is no text (a file that cannot be read)
  readonly column: number
  readonly message: string
  readonly fix: string
}

export type ConfigResult =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problems: readonly Problem[] }

export function formatProblems(problems: readonly Problem[]): string {
  return problems.map(formatProblem).join('')
}

function formatProblem({ source, path, line, column, message, fix }: Problem): string {
  const place = line === 0 ? source : `${source}:${line}:${column}`
  return `${place}: ${path === '' ? '' : `${path} `}${message}\n  ${fix}\n`
}

export type PathSegment = string | number

// Keys that are no plain name are quoted, so that a dot inside one is not read as a step.
export function formatPath(segments: readonly PropertyKey[]): string {
  let text = ''
  for (const segment of segments) {
    if (typeof segment === 'number') text += `[${segment}]`
    else if (/^[A-Za-z_][A-Za-z0-9_-]{0,63}$/.test(String(segment)))
      text += text === '' ? String(segment) : `.${String(segment)}`
    else text += `[${JSON.stringify(printable(String(segment)))}]`
  }
  return text
}

// A name as an error may show it: short, and nothing that moves a terminal's cursor or hides text.
export function printable(name: string): string {
  const clean = name.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '?')
  return clean.length > 64 ? `${clean.slice(0, 61)}...` : clean
}
