// The command lines of docs/clients.md against services that know their callers, as the page has them but for host and program.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { hashKey, makeKey } from '../../src/identity/apikey/index.ts'
import { type Served, serve } from '../lib/serve.ts'
import { EXECUTE, TOOL_NAMES } from './lib/calls.ts'
import { agentId, makeCertificates, PUBLIC_URL } from './lib/certs.ts'
import { type Nginx, startNginx } from './lib/nginx.ts'
import { complete } from './lib/process.ts'
import { LIMITS, mtlsSection, POLICY, startUnixService, type UnixService } from './lib/service.ts'
import { PEERS, ROOT, unless } from './lib/tools.ts'

const PAGE = readFileSync(join(ROOT, 'docs/clients.md'), 'utf8')
const SHOWN_URL = 'https://mcp.example.com'
const LAUNCHER = join(PEERS, '@modelcontextprotocol/inspector/clients/launcher/build/index.js')
const PROGRAMS = {
  'npx @modelcontextprotocol/inspector': `"${process.execPath}" "${LAUNCHER}"`,
  'ductape-mcp call': `"${process.execPath}" "${join(ROOT, 'src/main.ts')}" call`,
}

const KEY = makeKey(randomBytes(32))
const KEYS = JSON.stringify({
  version: 1,
  keys: [{ id: 'k1', sha256: hashKey(KEY), owner: 'team-data', purpose: 'test', roles: ['agent'] }],
})

/** The shell block of the page that this fits; exactly one does. */
function shown(pattern: RegExp): string {
  const blocks = [...PAGE.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, text]) => text ?? '')
  const fitting = blocks.filter((text) => pattern.test(text))
  assert.equal(fitting.length, 1, `${pattern} fits ${fitting.length} blocks`)
  return fitting[0] ?? ''
}

