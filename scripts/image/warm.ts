// Fills Node's compile cache in the image: starts the service as the image does, asks it once, and lets it end, which is when Node writes.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { entrypoint } from './entrypoint.ts'

const DEADLINE_MS = 60_000
const LISTENING = /listening on (http:\/\/127\.0\.0\.1:\d+)/

// The flags that V8 sees are part of the cache's key.
const [node = '', ...args] = entrypoint()
const [cache = ''] = process.argv.slice(2)

const folder = mkdtempSync(join(tmpdir(), 'warm-'))
const config = join(folder, 'config.yaml')
writeFileSync(
  config,
  'version: 1\nlisten: "127.0.0.1:0"\nops: "127.0.0.1:0"\nbackend: { url: "http://127.0.0.1:9" }\n',
)
const child = spawn(node, [`--allow-fs-read=${folder}/`, ...args, 'serve', '--config', config], {
  stdio: ['ignore', 'ignore', 'pipe'],
  env: { NODE_COMPILE_CACHE: cache },
})
const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS)
const exit = once(child, 'exit')
let said = ''
child.stderr.setEncoding('utf8').on('data', async (text: string) => {
  const before = LISTENING.test(said)
  said += text
  const url = LISTENING.exec(said)?.[1]
  if (before || url === undefined) return
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} })
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
  await fetch(`${url}/mcp`, { method: 'POST', headers, body }).catch((error: unknown) => {
    said += String(error)
  })
  child.kill('SIGTERM')
})
const [code] = await exit
clearTimeout(timer)
const written = readdirSync(cache, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
if (code !== 0 || written.length === 0)
  throw new Error(`no compile cache: exit ${code}, ${written.length} files\n${said}`)
// Node keeps it for its own user alone; in the image it belongs to root.
for (const { parentPath, name } of written) chmodSync(join(parentPath, name), 0o444)
