// The policy file: what is refused, where and in which words; what compiles only with the time; the examples; patterns are linear.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { policySchema } from '../../src/admission/policy/config.ts'
import { compilePolicy, lintPolicy } from '../../src/admission/policy/index.ts'
import { compilePatterns, coversPatterns, matchesPattern } from '../../src/admission/policy/pattern.ts'
import { listOperations } from '../../src/catalogue/operations.ts'
import { loadLiveParser } from '../../src/config/index.ts'
import { DIGEST, NOW, policyOf } from './lib/policy.ts'

const parseLive = await loadLiveParser()

function problems(text: string): string[] {
  const parsed = parseLive('policy.yaml', text, 'policy.yaml')
  if (parsed.ok) return []
  return parsed.problems
    .toSorted((one, other) => one.line - other.line)
    .map(({ line, path, message }) => `${line} ${path} ${message}`)
}

describe('the file', () => {
  it('an empty one is a policy that allows nothing', () => {
    assert.deepEqual(problems(''), [])
    assert.deepEqual(policyOf({}).roles, [])
  })

  it('every problem at once, each with its line', () => {
    assert.deepEqual(
      problems(`version: 1
rols: {}
roles:
  reader:
    allow:
      - modul: x
      - {}
      - { tool: 3 }
      - { effect: reed }
      - { when: "foo(" }
      - { when: "1 + 1" }
      - { path: "a/../b" }
      - { path: "reports/*" }
      - { tool: x, approval: maybe }
      - { name: twice, tool: x }
    deny:
      - { tool: x, approval: confirm }
      - { name: "a/b", tool: x }
`).map((line) => line.replace(/(condition: ).*/, '$1...')),
      [
        '2 rols is not a known key',
        '6 roles.reader.allow[0].modul is not a known key',
        '6 roles.reader.allow[0] names nothing, so it would hold for every call',
        '7 roles.reader.allow[1] names nothing, so it would hold for every call',
        '8 roles.reader.allow[2].tool must be a tool pattern or a list of them, not the number 3',
        '9 roles.reader.allow[3].effect must be an effect or a list of them, not this text',
        '10 roles.reader.allow[4].when is not a valid condition: ...',
        '11 roles.reader.allow[5].when is not a valid condition: ...',
        '12 roles.reader.allow[6].path must be a path prefix or a list of them, not this text',
        '13 roles.reader.allow[7].path must be a path prefix or a list of them, not this text',
        '14 roles.reader.allow[8].approval must be one of none, notify, confirm, block, not this text',
        '17 roles.reader.deny[0].approval is not a known key',
        '18 roles.reader.deny[1].name must be a rule name, not this text',
      ],
    )
  })

  it('names that stand twice', () => {
    assert.deepEqual(
      problems(`roles:
  a: { allow: [{ name: n, tool: x }], deny: [{ name: n, tool: y }] }
policies:
  - role: a
  - role: b
  - role: b
dangerous_tools:
  - name: x
  - name: x
`),
      [
        '2 roles.a.deny[0].name is the name of another rule',
        '4 policies[0].role names a role that stands above',
        '6 policies[2].role names a role that stands above',
        '9 dangerous_tools[1].name stands twice',
      ],
    )
  })

  it('observe has an end, and only observe', () => {
    assert.deepEqual(problems('mode: observe'), ['1 mode observe needs an end'])
    assert.deepEqual(problems('until: 2026-12-01'), ['1 until says nothing without mode: observe'])
    for (const until of ['tomorrow', '2026-13-01', '2026-02-30', '5', ''])
      assert.equal(problems(`mode: observe\nuntil: "${until}"`).length, 1, until)
    for (const until of ['2026-12-01', '2026-12-01T08:00:00Z', '2026-12-01T08:00:00+02:00'])
      assert.deepEqual(problems(`mode: observe\nuntil: ${until}`), [], until)
  })

  it('role names and patterns that cannot be seen for what they are', () => {
    assert.equal(problems('roles: { " x": {} }').length, 1)
    assert.equal(problems('roles: { "": {} }').length, 1)
    assert.equal(problems(`roles: { "a\u202eb": {} }`).length, 1)
    assert.equal(problems('roles: { r: { allow: [{ tool: "a\\u200bb" }] } }').length, 1)
    assert.deepEqual(problems('roles: { constructor: { allow: [{ tool: x }] }, "team:α": {} }'), [])
  })

  it('a role named like a member of every object is a role like any other', () => {
    const policy = policyOf('roles: { constructor: { allow: [{ tool: x }] } }')
    assert.deepEqual(policy.roles, ['constructor'])
    assert.deepEqual(policyOf({}).roles, [])
  })
})

