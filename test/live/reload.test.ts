// Files of live/ while the service runs: a good one is in force at once and no call is lost, a bad or missing one keeps the last good one and says so.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { after, describe, test } from 'node:test'
import { diskFiles } from '../../src/cli/disk.ts'
import { LIVE_FILES, type LiveFile } from '../../src/config/index.ts'
import { type Files, memoryFiles } from '../credentials/lib/service.ts'
import { type Issuer, startIssuer } from '../identity/lib/issuer.ts'
import { startApp } from '../lib/app.ts'
import { EXECUTE } from '../lib/calls.ts'
import { startHeldBackend } from '../lib/held-backend.ts'
import { temporary } from '../lib/process.ts'
import { open, request } from '../lib/raw.ts'
import { NO_LIMITS, serve } from '../lib/serve.ts'
import {
  ALLOW_ALL,
  bearer,
  call,
  codeOf,
  keysFile,
  LIVE,
  PUBLIC_URL,
  type Secured,
  startSecured,
  WAYS,
} from './lib/secured.ts'

const DENY_ALL = { roles: { all: {} } }
const running: Secured[] = []
after(async () => {
  for (const service of running) await service.close()
})
async function start(options: Parameters<typeof startSecured>[0] = {}): Promise<Secured> {
  const service = await startSecured(options)
  running.push(service)
  return service
}
const code = async (service: Secured, name = 'reader'): Promise<string> =>
  codeOf(await call(service, 'rest', { headers: bearer(name) }))
const events = (service: Secured, event: string): Record<string, unknown>[] =>
  service
    .log()
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => line['event'] === event)

