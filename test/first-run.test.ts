// What a new user sees: `npm start` prints a curl line and a client configuration, and both work as printed, without an environment and in a read-only folder.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { ROOT } from './lib/process.ts'
import { type Served, serve } from './lib/serve.ts'

// A file system that nobody can write to, root included.
const READ_ONLY = existsSync('/proc/self') ? '/proc' : '/'

describe('npm start', () => {
  let service: Served

  before(async () => {
    // Without a folder of live files, as a new user has none.
    service = await serve({ args: ['--emulator'], cwd: READ_ONLY, env: {}, config: { live: undefined } })
  })
  after(async () => {
    service.child.kill('SIGTERM')
    assert.deepEqual(await service.exit, { code: 0, signal: null })
  })

  test('is serve with the emulator', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    assert.equal(scripts['start'], 'node src/main.ts serve --emulator')
  })

  test('prints a curl line that works as printed', async (t) => {
    const line = /^ {2}(curl .*)$/m.exec(service.stderr())?.[1]
    assert.ok(line !== undefined, service.stderr())
    const [, url, header, body] = /^curl -s (\S+) -H '([^']+)' -d '([^']+)'$/.exec(line) ?? []
    assert.ok(url !== undefined && header !== undefined && body !== undefined, line)
    const [name, value] = header.split(': ') as [string, string]
    const response = await fetch(url, { method: 'POST', headers: { [name]: value }, body })
    const text = await response.text()
    type Answer = { result: { content: { text: string }[]; isError?: boolean } }
    const answer = JSON.parse(text) as Answer
    assert.equal(answer.result.isError, undefined)
    assert.match(answer.result.content[0]?.text ?? '', /"slug": "prd"/)
    // The line itself, where this machine has curl.
    const ran = spawnSync('/bin/sh', ['-c', line], { encoding: 'utf8', timeout: 20_000 })
    if (ran.status === 127) return t.diagnostic('curl is not installed here; its request was sent by fetch')
    assert.equal(ran.status, 0, ran.stderr)
    assert.deepEqual((JSON.parse(ran.stdout) as Answer).result.content, answer.result.content)
  })

  test('prints a client configuration that works as printed', async () => {
    const line = /^ {2}(\{"mcpServers".*)$/m.exec(service.stderr())?.[1]
    assert.ok(line !== undefined, service.stderr())
    const { mcpServers } = JSON.parse(line) as { mcpServers: Record<string, { type: string; url: string }> }
    const server = mcpServers['ductape']
    assert.equal(server?.type, 'http')
    const client = new Client({ name: 'first-run', version: '1.0.0' })
    await client.connect(new StreamableHTTPClientTransport(new URL(server.url)))
    const { tools } = await client.listTools()
    assert.equal(tools.length, 3)
    await client.close()
  })

  test('says that no authenticator is there and what that means', () => {
    assert.match(
      service.stderr(),
      /policy {2}local: no authenticator on loopback, so all three tools are allowed/,
    )
  })
})