describe('compile', () => {
  const compile = (until: string) =>
    compilePolicy(policySchema.parse({ mode: 'observe', until }), {
      digest: DIGEST,
      now: () => NOW,
      operations: [],
    })
  const iso = (days: number): string => new Date(NOW + days * 86_400_000).toISOString()

  it('observe lasts 30 days at most', () => {
    assert.equal(compile(iso(30)).ok, true)
    const later = compile(iso(30.001))
    assert.deepEqual(later.ok ? [] : later.problems.map(({ path }) => path), ['until'])
  })

  it('an end that is near or has passed is a warning, so that a restart still finds a policy', () => {
    const warnings = (days: number): string[] => {
      const compiled = compile(iso(days))
      return compiled.ok ? compiled.warnings.map(({ message }) => message) : ['refused']
    }
    assert.deepEqual(warnings(4), [])
    assert.match(warnings(2)[0] ?? '', /less than 3 days/)
    assert.match(warnings(-1)[0] ?? '', /has passed/)
  })

  it('hands out the credential ids that rules name', () => {
    const policy = policyOf(
      'roles: { r: { allow: [{ credentialId: [k1.a, k1.b] }], deny: [{ credentialId: k1.b }] } }',
    )
    assert.deepEqual(policy.credentialIds, ['k1.a', 'k1.b'])
    assert.ok(Object.isFrozen(policy))
  })
})

describe('examples/policy', () => {
  const folder = new URL('../../examples/policy/', import.meta.url)
  for (const name of readdirSync(folder)) {
    it(`${name} holds, without a warning`, () => {
      const parsed = parseLive('policy.yaml', readFileSync(new URL(name, folder), 'utf8'), name)
      assert.ok(parsed.ok, JSON.stringify(parsed))
      const operations = listOperations(false)
      const compiled = compilePolicy(parsed.value, { digest: DIGEST, now: () => NOW, operations })
      assert.ok(compiled.ok)
      assert.deepEqual([...compiled.warnings, ...lintPolicy(compiled.policy, { operations })], [])
    })
  }
})

describe('docs/operate/policy.md', () => {
  const text = readFileSync(new URL('../../docs/operate/policy.md', import.meta.url), 'utf8')
  const samples = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, sample]) => sample ?? '')
  it('every sample holds', () => {
    assert.equal(samples.length, 3)
    for (const sample of samples) {
      assert.deepEqual(problems(sample), [])
      const policy = policyOf(sample)
      assert.deepEqual(lintPolicy(policy, { operations: listOperations(false) }), [])
    }
  })
})

describe('patterns', () => {
  const matches = (pattern: string, text: string): boolean => matchesPattern(compilePatterns(pattern), text)

  it('a star is any run of characters, everything else is itself', () => {
    const rows: [string, string, boolean][] = [
      ['*', '', true],
      ['*', 'a\nb', true],
      ['a*', 'a', true],
      ['a*a', 'a', false],
      ['a*a', 'aa', true],
      ['ab*ba', 'aba', false],
      ['*a*b*', 'xxaxxbxx', true],
      ['*a*b*', 'xxbxxaxx', false],
      ['a**b', 'ab', true],
      ['a*b*c', 'abbc', true],
      ['a*bc*c', 'abc', false],
      ['*aa*aa*', 'aaa', false],
      ['.*', 'x', false],
      ['[ab]', 'a', false],
      ['a?', 'ab', false],
      ['(a+)+$', 'aaaa', false],
    ]
    for (const [pattern, text, expected] of rows)
      assert.equal(matches(pattern, text), expected, `${pattern} ${text}`)
  })

  it('has no text that makes it step back: catastrophic patterns of other engines end at once', () => {
    // A matcher that steps back would need 2^100 steps here.
    const pattern = `${'*a'.repeat(100)}*b`
    assert.equal(matches(pattern, 'a'.repeat(100_000)), false)
    assert.equal(matches(pattern, `${'a'.repeat(100_000)}b`), true)
  })

  it('covers: what the inner pattern matches the outer one does', () => {
    const covers = (outer: string, inner: string): boolean =>
      coversPatterns(compilePatterns(outer), compilePatterns(inner))
    const rows: [string, string, boolean][] = [
      ['*', 'a*', true],
      ['a*', '*', false],
      ['a*', 'ab*', true],
      ['a*b', 'axb', true],
      ['a*b', 'a*xb', true],
      ['a*b', 'a*', false],
      ['a', 'a', true],
      ['a', 'a*', false],
    ]
    for (const [outer, inner, expected] of rows)
      assert.equal(covers(outer, inner), expected, `${outer} ${inner}`)
  })
})