test('500 calls during 20 reloads: each is answered, and none is refused', async () => {
  const service = await start()
  const before = events(service, 'live_file_applied').length
  let done = 0
  let reloads = 0
  let reloading = Promise.resolve()
  const worker = async (): Promise<void> => {
    while (done < 500) {
      const way = WAYS[done % WAYS.length] ?? 'rest'
      done++
      const answer = await call(service, way, { headers: bearer('reader') })
      assert.deepEqual([answer.status, codeOf(answer)], [200, 'ok'])
      if (done < 25 * (reloads + 1) || reloads === 20) continue
      reloads++
      const file = LIVE_FILES[reloads % LIVE_FILES.length] as LiveFile
      const value = {
        'policy.yaml': { roles: { ...ALLOW_ALL.roles, [`role-${reloads}`]: {} } },
        'keys.yaml': keysFile({ reader: {}, [`key-${reloads}`]: {} }),
        'limits.yaml': { ...NO_LIMITS, tenants: { [`tenant-${reloads}`]: {} } },
        'revocations.yaml': { revocations: [{ kind: 'jti', value: `token-${reloads}` }] },
        'kill.yaml': { kill: [{ kind: 'tenant', value: `tenant-${reloads}`, reason: 'test' }] },
        'scan.yaml': { links: { allow: [`host-${reloads}.example.com`] } },
      }[file]
      // One after the other: a look that is under way may be past this file.
      reloading = reloading.then(() => service.put(file, value))
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  await reloading
  assert.equal(done, 500)
  assert.equal(events(service, 'live_file_applied').length - before, 20)
  assert.equal(service.records().filter(({ type }) => type === 'outcome').length, 500)
})

describe('a call keeps what it began with', () => {
  test('one that is still being sent is decided by the policy and keys of its beginning', async () => {
    const service = await start()
    const connection = await open(service.url)
    const text = JSON.stringify(EXECUTE)
    const head = ['Content-Type: application/json', `Content-Length: ${text.length}`]
    const line = 'POST /v1/tools/ductape_execute'
    connection.send(request(line, [...head, `Authorization: ${bearer('reader').authorization}`]))
    connection.send(text.slice(0, 10))
    while (service.app.inFlight() === 0) await new Promise((resolve) => setImmediate(resolve))
    await service.put('policy.yaml', DENY_ALL)
    await service.put('keys.yaml', { keys: [] })
    connection.send(text.slice(10))
    const answer = await connection.answer()
    assert.equal(answer.status, 200, answer.body)
    connection.end()
    assert.equal(await code(service), 'key_invalid')
  })

  test('one that waits for the backend is answered', async () => {
    const backend = await startHeldBackend()
    const service = await start({ app: { backend: backend.url } })
    const waiting = call(service, 'modern', { headers: bearer('reader') })
    const held = await backend.next()
    await service.put('keys.yaml', { keys: [] })
    assert.equal(await code(service), 'key_invalid')
    held.release({ data: [1], execution_time_ms: 1, request_id: 'r' })
    assert.equal(codeOf(await waiting), 'ok')
    await backend.close()
  })
})

/** A file with something in it that tells whether it is in force, and what a call of this caller then gets. */
const GOOD: Readonly<Record<LiveFile, { value: object; caller: string; code: string }>> = {
  'policy.yaml': { value: ALLOW_ALL, caller: 'reader', code: 'ok' },
  'keys.yaml': { value: keysFile({ reader: {}, revoked: {} }), caller: 'reader', code: 'ok' },
  'limits.yaml': {
    value: { ...NO_LIMITS, principals: { 'api-key:reader': { inputTokens: { count: 1 } } } },
    caller: 'reader',
    code: 'tokens_exhausted',
  },
  'revocations.yaml': {
    value: { revocations: [{ kind: 'key', value: 'revoked' }] },
    caller: 'revoked',
    code: 'token_revoked',
  },
  'kill.yaml': {
    value: { kill: [{ kind: 'principal', value: 'api-key:revoked', reason: 'test' }] },
    caller: 'revoked',
    code: 'killed',
  },
  // Every answer of the reader has this in it.
  'scan.yaml': {
    value: {
      patterns: [{ id: 'any', keywords: ['env_name'], pattern: 'env_name' }],
      rules: { any: 'block' },
    },
    caller: 'reader',
    code: 'result_blocked',
  },
}

const BAD: Readonly<Record<string, string>> = {
  'that is no YAML': 'roles: [',
  'with an unknown key': 'version: 1\nsurprise: true\n',
  'of another version': 'version: 2\n',
  'that is a list': '- 1\n- 2\n',
  'that is one word': 'none',
  'of zero bytes and worse': '\0\0\0',
  'with a key twice': 'version: 1\nversion: 1\n',
  'with an alias bomb': `a: &a [x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a]\nc: [*b, *b, *b, *b]\n`,
  'nested without end': `{"version": ${'['.repeat(5000)}`,
  'cut short': 'version: 1\nroles: { all: { allow: [{ tool: "*" }\n',
}

for (const file of LIVE_FILES) {
  const { value, caller, code: wanted } = GOOD[file]
  const off = file === 'kill.yaml' ? ['switched off: 1 principal'] : []

  describe(`live/${file}`, () => {
    test('a bad one, or none any more, keeps the last good one; readiness, log and metric say so', async () => {
      let offset = 0
      const service = await start({
        callers: { reader: {}, revoked: {} },
        live: { [file]: value },
        app: { ports: { now: () => Date.now() + offset } },
      })
      const age = async (one: LiveFile): Promise<number> =>
        Number(await service.metric(`ductape_mcp_live_config_age_seconds{file="${one}"}`))
      for (const [what, text] of Object.entries({ ...BAD, 'that is gone': undefined })) {
        const refusals = events(service, 'live_file_refused').length
        await service.put(file, text)
        assert.equal(await code(service, caller), wanted, what)
        const warnings = [`live/${file} is not valid; the last good one holds`, ...off]
        assert.deepEqual(await service.ready(), { status: 200, reasons: [], warnings }, what)
        const said = events(service, 'live_file_refused').slice(refusals)
        assert.deepEqual(
          said.map((line) => line['file']),
          [file],
          what,
        )
        offset += 90_000
        for (const one of LIVE_FILES) {
          const seconds = await age(one)
          if (one === file) assert.ok(seconds >= 90 && seconds < 180, `${what}: ${seconds}`)
          else assert.equal(seconds, 0, one)
        }
        // The same bytes as before count again, although they are no news.
        await service.put(file, value)
        assert.equal(await code(service, caller), wanted, what)
        assert.deepEqual(await service.ready(), { status: 200, reasons: [], warnings: off }, what)
        assert.equal(await age(file), 0)
      }
    })

    test('at the start a bad one, or one that cannot be read, is not ready and says why, until it is good', async () => {
      for (const unreadable of [false, true]) {
        const files = memoryFiles()
        let denied = unreadable
        const read: Files['read'] = async (path) => {
          if (denied && path === `${LIVE}/${file}`) throw new Error('EACCES')
          return files.read(path)
        }
        const service = await start({
          files,
          callers: { reader: {}, revoked: {} },
          live: { [file]: unreadable ? value : 'surprise: 1' },
          app: { ports: { files: { ...files, read } } },
        })
        const { status, reasons, warnings } = await service.ready()
        assert.equal(status, 503)
        assert.ok(reasons.includes(`live/${file} is not valid`), String(reasons))
        assert.deepEqual(warnings.length, 1)
        if (file === 'policy.yaml') assert.equal(await code(service), 'policy_missing')
        if (file === 'keys.yaml') assert.equal(await code(service), 'key_invalid')
        denied = false
        await service.put(file, value)
        assert.equal((await service.ready()).status, 200)
        assert.equal(await code(service, caller), wanted)
      }
    })
  })
}

test('without an authenticator a bad policy is none at all, and not the built-in one', async () => {
  for (const [policy, wanted] of [
    [undefined, 'ok'],
    ['surprise: 1', 'policy_missing'],
  ] as const) {
    const files = memoryFiles()
    files.write(`${LIVE}/policy.yaml`, policy)
    const service = await startApp({ config: { live: LIVE }, ports: { files } })
    const decision = async (): Promise<string> =>
      codeOf(await call(service, 'rest', { headers: { host: '127.0.0.1' } }))
    assert.equal(await decision(), wanted)
    files.write(`${LIVE}/policy.yaml`, JSON.stringify({ roles: { local: {} } }))
    await service.app.reload()
    assert.equal(await decision(), 'policy_denied')
    await service.close()
  }
})

test('a mounted ConfigMap, changed by a symlink swap: in force at the next look, the old bytes gone', async () => {
  const { path, remove } = temporary()
  // Nothing but the swap tells: all versions have one size and one time.
  const publish = (version: number, files: Readonly<Record<string, object>>): void => {
    const folder = `..2026_11_21_${version}`
    mkdirSync(join(path, folder))
    for (const [name, value] of Object.entries(files)) {
      writeFileSync(join(path, folder, name), JSON.stringify(value).padEnd(500))
      utimesSync(join(path, folder, name), 1_700_000_000, 1_700_000_000)
    }
    symlinkSync(folder, join(path, '..data_tmp'))
    renameSync(join(path, '..data_tmp'), join(path, '..data'))
    rmSync(join(path, `..2026_11_21_${version - 1}`), { recursive: true, force: true })
  }
  const keys = keysFile({ reader: {} })
  publish(1, { 'policy.yaml': ALLOW_ALL, 'keys.yaml': keys })
  for (const file of ['policy.yaml', 'keys.yaml']) symlinkSync(join('..data', file), join(path, file))
  const service = await start({ app: { config: { live: path }, ports: { files: diskFiles } } })
  try {
    for (let version = 2; version < 8; version++) {
      const denies = version % 2 === 0
      publish(version, { 'policy.yaml': denies ? DENY_ALL : ALLOW_ALL, 'keys.yaml': keys })
      await service.app.reload()
      assert.equal(await code(service), denies ? 'policy_denied' : 'ok')
    }
    publish(8, { 'policy.yaml': ALLOW_ALL })
    await service.app.reload()
    assert.equal(await code(service), 'ok')
    assert.deepEqual((await service.ready()).warnings, [
      'live/keys.yaml is not valid; the last good one holds',
    ])
  } finally {
    remove()
  }
})

test('a verified token is looked at again after a file was taken, and not before', async () => {
  const issuer: Issuer = await startIssuer({ resources: [PUBLIC_URL], claims: { roles: ['all'] } })
  let offset = 0
  const service = await start({
    auth: { oauth: { issuers: [{ issuer: issuer.url }] } },
    app: { ports: { now: () => Date.now() + offset } },
  })
  const headers = { authorization: `Bearer ${await issuer.clientCredentials({ resource: PUBLIC_URL })}` }
  const decision = async (): Promise<string> => codeOf(await call(service, 'rest', { headers }))
  assert.equal(await decision(), 'ok')
  // A clock that was set back: to one who looks, the token comes from the future.
  offset = -300_000
  assert.equal(await decision(), 'ok')
  await service.put('policy.yaml', 'surprise: 1')
  assert.equal(await decision(), 'ok')
  await service.put('policy.yaml', { roles: { ...ALLOW_ALL.roles, other: {} } })
  assert.equal(await decision(), 'token_invalid')
  await issuer.close()
})

test('a running process has a changed file in force within 2 seconds', async () => {
  const folder = temporary()
  const write = (value: object): number => {
    folder.file('new', JSON.stringify(value))
    renameSync(join(folder.path, 'new'), join(folder.path, 'policy.yaml'))
    return statSync(join(folder.path, 'policy.yaml')).mtimeMs
  }
  folder.file('keys.yaml', JSON.stringify(keysFile({ reader: {} })))
  folder.file('limits.yaml', JSON.stringify(NO_LIMITS))
  write(ALLOW_ALL)
  const config = {
    publicUrl: PUBLIC_URL,
    live: folder.path,
    auth: { apiKeys: {} },
    http: { peerRate: { perMinute: 10_000_000, burst: 1_000_000 } },
  }
  const served = await serve({ config, args: ['--emulator'] })
  try {
    const ask = async (): Promise<string> => codeOf(await call(served, 'rest', { headers: bearer('reader') }))
    /** What the log says about the n-th time that the policy was taken; it may come after the answer. */
    const applied = async (n: number): Promise<{ time: string }> => {
      for (;;) {
        const lines = served.stderr().split('\n').slice(0, -1)
        const line = lines.filter((text) => /"live_file_applied".*policy\.yaml/.test(text))[n]
        if (line !== undefined) return JSON.parse(line) as { time: string }
        await once(served.child.stderr as Readable, 'data')
      }
    }
    let times = 0
    assert.equal(await ask(), 'ok')
    for (const [policy, before, then] of [
      [DENY_ALL, 'ok', 'policy_denied'],
      [ALLOW_ALL, 'policy_denied', 'ok'],
    ] as const) {
      const written = write(policy)
      let seen = await ask()
      while (seen === before && Date.now() - written < 20_000) seen = await ask()
      assert.equal(seen, then)
      const took = Date.parse((await applied(++times)).time) - written
      assert.ok(took <= 2000, `${took} ms`)
    }
  } finally {
    served.child.kill()
    await served.exit
    folder.remove()
  }
})
