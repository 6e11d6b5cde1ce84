// `ductape-mcp audit` and `ductape-mcp receipt` as an auditor runs them: files in, sentences, tables or JSON out, and an exit code.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { auditCommand } from '../../../src/cli/audit.ts'
import { receiptCommand } from '../../../src/cli/receipt.ts'
import { run, temporary } from '../../lib/process.ts'
import { approvalChain, unapproved } from '../lib/approvals.ts'
import { ARGS, ChainBuilder, claimsOf, jwks, RESULT, receiptsOf, SALTS, START } from '../lib/builder.ts'
import { closedChain, goodChain, lossyChain } from '../lib/good.ts'
import { KEY, KEYS, witnessText } from '../lib/vector.ts'
import { command, folder, folders } from './command.ts'

describe('audit verify', () => {
  const chain = closedChain()
  const at = folder({
    'audit.jsonl': chain.text(),
    'cut.jsonl': chain.lines
      .slice(0, 9)
      .map((line) => `${line}\n`)
      .join(''),
    'keys.json': KEYS,
    witness: witnessText(chain),
    empty: '',
  })
  const keys = ['--keys', at('keys.json')]

  test('says what was verified, and counts it', async () => {
    const { code, out } = await command(auditCommand, [
      'verify',
      at('audit.jsonl'),
      ...keys,
      '--witness',
      at('witness'),
    ])
    assert.equal(code, 0)
    assert.match(
      out,
      /^VERIFIED: 14 records in 1 chain and 1 file, complete and unaltered, as the witness has seen them\.\n/,
    )
    assert.match(out, /policy_denied +1\n/)
    assert.match(out, /token_missing +41\n/)
    assert.match(out, /2026-11-21T12 +45\n/)
  })

  test('without a witness it says what that leaves open', async () => {
    const { code, out } = await command(auditCommand, ['verify', at('cut.jsonl'), ...keys])
    assert.equal(code, 0)
    assert.match(out, /complete within the chains given; only a witness shows/)
    assert.match(out, /Note: chain [0-9a-f-]{36}: no signature covers its last 1 record\.\n/)
  })

  test('names file, line, chain, seq and code of the first fault', async () => {
    const bad = folder({ a: chain.text().replace('"allowed":true', '"allowed":false') })
    const { code, out } = await command(auditCommand, ['verify', bad('a'), ...keys])
    assert.equal(code, 1)
    assert.match(
      out,
      /^NOT VERIFIED\n\S+\/a line 3: hash_mismatch: the record is not what its hash says\n2 records/,
    )
    const { code: cut, out: cutOut } = await command(auditCommand, [
      'verify',
      at('cut.jsonl'),
      ...keys,
      '--witness',
      at('witness'),
    ])
    assert.equal(cut, 1)
    assert.match(
      cutOut,
      /^NOT VERIFIED\nchain [0-9a-f-]{36}: witness_truncated: the witness has seen a checkpoint that is not here \(cut off\)/,
    )
  })

  test('reports what is no fault and has to be known', async () => {
    const lossy = lossyChain()
    const files = folder({ lossy: lossy.text(), torn: `${goodChain(2).text()}{"callId":"01` })
    const { code, out } = await command(auditCommand, ['verify', files('lossy'), files('torn'), ...keys])
    assert.equal(code, 0)
    assert.match(out, /: 1 allowed call without an outcome; the effect is unknown\.\n/)
    assert.match(out, /: 2 records lost, as its mode best-effort permits\.\n/)
    assert.match(out, /torn line 13: the last line is cut off\.\n/)
  })

  test('approvals that another replica has recorded are no fault, unless all replicas are given', async () => {
    const chain = approvalChain()
    const files = folder({
      whole: chain.text(),
      ...Object.fromEntries(unapproved().map(({ name, text = '' }) => [name, text])),
    })
    const whole = await command(auditCommand, ['verify', files('whole'), ...keys, '--all-replicas'])
    assert.equal(whole.code, 0, whole.out)
    assert.match(whole.out, /\n1 approval used, each once; 1 given before by somebody else\.\n/)
    const parts = [files('0.jsonl'), files('1.jsonl')]
    const some = await command(auditCommand, ['verify', ...parts, ...keys])
    assert.equal(some.code, 0, some.out)
    assert.match(some.out, /Note: 1 approval used that somebody gave in records that are not here;/)
    const all = await command(auditCommand, ['verify', ...parts, ...keys, '--all-replicas'])
    assert.equal(all.code, 1)
    assert.match(all.out, /^NOT VERIFIED\n\S+0\.jsonl line 3, .*approval_unmatched/)
  })

  test('packed files are the same; one that was cut cannot be read', async () => {
    const packed = gzipSync(chain.text())
    const dir = temporary()
    folders.push(dir)
    writeFileSync(join(dir.path, 'audit.jsonl.gz'), packed)
    writeFileSync(join(dir.path, 'cut.jsonl.gz'), packed.subarray(0, -20))
    const whole = await command(auditCommand, ['verify', join(dir.path, 'audit.jsonl.gz'), ...keys])
    assert.equal(whole.code, 0, whole.out)
    assert.match(whole.out, /^VERIFIED: 14 records/)
    const cut = await command(auditCommand, ['verify', join(dir.path, 'cut.jsonl.gz'), ...keys])
    assert.deepEqual(
      [cut.code, /cut\.jsonl\.gz cannot be read \(Z_BUF_ERROR\)/.test(cut.err)],
      [2, true],
      cut.err,
    )
  })

  test('--json is the whole report', async () => {
    const { code, out } = await command(auditCommand, ['verify', at('audit.jsonl'), ...keys, '--json'])
    const report = JSON.parse(out)
    assert.equal(code, 0)
    assert.deepEqual([report.ok, report.chains[0].closed, report.population.types.decision], [true, true, 4])
    const bad = await command(auditCommand, [
      'verify',
      at('audit.jsonl'),
      '--keys',
      folder({ k: jwks() })('k'),
      '--json',
    ])
    assert.deepEqual([bad.code, JSON.parse(bad.out).finding.code], [1, 'key_unknown'])
  })

  test('a folder is its files, and a state is gone on from', async () => {
    const inside = folder({
      '1.jsonl': chain.lines
        .slice(0, 6)
        .map((line) => `${line}\n`)
        .join(''),
      '2.jsonl': chain.lines
        .slice(6)
        .map((line) => `${line}\n`)
        .join(''),
    })
    mkdirSync(inside('sub'))
    const state = at('state.json')
    const argv = ['verify', inside('.'), ...keys, '--state', state]
    const first = await command(auditCommand, argv)
    assert.equal(first.code, 0)
    assert.match(first.out, /^VERIFIED: 14 records in 1 chain and 2 files/)
    assert.deepEqual(await command(auditCommand, argv), first)
    writeFileSync(inside('2.jsonl'), readFileSync(inside('2.jsonl'), 'utf8').slice(0, -1))
    const changed = await command(auditCommand, argv)
    assert.equal(changed.code, 2)
    assert.match(
      changed.err,
      /^--state: \S+2\.jsonl has changed since it was verified; remove the state to begin anew\.\n$/,
    )
  })

  test('shows progress to a terminal only', async () => {
    let time = START
    const ports = { now: () => (time += 1000), isTerminal: true }
    const { err } = await command(auditCommand, ['verify', at('audit.jsonl'), ...keys], ports)
    assert.match(err, /\r1 MB read \(100 %\)/)
    assert.equal((await command(auditCommand, ['verify', at('audit.jsonl'), ...keys])).err, '')
  })

  for (const [what, argv, message] of [
    ['no keys', ['verify', at('audit.jsonl')], /--keys is missing/],
    ['no file', ['verify', ...keys], /Name the files/],
    ['a file that is not there', ['verify', at('nothing'), ...keys], /nothing cannot be read \(ENOENT\)/],
    ['keys that are none', ['verify', at('audit.jsonl'), '--keys', at('audit.jsonl')], /is no JWK Set/],
    [
      'a private key',
      ['verify', at('audit.jsonl'), '--keys', folder({ k: '-----BEGIN PRIVATE KEY-----' })('k')],
      /holds a private key/,
    ],
    ['a time that is none', ['verify', at('audit.jsonl'), ...keys, '--from', 'May'], /--from is no time/],
    ['files without a record', ['verify', at('empty'), ...keys], /^There are no records in these files\.\n$/],
    ['another word', ['check'], /Say verify or query/],
  ] as const)
    test(`${what}: exit 2`, async () => {
      const { code, err } = await command(auditCommand, argv)
      assert.equal(code, 2)
      assert.match(err, message)
    })

  test('text of the records cannot move the cursor or turn the reading direction', async () => {
    const hostile = new ChainBuilder()
    const callId = hostile.callId()
    hostile.decision(
      callId,
      { allowed: false, code: '\u001b[2J\u202ecode', stage: 'policy' },
      { tool: 'a\u009bb\u2066' },
    )
    hostile.checkpoint()
    const files = folder({ a: hostile.text(), b: hostile.text().replace('"seq":2', '"seq":3') })
    for (const argv of [
      ['verify', files('a'), ...keys],
      ['verify', files('b'), ...keys],
      ['verify', files('a'), ...keys, '--json'],
      ['query', files('a')],
      ['query', files('a'), '--json'],
    ]) {
      const { out } = await command(auditCommand, argv)
      assert.ok(out.length > 100)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not come out
      assert.doesNotMatch(out, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/)
    }
    assert.match((await command(auditCommand, ['query', files('a')])).out, /refused \\u001b\[2J\\u202ecode/)
  })
})

describe('receipt verify', () => {
  const chain = new ChainBuilder()
  const call = chain.call()
  const [receipt] = receiptsOf([claimsOf(chain, call)], KEY, Math.floor(chain.time / 1000))
  const answer = (content: unknown) => ({
    id: 1,
    jsonrpc: '2.0',
    result: { _meta: { 'app.ductape/receipt': receipt, 'app.ductape/receipt-salts': SALTS }, content },
  })
  const at = folder({
    'receipt.json': JSON.stringify({ receipt, salts: SALTS }, null, 2),
    'answer.json': JSON.stringify(answer([{ type: 'text', text: '[]' }])),
    'changed.json': JSON.stringify(answer([{ type: 'text', text: '[1]' }])),
    'args.json': JSON.stringify({ publishable_key: 'dpk_0123456789ab', ...JSON.parse(ARGS) }),
    'result.json': RESULT,
    'records.jsonl': chain.text(),
    'other.jsonl': closedChain(4).text(),
    'keys.json': KEYS,
    'boot.json': KEYS.replaceAll('"crv"', '"ductape-origin":"boot","crv"'),
    'none.json': '{}',
  })
  const keys = ['--keys', at('keys.json')]

  test('says what was compared and what it claims', async () => {
    const { code, out } = await command(receiptCommand, [
      'verify',
      at('receipt.json'),
      ...keys,
      '--args',
      at('args.json'),
      '--result',
      at('result.json'),
      '--record',
      at('records.jsonl'),
    ])
    assert.equal(code, 0)
    assert.match(
      out,
      /^VERIFIED \(signature and path, arguments, result, record\), signed at 2026-11-21T12:00:00\.000Z\n/,
    )
    assert.match(out, new RegExp(`jti +${call.callId}\n`))
  })

  test('of a key that was made at the start it says self-asserted, and only where that is asked for', async () => {
    const boot = ['verify', at('receipt.json'), '--keys', at('boot.json')]
    assert.match((await command(receiptCommand, boot)).out, /^NOT VERIFIED\nself_asserted/)
    const { code, out } = await command(receiptCommand, [...boot, '--self-asserted'])
    assert.deepEqual([code, out.slice(0, 16)], [0, 'SELF-ASSERTED (s'])
  })

  test('an answer of MCP has its result with it', async () => {
    const good = await command(receiptCommand, ['verify', at('answer.json'), ...keys, '--json'])
    assert.deepEqual([good.code, JSON.parse(good.out).checked], [0, ['signature and path', 'result']])
    const bad = await command(receiptCommand, ['verify', at('changed.json'), ...keys])
    assert.deepEqual(
      [bad.code, bad.out],
      [1, 'NOT VERIFIED\ndigest_mismatch: what was disclosed does not give the digest (result)\n'],
    )
  })

  test('names what is wrong', async () => {
    const bad = await command(receiptCommand, [
      'verify',
      at('receipt.json'),
      ...keys,
      '--record',
      at('other.jsonl'),
    ])
    assert.equal(bad.code, 1)
    assert.match(bad.out, /receipt_mismatch: .*\(no record in the file has the hash that it names\)/)
    const foreign = await command(receiptCommand, [
      'verify',
      at('receipt.json'),
      '--keys',
      folder({ k: jwks() })('k'),
    ])
    assert.match(foreign.out, /key_unknown/)
    const none = await command(receiptCommand, ['verify', at('none.json'), ...keys])
    assert.deepEqual([none.code, none.err], [2, `${at('none.json')} holds no receipt.\n`])
  })

  test('one public key in PEM is a key set too', async () => {
    const { createPublicKey } = await import('node:crypto')
    const pem = createPublicKey(KEY.privateKey).export({ format: 'pem', type: 'spki' }) as string
    const { code } = await command(receiptCommand, [
      'verify',
      at('receipt.json'),
      '--keys',
      folder({ pem })('pem'),
    ])
    assert.equal(code, 0)
  })
})

test('the program has both commands, with help and exit codes', async () => {
  const at = folder({ a: closedChain().text(), k: KEYS })
  const good = await run(['audit', 'verify', at('a'), '--keys', at('k')])
  assert.equal(good.code, 0, good.stderr)
  for (const name of ['audit', 'receipt']) {
    const help = await run([name, '--help'])
    assert.deepEqual([help.code, help.stdout.startsWith(`ductape-mcp ${name} verify FILE`)], [0, true])
  }
})

test('records may come through a pipe', async () => {
  const at = folder({ k: KEYS })
  const text = closedChain().text()
  const good = await run(['audit', 'verify', '-', '--keys', at('k')], { input: text })
  assert.equal(good.code, 0, good.stderr)
  const bad = await run(['audit', 'verify', '-', '--keys', at('k')], {
    input: text.replace('reader', 'writer'),
  })
  assert.equal(bad.code, 1)
  assert.match(bad.stdout, /^NOT VERIFIED\nstandard input line 3: hash_mismatch/)
})
