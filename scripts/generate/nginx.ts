// Writes the table of request headers (src/http/upstream-headers.ts) into nginx's template and its page, and the paths that its log may show; the rest of both stays.
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { PUBLIC_PATHS } from '../../src/http/paths.ts'
import {
  NGINX_HEADERS,
  PASSED_HEADERS,
  PEOPLE_HEADERS,
  type UpstreamHeader,
} from '../../src/http/upstream-headers.ts'

const ROOT = resolve(import.meta.dirname, '../..')
export const NGINX_TEMPLATE_PATH = 'nginx/ductape-mcp.conf.template'
export const NGINX_PAGE_PATH = 'docs/reference/nginx.md'

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')

/** The text with what stands between the two marks replaced; both lines of the marks stay. */
function between(path: string, whole: string, start: RegExp, end: RegExp, lines: readonly string[]): string {
  const text = whole.split('\n')
  const from = text.findIndex((line) => start.test(line))
  const to = text.findIndex((line) => end.test(line))
  if (from < 0 || to <= from) throw new Error(`${path} has no ${start} followed by ${end}`)
  return [...text.slice(0, from + 1), ...lines, ...text.slice(to)].join('\n')
}

export function nginxTemplateText(): string {
  const lines = (headers: readonly UpstreamHeader[], indent: string): string[] =>
    headers.flatMap(({ name, value }) =>
      value === undefined ? [] : [`${indent}proxy_set_header ${name} ${value};`],
    )
  const agents = lines([...NGINX_HEADERS, ...PASSED_HEADERS], '  ')
  // A server that sets one header inherits none: what all of them need stands here once more.
  const people = ['    proxy_set_header Connection "";', ...lines(PEOPLE_HEADERS, '    ')]
  const paths = PUBLIC_PATHS.map(({ path, prefix }) =>
    prefix ? `    "~^${path}[^/]+$" ${path}*;` : `    ${path} ${path};`,
  )
  const logged = between(
    NGINX_TEMPLATE_PATH,
    read(NGINX_TEMPLATE_PATH),
    /# <logged paths>/,
    /# <\/logged paths>/,
    paths,
  )
  const text = between(NGINX_TEMPLATE_PATH, logged, /# <request headers>/, /# <\/request headers>/, agents)
  return between(
    NGINX_TEMPLATE_PATH,
    text,
    /# <people's request headers>/,
    /# <\/people's request headers>/,
    people,
  )
}

export function nginxPageText(): string {
  const people = new Set(PEOPLE_HEADERS.flatMap(({ name, value }) => (value === '""' ? [] : [name])))
  const row = (by: string, name: string, why: string): string =>
    `| \`${name}\` | ${by} | ${people.has(name) ? 'yes' : ''} | ${why} |`
  return between(NGINX_PAGE_PATH, read(NGINX_PAGE_PATH), /<!-- request headers/, /<!-- \/request headers/, [
    '',
    '| header | said by | people | why |',
    '|---|---|---|---|',
    ...NGINX_HEADERS.map(({ name, why }) => row('nginx', name, why)),
    ...PASSED_HEADERS.map(({ name, why }) => row('the client', name, why)),
    '',
  ])
}
