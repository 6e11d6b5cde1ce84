// Writes the table of request headers (src/http/upstream-headers.ts) into nginx's template and its page, and leaves the rest of both alone.
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { NGINX_HEADERS, PASSED_HEADERS } from '../../src/http/upstream-headers.ts'

const ROOT = resolve(import.meta.dirname, '../..')
export const NGINX_TEMPLATE_PATH = 'nginx/ductape-mcp.conf.template'
export const NGINX_PAGE_PATH = 'docs/reference/nginx.md'

/** The file with what stands between the two marks replaced; both lines of the marks stay. */
function between(path: string, start: RegExp, end: RegExp, lines: readonly string[]): string {
  const text = readFileSync(join(ROOT, path), 'utf8').split('\n')
  const from = text.findIndex((line) => start.test(line))
  const to = text.findIndex((line) => end.test(line))
  if (from < 0 || to <= from) throw new Error(`${path} has no ${start} followed by ${end}`)
  return [...text.slice(0, from + 1), ...lines, ...text.slice(to)].join('\n')
}

export function nginxTemplateText(): string {
  const lines = [...NGINX_HEADERS, ...PASSED_HEADERS].flatMap(({ name, value }) =>
    value === undefined ? [] : [`  proxy_set_header ${name} ${value};`],
  )
  return between(NGINX_TEMPLATE_PATH, /# <request headers>/, /# <\/request headers>/, lines)
}

export function nginxPageText(): string {
  const row = (by: string, name: string, why: string): string => `| \`${name}\` | ${by} | ${why} |`
  return between(NGINX_PAGE_PATH, /<!-- request headers/, /<!-- \/request headers/, [
    '',
    '| header | said by | why |',
    '|---|---|---|',
    ...NGINX_HEADERS.map(({ name, why }) => row('nginx', name, why)),
    ...PASSED_HEADERS.map(({ name, why }) => row('the client', name, why)),
    '',
  ])
}
