// The evidence bundle: what it says, that it is the same each time and holds no contents of calls, and that its manifest shows every change.
import assert from 'node:assert/strict'
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { CRITERIA } from '../../src/audit/criteria.ts'
import { evidenceCommand } from '../../src/cli/evidence.ts'
import { UsageError } from '../../src/cli/io.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { temporary } from '../lib/process.ts'
import { approvalChain, ID } from './lib/approvals.ts'
import { ChainBuilder } from './lib/builder.ts'
import { closedChain, goodChain } from './lib/good.ts'
import { KEYS, NEXT_KEY, witnessText } from './lib/vector.ts'

const folder = temporary()
after(() => folder.remove())

const PERIOD = ['--from', '2026-11-21', '--to', '2026-11-22']
const SECRET = 'planted-secret-value'

const withArgs = new ChainBuilder({ number: 3 })
const id = withArgs.callId()
withArgs.decision(
  id,
  { allowed: true },
  { args: { note: SECRET }, safe: { product: SECRET }, shape: { [SECRET]: 'string' } },
)
withArgs.outcome(id)
withArgs.rotate(NEXT_KEY)
withArgs.close()

const chains = [closedChain(1), goodChain(2), withArgs]
const records = chains.map(({ lines }, i) =>
  folder.file(`audit-${i}.jsonl`, lines.map((line) => `${line}\n`).join('')),
)
const keys = folder.file('keys.json', KEYS)
const policy = folder.file(
  'policy.yaml',
  'version: 1\nroles:\n  reader: { allow: [{ effect: [read] }] }\n  idle: { allow: [{ effect: [read] }] }\n',
)
const apiKeys = folder.file(
  'api-keys.yaml',
  `version: 1
keys:
  - id: desk
    sha256: ${'a'.repeat(64)}
    owner: alice@example.com
    purpose: tickets
    roles: [reader]
    expiresAt: 2027-01-01T00:00:00Z
`,
)
const { privateKey } = generateKeyPairSync('ed25519')
const signKey = folder.file('sign.pem', privateKey.export({ format: 'pem', type: 'pkcs8' }) as string)
const signedBy = folder.file(
  'sign.pub',
  createPublicKey(privateKey).export({ format: 'pem', type: 'spki' }) as string,
)

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = ''
  let err = ''
  const code = await evidenceCommand(argv, {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    env: {},
    readFile: (path) => readFileSync(path, 'utf8'),
  })
  return { code, out, err }
}

let made = 0
const newFolder = (): string => join(folder.path, `bundle-${made++}`)
const bundle = async (...more: string[]) => {
  const out = newFolder()
  const ran = await run(...PERIOD, '--out', out, '--keys', keys, ...more)
  return { ...ran, out }
}
const full = (files = records) =>
  bundle(...files, '--policy', policy, '--api-keys', apiKeys, '--sign-key', signKey)
const read = (out: string, name: string): JsonObject =>
  JSON.parse(readFileSync(join(out, name), 'utf8')) as JsonObject
const digests = (out: string): [string, string][] =>
  readdirSync(out)
    .sort()
    .map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(out, name)))
        .digest('hex'),
    ])

