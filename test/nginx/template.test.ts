// nginx's template: it says what the table of headers says, sets every line of the first draft beside its own, and passes all that our tools need.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import {
  NGINX_PAGE_PATH,
  NGINX_TEMPLATE_PATH,
  nginxPageText,
  nginxTemplateText,
} from '../../scripts/generate/nginx.ts'
import { SECCOMP_FILES } from '../../scripts/generate/seccomp.ts'
import { NGINX_HEADERS, PASSED_HEADERS, PEOPLE_HEADERS } from '../../src/http/upstream-headers.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const TEMPLATE = read(NGINX_TEMPLATE_PATH)
const PEOPLE = /^ *# <people>\n.*^ *# <\/people>\n/ms.exec(TEMPLATE)?.[0] ?? ''

/** The project's brief, sections 3.1 and 3.2, without comments and closing braces. */
const DRAFT = `
server {
    listen 443 ssl http2;
    server_name mcp.internal.example.com;
    ssl_certificate     /etc/ssl/certs/mcp-server.crt;
    ssl_certificate_key /etc/ssl/private/mcp-server.key;
    ssl_protocols       TLSv1.3;
    ssl_ciphers         TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256;
    ssl_prefer_server_ciphers on;
    ssl_session_timeout 1d;
    ssl_session_tickets off;
    add_header Strict-Transport-Security "max-age=63072000; includeSubDomains" always;
    location / {
        proxy_pass http://127.0.0.1:3001;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_buffering off;
        proxy_cache off;
        proxy_read_timeout 86400s;
ssl_client_certificate /etc/ssl/certs/agent-ca.crt;
ssl_verify_client on;
ssl_verify_depth 2;
`

test('every line of the draft has its row, in order, and no row is about another line', () => {
  const table = read(NGINX_PAGE_PATH).split('## Beside the first draft')[1] ?? ''
  const rows = [...table.matchAll(/^\| `(.+?)` \| (.+?) \| (.*?) ?\|$/gm)]
  const lines = DRAFT.trim()
    .split('\n')
    .map((line) => line.trim())
  assert.deepEqual(
    rows.map((row) => row[1]),
    lines,
  )
  for (const [, line = '', ours = '', why = ''] of rows)
    assert.ok(ours.startsWith('the same') || why.length > 20, `${line} differs without a reason`)
})

test('a line that is said to be the same is in the template', () => {
  const table = read(NGINX_PAGE_PATH).split('## Beside the first draft')[1] ?? ''
  const squeeze = (text: string): string => text.replace(/\s+/g, ' ')
  for (const [, line = ''] of table.matchAll(/^\| `(.+?)` \| the same \|/gm))
    assert.ok(squeeze(TEMPLATE).includes(squeeze(line)), line)
})

test('the generated parts are what the table of headers and the profiles say', () => {
  assert.equal(TEMPLATE, nginxTemplateText())
  assert.equal(read(NGINX_PAGE_PATH), nginxPageText())
  for (const [path, make] of Object.entries(SECCOMP_FILES)) assert.equal(read(path), make(), path)
})

test('no header is set in two ways, and none that a client sends takes a name of nginx', () => {
  const all = [...NGINX_HEADERS, ...PASSED_HEADERS].map(({ name }) => name.toLowerCase())
  assert.equal(new Set(all).size, all.length)
  for (const part of [TEMPLATE.replace(PEOPLE, ''), PEOPLE]) {
    const set = [...part.matchAll(/^\s*proxy_set_header (\S+) /gm)].map((match) => match[1])
    assert.ok(set.length > 5)
    assert.equal(new Set(set).size, set.length)
  }
  for (const { name, value } of NGINX_HEADERS) assert.ok(!value?.includes('$http_'), name)
})

test("the people's server asks for no certificate and says none, whatever the agents' server says of a caller is set anew there", () => {
  assert.match(PEOPLE, /^\s*ssl_verify_client off;$/m)
  assert.match(PEOPLE, /^\s*proxy_set_header X-Client-Cert "";$/m)
  assert.doesNotMatch(PEOPLE, /\$ssl_client_/)
  // One that is left out here would be inherited, were the first not set: then none is.
  const names = PEOPLE_HEADERS.map(({ name }) => name)
  for (const { name } of NGINX_HEADERS) assert.ok(names.includes(name), name)
  for (const { name, value } of PEOPLE_HEADERS)
    if (value !== undefined) assert.ok(PEOPLE.includes(`proxy_set_header ${name} ${value};`), name)
})

test('every header that the service reads reaches it', () => {
  const passed = new Set([...NGINX_HEADERS, ...PASSED_HEADERS].map(({ name }) => name.toLowerCase()))
  // What nginx itself decides about the connection behind it.
  const own = new Set(['transfer-encoding', 'expect', 'connection'])
  const single = /const SINGLE = new Set\(\[([^\]]+)\]/.exec(read('src/http/transport.ts'))?.[1] ?? ''
  const names = [...single.matchAll(/'([a-z-]+)'/g)].map((match) => String(match[1]))
  assert.ok(names.length > 10)
  for (const name of names) assert.ok(passed.has(name) || own.has(name), name)
  // Headers that tools may define for their parameters (Mcp-Param-*) would have to be in the table; none does.
  assert.doesNotMatch(read('docs/reference/tools.json'), /x-mcp-header/)
})

test('never the whole request line: a query may hold what must not be logged', () => {
  const directives = TEMPLATE.split('\n').filter((line) => !line.trim().startsWith('#'))
  assert.doesNotMatch(directives.join('\n'), /\$request_uri|\$args|\$query_string|\$request\b/)
})

test('the page, the template and the entrypoint know the same names', () => {
  const names = (text: string, pattern: RegExp): string[] =>
    [...new Set([...text.matchAll(pattern)].map((match) => String(match[1])))].sort()
  const entrypoint = read('nginx/entrypoint')
  const used = names(TEMPLATE, /\$\{(MCP_[A-Z_]+)\}/g)
  assert.deepEqual((/^names='([^']+)'$/m.exec(entrypoint)?.[1] ?? '').split(' ').sort(), used)
  const defaults = names(entrypoint, /^: "\$\{(MCP_[A-Z_]+):?=/gm)
  const page = names(read(NGINX_PAGE_PATH).split('## Request headers')[0] ?? '', /`(MCP_[A-Z_]+)`/g)
  assert.deepEqual(
    page,
    defaults.filter((name) => name !== 'MCP_NGINX'),
  )
  for (const name of used) assert.ok(defaults.includes(name), name)
})
