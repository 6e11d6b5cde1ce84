// A service that writes the second file: its events are those that `audit query` makes of the records, and where it cannot be written calls go on.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { auditCommand } from '../../src/cli/audit.ts'
import { loadConfig } from '../../src/config/index.ts'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { callTool, EXECUTE } from '../lib/calls.ts'
import { type Served, serve } from '../lib/serve.ts'
import { command } from './verify/command.ts'

let emulator: Emulator
let parent: string
before(async () => {
  emulator = await startEmulator({})
  parent = fs.mkdtempSync(join(tmpdir(), 'ductape-mcp-ocsf-service-'))
})
after(async () => {
  await emulator.close()
  fs.rmSync(parent, { recursive: true })
})

const newFolder = (name: string): string => fs.mkdtempSync(join(parent, `${name}-`))
const start = (audit: object): Promise<Served> => serve({ config: { backend: { url: emulator.url }, audit } })
const textOf = (directory: string): string =>
  fs
    .readdirSync(directory)
    .sort()
    .map((name) => fs.readFileSync(join(directory, name), 'utf8'))
    .join('')

/** Good calls, refused ones, and a flood. */
async function use(service: Served): Promise<void> {
  for (let i = 0; i < 20; i++) {
    const body = JSON.stringify(await callTool(service.url, 'ductape_execute', EXECUTE))
    assert.doesNotMatch(body, /audit_unavailable/)
    await callTool(service.url, 'ductape_execute', { ...EXECUTE, method: 'nothing-like-it' })
    assert.equal((await fetch(`${service.url}/nothing`)).status, 404)
  }
}

async function end(service: Served): Promise<void> {
  service.child.kill('SIGTERM')
  assert.deepEqual(await service.exit, { code: 0, signal: null }, service.stderr())
}

const sorted = (text: string): unknown[] =>
  text
    .trimEnd()
    .split('\n')
    .sort()
    .map((line) => JSON.parse(line))

for (const sink of ['folder', 'stdout'])
  test(`events are those of audit query over the records (${sink})`, async () => {
    const records = newFolder('records')
    const directory = newFolder('ocsf')
    const service = await start({
      mode: 'strict',
      sink: sink === 'stdout' ? 'stdout' : { directory: records },
      ocsf: { directory },
    })
    try {
      await use(service)
      await end(service)
    } finally {
      service.child.kill('SIGKILL')
    }
    if (sink === 'stdout') fs.writeFileSync(join(records, 'audit.jsonl'), service.stdout())
    const { code, out } = await command(auditCommand, ['query', records, '--form', 'ocsf'])
    assert.equal(code, 0)
    const events = sorted(textOf(directory))
    // 20 calls with two records, 20 refusals, one path that was not found and the count of the others.
    assert.equal(events.length, 62)
    assert.deepEqual(events, sorted(out))
    assert.match(fs.readdirSync(directory).join(), /^ocsf-[0-9a-f-]{36}-0001\.jsonl$/)
    assert.doesNotMatch(service.stderr(), /audit_ocsf/)
  })

test('without the key there is no such file', async () => {
  const records = newFolder('records')
  const service = await start({ sink: { directory: records } })
  try {
    await use(service)
    await end(service)
  } finally {
    service.child.kill('SIGKILL')
  }
  assert.match(fs.readdirSync(records).join(), /^audit-[0-9a-f-]{36}-0001\.jsonl$/)
})

test('a folder that cannot be written leaves calls, probes and the end alone, and is told', async () => {
  const records = newFolder('records')
  const service = await start({
    mode: 'strict',
    sink: { directory: records },
    ocsf: { directory: join(parent, 'nowhere') },
  })
  try {
    await use(service)
    assert.match(service.stderr(), /"level":"error","event":"audit_ocsf_failed","reason":"ENOENT"/)
    const ready = await fetch(`${service.ops}/readyz`)
    assert.equal(ready.status, 200)
    assert.match(await ready.text(), /the events of OCSF cannot be written/)
    const metrics = await (await fetch(`${service.ops}/metrics`)).text()
    assert.match(metrics, /^ductape_mcp_audit_ocsf_lost_total 0$/m)
    await end(service)
  } finally {
    service.child.kill('SIGKILL')
  }
  assert.ok(textOf(records).includes('"status":"executed"'))
})

test('the folder of the records is not its folder', async () => {
  for (const [sink, ocsf, good] of [
    ['/var/log/a', '/var/log/a/', false],
    ['/var/log/a', '/var/log/b/../a', false],
    ['/var/log/a', '/var/log/b', true],
  ] as const) {
    const loaded = await loadConfig({
      path: 'config.yaml',
      env: {},
      readFile: () => `version: 1\naudit: { sink: { directory: ${sink} }, ocsf: { directory: ${ocsf} } }\n`,
    })
    assert.equal(loaded.ok, good)
    if (!loaded.ok)
      assert.deepEqual(
        loaded.problems.map(({ path }) => path),
        ['audit.ocsf.directory'],
      )
  }
})
