// What examples/ shows is so: the typed client runs, each configuration holds, each client config names what exists.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createClient, ProblemError } from '../../examples/client/client.ts'
import { configCommand } from '../../src/config/command.ts'
import { defaultConfig } from '../../src/config/index.ts'
import { startApp, type TestApp } from '../lib/app.ts'
import { EXECUTE, GENERATE, KEY } from '../lib/calls.ts'
import { ROOT, run } from '../lib/process.ts'
import { capture } from './lib.ts'

const EXAMPLES = join(ROOT, 'examples')
const PROGRAM = join(EXAMPLES, 'client/example.ts')

let service: TestApp
before(async () => {
  service = await startApp()
})
after(() => service.close())

test('the program prints what the demo workspace holds', async () => {
  const done = await run([service.url], { main: PROGRAM, node: [], env: { DUCTAPE_PUBLISHABLE_KEY: KEY } })
  assert.equal(done.stderr, '')
  assert.equal(done.code, 0)
  assert.match(done.stdout, /^dev {2}Development\nstg {2}Staging\nprd {2}Production\nusers: \d+\n$/)
})

test('the program shows a refusal with its code', async () => {
  service.emulator?.faults.every(2, { kind: 'status', status: 503 })
  const done = await run([service.url], { main: PROGRAM, node: [], env: { DUCTAPE_PUBLISHABLE_KEY: KEY } })
  service.emulator?.faults.clear()
  assert.match(done.stdout, /refused: backend_busy \(request [0-9a-f-]{36}\)\n$/)
})

test('the client has the results, the problems, the request id, the headers and the way to stop', async () => {
  const client = createClient({ url: service.url, headers: { 'x-team': 'blue' } })
  assert.equal((await client.tools()).tools.length, 3)
  const { payload, meta } = await client.call('ductape_generate_payload', GENERATE)
  assert.ok(payload && meta)
  const { snippet } = await client.call('ductape_generate_snippet', { ...GENERATE, language: 'python' })
  assert.match(snippet, /import|from/)

  const requestId = '0190a0a0-0000-7000-8000-000000000001'
  await client.call('ductape_execute', { ...EXECUTE, params: [...EXECUTE.params] }, { requestId })
  assert.equal(service.records().findLast(({ type }) => type === 'decision')?.what?.['requestId'], requestId)
  await assert.rejects(
    client.call('ductape_execute', { publishable_key: ' ', module: 'product', method: 'fetch' }),
    (error) => error instanceof ProblemError && error.problem.code === 'not_authenticated',
  )
  await assert.rejects(
    client.call('ductape_execute', { ...EXECUTE, params: [] }, { signal: AbortSignal.abort() }),
    { name: 'AbortError' },
  )
})

for (const name of readdirSync(join(EXAMPLES, 'config'))) {
  test(`config check holds for ${name}`, async () => {
    const path = join(EXAMPLES, 'config', name)
    const text = readFileSync(path, 'utf8')
    const captured = capture({}, { [path]: text })
    assert.equal(await configCommand(['check', path], captured.io), 0, captured.err())
    const schema = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text)?.[1]
    assert.equal(join(EXAMPLES, 'config', schema ?? ''), join(ROOT, 'schema/config.schema.json'))
  })
}

interface Entry {
  url?: string
  command?: string
  args?: string[]
}

test('the client configs name the default endpoint, or a command that exists', async () => {
  const { listen } = defaultConfig()
  assert.ok(listen.kind === 'tcp')
  const names = readdirSync(join(EXAMPLES, 'clients'))
  assert.ok(names.length >= 3)
  for (const name of names) {
    const text = readFileSync(join(EXAMPLES, 'clients', name), 'utf8')
    assert.doesNotMatch(text, /[ps]k_|key/i, `${name} holds no key`)
    const parsed = JSON.parse(text) as Record<string, { ductape: Entry }>
    const { url, command, args } = Object.values(parsed)[0]?.ductape ?? {}
    if (url !== undefined) assert.equal(url, `http://${listen.host}:${listen.port}/mcp`)
    else assert.ok(command !== undefined && args?.includes('stdio'), name)
  }
  const help = await run(['--help'])
  assert.match(help.stdout, /^ {2}stdio /m)
})
