// Fills /app/cache with what V8 makes of the bundle: starts the service as the image does, asks it, and lets it end, which is when record.ts writes.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { entrypoint } from './entrypoint.ts'

const DEADLINE_MS = 60_000
const LISTENING = /listening on (http:\S+)[\s\S]* ops +(http:\S+)\/readyz/
const PRELOAD = join(import.meta.dirname, 'record.ts')

// V8 takes the code only under the flags that it was made with.
const [node = '', ...args] = entrypoint()
const [cache = ''] = process.argv.slice(2)

const folder = mkdtempSync(join(tmpdir(), 'warm-'))
const COMMON =
  'version: 1\nlisten: "127.0.0.1:0"\nops: "127.0.0.1:0"\nbackend: { url: "http://127.0.0.1:9" }\n'
/** A service without a configuration to speak of, which takes calls; then one of all that is loaded on demand only. */
const RUNS = [
  { config: COMMON, env: {} },
  {
    config: `${COMMON}live: "${folder}"
publicUrl: "https://mcp.example.com"
store: { redis: { url: "redis://127.0.0.1:9" } }
keys: { fleet: { file: "${folder}/fleet" } }
receipts: { keys: boot }
auth:
  apiKeys: {}
  oauth: { issuers: [{ issuer: "http://127.0.0.1:9" }] }
`,
    // No span is made, because its end would wait for the collector that is not there.
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_TRACES_SAMPLER: 'always_off' },
  },
]
const FILES = {
  fleet: `k1 ${randomBytes(32).toString('base64')}\n`,
  'limits.yaml': 'version: 1\nprincipal: { rate: { perMinute: 60, burst: 10 } }\n',
  'policy.yaml': `version: 1
roles:
  agent:
    allow: [{ tool: "*", effect: read, when: has(principal.tenant) }]
`,
}
for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, name), text, { mode: 0o600 })

const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
const mcp = (id: number, method: string, params: object): RequestInit => ({
  method: 'POST',
  headers: json,
  body: JSON.stringify({ jsonrpc: '2.0', id, method, params }),
})
/** Goes all the way to a backend that is not there, by way of the parser of SQL, whose script nothing else loads. */
const RAW = {
  publishable_key: 'pk_demo_0123456789ab',
  module: 'databases',
  method: 'query',
  params: [{ product: 'p', env: 'dev', database: 'd', query: 'SELECT a FROM b WHERE c = 1' }],
}
const ASKED = [
  ['/mcp', mcp(1, 'tools/list', {})],
  ['/mcp', mcp(2, 'tools/call', { name: 'ductape_execute', arguments: {} })],
  ['/mcp', mcp(3, 'tools/call', { name: 'ductape_execute', arguments: RAW })],
  ['/openapi.json', {}],
] as const

for (const { config, env } of RUNS) {
  const file = join(folder, 'config.yaml')
  writeFileSync(file, config)
  const flags = [`--allow-fs-read=${folder}/`, `--allow-fs-read=${PRELOAD}`, `--allow-fs-write=${cache}/`]
  const child = spawn(node, [...flags, '--import', PRELOAD, ...args, 'serve', '--config', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...env, CODE_CACHE: cache },
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS)
  const exit = once(child, 'exit')
  let said = ''
  child.stderr.setEncoding('utf8').on('data', async (text: string) => {
    const before = LISTENING.test(said)
    said += text
    const [, url = '', ops = ''] = LISTENING.exec(said) ?? []
    if (before || url === '') return
    const requests = [
      ...ASKED.map(([path, init]) => [`${url}${path}`, init] as const),
      [`${ops}/metrics`, {}] as const,
    ]
    for (const [target, init] of requests) {
      const answer = await fetch(target, init).catch((error: unknown) => {
        said += String(error)
      })
      await answer?.text()
    }
    child.kill('SIGTERM')
  })
  const [code] = await exit
  clearTimeout(timer)
  if (code !== 0) throw new Error(`no code for the image: exit ${code}\n${said}`)
}
const written = readdirSync(cache)
for (const script of ['app', 'sql'])
  if (!written.some((name) => name.startsWith(`${script}-`)))
    throw new Error(`no code of ${script}: ${written}`)
for (const name of written) chmodSync(join(cache, name), 0o444)