describe('the clients of docs/clients.md', { skip: unless('nginx', 'openssl', 'curl') }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-clients-'))
  const home = join(folder, 'home')
  let emulator: Emulator
  /** On TCP, for clients without a certificate. */
  let plain: Served
  /** Behind nginx, which asks everybody for a certificate. */
  let service: UnixService
  let nginx: Nginx

  before(async () => {
    chmodSync(folder, 0o755)
    mkdirSync(home)
    emulator = await startEmulator()
    const live = join(folder, 'live')
    mkdirSync(live)
    for (const [name, text] of [
      ['policy', POLICY],
      ['limits', LIMITS],
      ['keys', KEYS],
    ] as const)
      writeFileSync(join(live, `${name}.yaml`), text)
    plain = await serve({
      config: { publicUrl: PUBLIC_URL, live, auth: { apiKeys: {} }, backend: { url: emulator.url } },
    })

    const proxy = join(folder, 'proxy')
    mkdirSync(proxy)
    const certs = makeCertificates(proxy, 'proxy')
    service = await startUnixService(join(folder, 'service'), emulator.url, {
      apiKeys: {},
      mtls: mtlsSection(certs.caFile),
    })
    service.writeLive('keys.yaml', KEYS)
    await service.process.line(/"event":"live_file_applied","file":"keys.yaml"/)
    // Before nginx gets the folder of its certificates for itself.
    writeFileSync(join(home, 'agent.pem'), certs.client.cert)
    writeFileSync(join(home, 'agent-key.pem'), certs.client.key)
    writeFileSync(join(home, 'ca.pem'), certs.ca)
    writeFileSync(join(home, 'token.txt'), `${KEY}\n`)
    writeFileSync(join(home, 'ductape-key.txt'), `${EXECUTE.arguments['publishable_key']}\n`)
    nginx = await startNginx(proxy, certs, service.socket)
    const { host } = new URL(PUBLIC_URL)
    writeFileSync(join(home, '.curlrc'), `connect-to = "${host}:443:127.0.0.1:${nginx.port}"\n`)
  })

  after(async () => {
    plain?.child.kill('SIGTERM')
    await Promise.all([nginx?.close(), plain?.exit])
    await Promise.all([service?.close(), emulator?.close()])
    rmSync(folder, { recursive: true, force: true })
  })

  /** What the command writes to standard output; its exit code has to be the one that is wanted. */
  async function shell(line: string, url: string, wanted = 0, key = KEY): Promise<string> {
    let command = line.replaceAll(SHOWN_URL, url)
    for (const [name, program] of Object.entries(PROGRAMS)) command = command.replace(name, program)
    const env = { PATH: process.env['PATH'] ?? '', HOME: home, CURL_HOME: home, DUCTAPE_MCP_KEY: key }
    const { code, stdout, stderr } = await complete('/bin/sh', ['-c', command], { cwd: home, env })
    assert.equal(code, wanted, `${command}\n${stderr}\n${stdout}`)
    return wanted === 0 ? stdout : stderr
  }

  const toolsIn = (text: string): string[] => {
    const parsed = JSON.parse(text) as { tools?: { name: string }[]; result?: { tools: { name: string }[] } }
    return (parsed.tools ?? parsed.result?.tools ?? []).map(({ name }) => name).sort()
  }

  const LIST = /^curl .*\/mcp \\\n +-H "Authorization/

  test('curl with a key in the header', async () => {
    assert.deepEqual(toolsIn(await shell(shown(LIST), plain.url)), TOOL_NAMES)
  })

  test('curl with a wrong key', async () => {
    assert.match(await shell(shown(LIST), plain.url, 0, makeKey(randomBytes(32))), /key_invalid/)
  })

  test('curl over REST', async () => {
    assert.match(await shell(shown(/^curl .*\/v1\/tools/), plain.url), /"slug":"prd"/)
  })

  test('curl with a client certificate through nginx', async () => {
    const line = shown(/--cert agent\.pem/)
    assert.deepEqual(toolsIn(await shell(line, PUBLIC_URL)), TOOL_NAMES)
    assert.equal(nginx.accessLog().at(-1)?.['client'], 'SUCCESS')
  })

  test('curl with a key beside the certificate through nginx: the key decides', async () => {
    const both = shown(/^curl .*\/v1\/tools/).replace(
      'curl ',
      'curl --cert agent.pem --key agent-key.pem --cacert ca.pem ',
    )
    const asked = (id: string): string => both.replace('curl ', `curl -H 'X-Request-Id: ${id}' `)
    const ids = ['0190a0a0-0000-7000-8000-000000000001', '0190a0a0-0000-7000-8000-000000000002'] as const
    assert.match(await shell(asked(ids[0]), PUBLIC_URL), /"slug":"prd"/)
    assert.equal((await service.callerOf(ids[0]))['subject'], 'team-data')
    const bare = asked(ids[1]).replace(/-H "Authorization[^"]*"/, '')
    assert.match(await shell(bare, PUBLIC_URL), /"slug":"prd"/)
    assert.equal((await service.callerOf(ids[1]))['subject'], agentId('a1'))
  })

  test('curl without a certificate: nginx refuses it', async () => {
    const line = shown(/--cert agent\.pem/).replace('--cert agent.pem --key agent-key.pem', '')
    assert.match(await shell(line, PUBLIC_URL), /400 No required SSL certificate was sent/)
  })

  test('Inspector', { skip: unless('npm peers') }, async () => {
    const line = shown(/modelcontextprotocol\/inspector/)
    assert.deepEqual(toolsIn(await shell(line, plain.url)), TOOL_NAMES)
  })

  test('ductape-mcp call', async () => {
    const line = shown(/^ductape-mcp call/)
    assert.match(await shell(line, plain.url), /"slug": "prd"/)
    assert.match(
      await shell(line.replace('--token-file token.txt', ''), plain.url, 1),
      /token_missing|--token-file/,
    )
  })
})

describe('the client configurations of docs/clients.md', () => {
  /** What each client fills in by itself: an environment variable, or what it has asked the user for. */
  const PLACEHOLDERS: Readonly<Record<string, RegExp>> = {
    'Claude Code': /^\$\{[A-Z_]+\}$/,
    Cursor: /^\$\{env:[A-Z_]+\}$/,
    'VS Code': /^\$\{input:[a-z-]+\}$/,
  }

  for (const [name, placeholder] of Object.entries(PLACEHOLDERS))
    test(name, () => {
      const section = PAGE.split(/^## /m).find((text) => text.startsWith(`${name}\n`)) ?? ''
      const blocks = [...section.matchAll(/^```json\n([\s\S]*?)^```$/gm)]
      assert.equal(blocks.length, 1)
      const config = JSON.parse(blocks[0]?.[1] ?? '') as {
        inputs?: { id: string; password: boolean }[]
        mcpServers?: Record<string, Entry>
        servers?: Record<string, Entry>
      }
      const [entry] = Object.values(config.servers ?? config.mcpServers ?? {})
      assert.equal(entry?.url, `${SHOWN_URL}/mcp`)
      const value = /^Bearer (.+)$/.exec(entry.headers['Authorization'] ?? '')?.[1] ?? ''
      assert.match(value, placeholder)
      for (const { id, password } of config.inputs ?? []) {
        assert.equal(value, `\${input:${id}}`)
        assert.equal(password, true)
      }
    })

  interface Entry {
    url: string
    headers: Record<string, string>
  }
})