describe('the evidence bundle', () => {
  it('is the same for the same inputs, in whatever order they are named', async () => {
    const first = await full()
    assert.equal(first.code, 0, first.err)
    const again = await full([...records].reverse())
    assert.deepEqual(digests(again.out), digests(first.out))
    assert.equal(digests(first.out).length, 9)
  })

  it('says who used what with which role, and which roles and keys nobody used', async () => {
    const { out } = await full()
    const review = read(out, 'access-review.json')
    const uses = review['uses'] as JsonObject[]
    assert.ok(uses.length > 0)
    for (const use of uses) {
      assert.equal(typeof use['principal'], 'string')
      assert.ok(Number(use['allowed']) + Number(use['refused']) > 0)
      assert.match(String(use['lastUse']), /^2026-11-21T12:/)
    }
    const roles = review['roles'] as JsonObject[]
    assert.deepEqual(
      roles.map(({ role }) => role),
      ['idle', 'reader'],
    )
    assert.equal(roles[0]?.['used'], false)
    const [key] = review['apiKeys'] as JsonObject[]
    assert.deepEqual([key?.['id'], key?.['owner'], key?.['lastUse']], ['desk', 'alice@example.com', null])
    assert.ok(!JSON.stringify(review).includes('a'.repeat(64)))
  })

  it('counts what is in the period, and only that', async () => {
    const { out } = await full()
    const { decisions, types } = read(out, 'population.json') as { decisions: JsonObject; types: JsonObject }
    assert.deepEqual(decisions, { allowed: 7, policy_denied: 2, token_missing: 82 })
    assert.equal(types['decision'], 9)
    const later = newFolder()
    const argv = ['--from', '2026-11-22', '--to', '2026-11-23', '--out', later, '--keys', keys, ...records]
    assert.equal((await run(...argv)).code, 0)
    assert.equal(read(later, 'population.json')['records'], 0)
    assert.deepEqual(read(later, 'access-review.json')['uses'], [])
    // The chains are verified whatever the period is.
    assert.equal((read(later, 'verification.json')['chains'] as unknown[]).length, 3)
  })

  it('shows changes of policy and keys', async () => {
    const { out } = await full()
    const { changes, policyFile } = read(out, 'changes.json') as {
      changes: JsonObject[]
      policyFile: JsonObject
    }
    assert.deepEqual([...new Set(changes.map(({ what }) => what))].sort(), ['open', 'reload'])
    assert.equal(policyFile['inForce'], false)
    const listed = read(out, 'keys.json')['keys'] as JsonObject[]
    assert.deepEqual(
      listed.map(({ origin }) => origin),
      ['file', 'file'],
    )
    assert.equal(listed.filter(({ replaced }) => replaced !== undefined).length, 1)
  })

  it('lists approvals: who asked, who decided and how soon, which call used it; and who switched what off', async () => {
    const chain = approvalChain(4)
    const { code, err, out } = await bundle(folder.file('approvals.jsonl', chain.text()), '--all-replicas')
    assert.equal(code, 0, err)
    const { approvals, notified, omitted } = read(out, 'approvals.json') as {
      approvals: JsonObject[]
    } & JsonObject
    assert.deepEqual([approvals.length, notified, omitted], [2, 0, 0])
    const [given, denied] = approvals as [JsonObject, JsonObject]
    assert.deepEqual(
      [given['id'], given['requester'], given['tenant'], given['module'], given['method'], given['asks']],
      [ID, 'oauth:https://login.example#agent-7', 'acme', 'databases', 'insert', 2],
    )
    assert.deepEqual(
      (given['decisions'] as JsonObject[]).map(({ by, code, decision, status }) => [
        by,
        decision,
        status,
        code,
      ]),
      [
        ['people:https://login.example#bob', 'approved', 'executed', undefined],
        ['people:https://login.example#eve', 'approved', 'failed', 'approval_decided'],
      ],
    )
    assert.ok(Math.abs(Number(given['secondsToDecision']) - 60) < 1)
    assert.deepEqual(
      (given['used'] as JsonObject[]).map(({ status }) => status),
      ['executed'],
    )
    assert.deepEqual([(denied['decisions'] as JsonObject[])[0]?.['decision'], denied['used']], ['denied', []])
    assert.deepEqual(read(out, 'verification.json')['approvals'], { used: 1, notShown: 0 })
    const { changes } = read(out, 'changes.json') as { changes: JsonObject[] }
    const { by, status, target, what } = changes.at(-1) as JsonObject
    const bob = 'people:https://login.example#bob'
    assert.deepEqual([what, target, by, status], ['kill', 'module databases', bob, 'executed'])
  })

  it('holds no contents of calls', async () => {
    const { out } = await full()
    assert.ok(readFileSync(records[2] as string, 'utf8').includes(SECRET))
    for (const name of readdirSync(out))
      assert.ok(!readFileSync(join(out, name), 'utf8').includes(SECRET), name)
  })

  it('names the fault of records that do not verify, and ends with 1', async () => {
    const [lines = ''] = records.map((path) => readFileSync(path, 'utf8'))
    const cut = folder.file('cut.jsonl', lines.split('\n').toSpliced(3, 1).join('\n'))
    const { code, err, out } = await bundle(cut)
    assert.equal(code, 1)
    assert.match(err, /seq_gap.*line 4/)
    const { finding, verdict } = read(out, 'verification.json') as { finding: JsonObject; verdict: string }
    assert.deepEqual([finding['code'], finding['line']], ['seq_gap', 4])
    assert.match(verdict, /not verified/)
  })

  it('is complete only where a witness says so', async () => {
    const witness = folder.file('witness.txt', witnessText(...chains))
    const { out } = await bundle(...records, '--witness', witness)
    assert.equal(read(out, 'verification.json')['verdict'], 'complete')
    const without = await bundle(...records)
    assert.equal(read(without.out, 'verification.json')['verdict'], 'complete within the chains given')
    const missing = await bundle(...records.slice(0, 2), '--witness', witness)
    assert.equal(missing.code, 1)
  })

  it('shows every change of a file, the manifest and the signature', async () => {
    const check = (out: string, by = signedBy) => run('--check', out, '--keys', by)
    const { out } = await full()
    const good = await check(out)
    assert.equal(good.code, 0, good.err)
    assert.match(good.out, /signed by/)
    // A signature under a key that is not given is none.
    assert.equal((await check(out, keys)).code, 1)
    for (const name of readdirSync(out)) {
      const path = join(out, name)
      const before = readFileSync(path, 'utf8')
      const at = before.length >> 1
      writeFileSync(path, `${before.slice(0, at)}${before[at] === 'A' ? 'B' : 'A'}${before.slice(at + 1)}`)
      let code: number
      try {
        code = (await check(out)).code
      } catch (error) {
        // A manifest that is no JSON any more.
        assert.ok(error instanceof UsageError && name === 'manifest.json')
        code = 2
      }
      assert.notEqual(code, 0, name)
      writeFileSync(path, before)
    }
    writeFileSync(join(out, 'more.json'), '{}')
    assert.equal((await check(out)).code, 1)
  })

  it('names only files that there are, for every criterion', async () => {
    const { out } = await full()
    const there = readdirSync(out)
    for (const { files, id: criterion } of CRITERIA)
      for (const file of files) assert.ok(there.includes(file), `${criterion}: ${file}`)
    assert.deepEqual(read(out, 'criteria.json')['criteria'], CRITERIA)
  })

  it('says what is wrong with its options', async () => {
    const refused = async (argv: string[], message: RegExp) =>
      assert.rejects(run(...argv), (error) => error instanceof UsageError && message.test(error.message))
    await refused([], /--keys is missing/)
    await refused(['--keys', keys], /--out DIR/)
    await refused(['--keys', keys, '--out', newFolder(), ...records], /--from and --to/)
    const swapped = ['--from', '2026-11-22', '--to', '2026-11-21']
    await refused([...swapped, '--keys', keys, '--out', newFolder(), ...records], /not after/)
    await refused([...PERIOD, '--keys', policy, '--out', newFolder(), ...records], /no JWK Set/)
    await refused([...PERIOD, '--keys', keys, '--out', folder.path, ...records], /not empty/)
    await refused(
      [...PERIOD, '--keys', keys, '--out', newFolder(), join(folder.path, 'none')],
      /none cannot be read \(ENOENT\)/,
    )
    await refused(
      [...PERIOD, '--keys', keys, '--out', newFolder(), ...records, '--sign-key', keys],
      /no Ed25519 private key/,
    )
  })
})
