// What live/scan.yaml says: its defaults, modes of effects and single rules, rules of the operator, and what is wrong with it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileScan, DEFAULTS } from '../../src/response/scan/compile.ts'
import { type ScanFile, scanSchema } from '../../src/response/scan/config.ts'
import { loadPatternEngine } from '../../src/response/scan/index.ts'
import { idsIn, lookAt, planOf, rulesFor } from './lib/look.ts'
import { SECRET } from './lib/scenarios.ts'

await loadPatternEngine()
const faultsOf = (file: unknown): readonly { path: string; message: string }[] => {
  const compiled = compileScan(scanSchema.parse(file) as ScanFile)
  return compiled.ok ? [] : compiled.faults
}

test('what holds without the file is what an empty file says', () => {
  assert.deepEqual(scanSchema.parse({}), DEFAULTS)
})

test('modes by effect; what is left out has the default, and an unknown effect the most severe', async () => {
  const rules = await rulesFor({ secret: { read: 'flag', admin: 'block' }, personal: 'off' })
  const action = (effect: Parameters<typeof rules.plan>[0]): string | undefined => {
    const plan = rules.plan(effect)
    return (
      plan &&
      lookAt(plan, `${SECRET} 4111111111111111`)
        .map((one) => one.action)
        .join()
    )
  }
  assert.deepEqual((['read', 'write', 'destructive', 'admin', undefined] as const).map(action), [
    'flag',
    'redact',
    'redact',
    'block',
    'block',
  ])
})

test('all off is no look at all', async () => {
  const off = Object.fromEntries(
    ['secret', 'personal', 'invisible', 'ansi', 'instruction', 'link'].map((name) => [name, 'off']),
  )
  assert.equal((await rulesFor(off)).plan('read'), undefined)
})

test('a rule has its own mode', async () => {
  const plan = planOf(await rulesFor({ rules: { 'github-token': 'off', email: 'redact' } }))
  assert.deepEqual(idsIn(plan, `${SECRET} jane@shop.example`), ['email'])
})

test('hosts that are allowed', async () => {
  const link = (host: string): string => `[x](https://${host}/?q={{data}})`
  const plan = planOf(await rulesFor({ links: { allow: ['docs.example.com', '*.example.org'] } }))
  const found = (host: string): number => idsIn(plan, link(host)).length
  assert.deepEqual(
    ['docs.example.com', 'a.example.org', 'example.org', 'evil.example', 'docs.example.com.evil.example'].map(
      found,
    ),
    [0, 0, 1, 1, 1],
  )
})

test('rules of the operator: found around their keywords, with any text in linear time', async () => {
  const plan = planOf(
    await rulesFor({
      patterns: [
        { id: 'acme-token', keywords: ['acme'], pattern: '[a-z]{2}-acme-[0-9]{6}' },
        { id: 'slow', keywords: ['aaa'], pattern: '(a|aa)+$b' },
      ],
    }),
  )
  const text = `${'x'.repeat(3000)} eu-acme-123456 ${'y'.repeat(3000)} us-acme-654321 acme`
  assert.deepEqual(
    lookAt(plan, text).map(({ from, to }) => text.slice(from, to)),
    ['eu-acme-123456', 'us-acme-654321'],
  )
  assert.deepEqual(lookAt(plan, 'a'.repeat(50_000)), [])
})

test('what is wrong with the file is said with its place', () => {
  const pattern = (source: string, id = 'own') => ({
    patterns: [{ id, keywords: ['abc'], pattern: source }],
  })
  const messages = (file: unknown): string[] =>
    faultsOf(file).map(({ path, message }) => `${path} ${message}`)
  assert.deepEqual(messages({ rules: { 'no-such-rule': 'off' } }), [
    'rules["no-such-rule"] is no rule of this service or of this file',
  ])
  assert.match(messages(pattern('(?=x)y')).join(), /^patterns\[0\]\.pattern is no regular expression of RE2/)
  assert.match(messages(pattern('((a{100}){10})')).join(), /^patterns\[0\]\.pattern is too large/)
  assert.match(messages(pattern('a*')).join(), /^patterns\[0\]\.pattern matches the empty text/)
  assert.match(messages(pattern('abc', 'jwt')).join(), /^patterns\[0\]\.id is the id of another rule/)
  assert.deepEqual(messages(pattern('abc')), [])
})
