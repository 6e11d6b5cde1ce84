// Records of a running service that are not of one call, what a rule wants in them, and digests of results.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { callTool, EXECUTE, KEY } from '../lib/calls.ts'
import { checkChain, parsed, start } from './lib.ts'

test('further refusals of a peer before it is known are counted, and none is lost', async () => {
  const service = await start()
  try {
    for (let i = 0; i < 5; i++) assert.equal((await fetch(`${service.url}/nothing`)).status, 404)
    for (let i = 0; i < 3; i++) assert.equal((await fetch(service.mcp)).status, 405)
    // Of a known caller each has its record.
    for (let i = 0; i < 2; i++)
      await callTool(service.url, 'ductape_execute', { ...EXECUTE, publishable_key: '' })
    service.nextWindow()
    await fetch(`${service.url}/nothing`)
    const records = parsed(service.lines)
    assert.deepEqual(
      records.map((record) => record.decision?.code ?? record.type),
      [
        'path_unknown',
        'method_not_allowed',
        'not_authenticated',
        'not_authenticated',
        'refusals',
        'refusals',
        'path_unknown',
      ],
    )
    const counted = service.lines
      .slice(4, 6)
      .map((line) => (JSON.parse(line) as { refusals: object }).refusals)
    assert.deepEqual(
      counted.map((refusals) => ({ ...refusals, from: '', to: '' })),
      [
        { code: 'path_unknown', count: 4, from: '', peer: '127.0.0.1', stage: 'transport', to: '' },
        { code: 'method_not_allowed', count: 2, from: '', peer: '127.0.0.1', stage: 'transport', to: '' },
      ],
    )
  } finally {
    await service.close()
  }
  checkChain(service.chain())
})

test('counts of an open window are written at drain', async () => {
  const service = await start()
  for (let i = 0; i < 3; i++) await fetch(`${service.url}/nothing`)
  await service.close()
  assert.deepEqual(
    parsed(service.lines).map((record) => record.type),
    ['decision', 'refusals'],
  )
})

test('files of live/ that came into force or were refused, and what the rules want recorded', async (t) => {
  const live = mkdtempSync(path.join(os.tmpdir(), 'records-'))
  t.after(() => rmSync(live, { recursive: true }))
  const policy = (text: string) => writeFileSync(path.join(live, 'policy.yaml'), text)
  const rules = (record: string) =>
    `roles: { local: { allow: [{ tool: "*", approval: none, record: ${record} }], deny: [{ module: secrets, record: digest }] } }`
  policy(rules('digest'))
  const service = await start({ config: { live } })
  try {
    const shown = async (args: object = EXECUTE): Promise<string[]> => {
      await callTool(service.url, 'ductape_execute', args)
      const decisions = parsed(service.lines).filter((record) => record.type === 'decision')
      const what = decisions.at(-1)?.what ?? {}
      assert.ok(Object.hasOwn(what, 'argsDigest'))
      return ['shape', 'safe', 'args'].filter((name) => Object.hasOwn(what, name))
    }
    assert.deepEqual(await shown(), [])
    policy(rules('redacted'))
    await service.app.reload()
    assert.deepEqual(await shown(), ['shape', 'safe', 'args'])
    assert.deepEqual(await shown({ ...EXECUTE, module: 'secrets', method: 'list', params: [] }), [])
    const good = createHash('sha256').update(rules('redacted')).digest('hex')
    policy('roles: [')
    await service.app.reload()
    assert.deepEqual(
      service.lines
        .map((line) => JSON.parse(line) as { reload?: object; policyDigest?: string })
        .filter(({ reload }) => reload !== undefined)
        .map(({ reload, policyDigest }) => ({ ...reload, policyDigest })),
      [
        { applied: true, digest: good, file: 'policy.yaml', policyDigest: good },
        {
          applied: false,
          digest: createHash('sha256').update('roles: [').digest('hex'),
          file: 'policy.yaml',
          policyDigest: good,
        },
      ],
    )
  } finally {
    await service.close()
  }
  checkChain(service.chain())
})

test('a result in which a credential was replaced has a digest of what it was before', async () => {
  const service = await start()
  try {
    const digests: unknown[] = []
    for (const value of ['nothing', `the key ${KEY}`]) {
      service.emulator?.faults.next({ kind: 'result', value })
      await callTool(service.url, 'ductape_execute', EXECUTE)
      const outcome: Record<string, unknown> = { ...parsed(service.lines).at(-1)?.outcome }
      const { resultDigest, resultDigestRaw } = outcome
      assert.match(String(resultDigest), /^[\w-]{43}$/)
      digests.push(resultDigestRaw)
    }
    assert.equal(digests[0], undefined)
    assert.match(String(digests[1]), /^[\w-]{43}$/)
    for (const line of service.chain()) assert.ok(!line.includes(KEY))
  } finally {
    await service.close()
  }
})
