// Patterns of certificate names and the config section that holds them: what a star stands for, and which rows are refused with their place.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { mtlsSection } from '../../../src/identity/mtls/config.ts'
import { compilePattern, matchesPattern, parseSpiffeId } from '../../../src/identity/mtls/names.ts'

function matches(kind: 'uri' | 'dns', pattern: string, name: string): boolean {
  const compiled = compilePattern(kind, pattern)
  assert.ok(typeof compiled === 'object', String(compiled))
  return matchesPattern(compiled, name)
}

describe('a pattern', () => {
  const rows: readonly ['uri' | 'dns', string, string, boolean][] = [
    ['uri', 'spiffe://td/ns/agents/sa/*', 'spiffe://td/ns/agents/sa/a', true],
    ['uri', 'spiffe://td/ns/agents/sa/*', 'spiffe://td/ns/agents/sa/', false],
    ['uri', 'spiffe://td/ns/agents/sa/*', 'spiffe://td/ns/agents/sa', false],
    ['uri', 'spiffe://td/ns/agents/sa/*', 'spiffe://td/ns/agents/sa/a/b', false],
    ['uri', 'spiffe://td/ns/*/sa/*', 'spiffe://td/ns/x/sa/y', true],
    ['uri', 'spiffe://td/ns/*/sa/*', 'spiffe://td/ns/x/y/sa/z', false],
    ['uri', 'spiffe://td/ns/a-*-z/sa', 'spiffe://td/ns/a-m-z/sa', true],
    ['uri', 'spiffe://td/ns/a-*-z/sa', 'spiffe://td/ns/a--z/sa', false],
    ['uri', 'spiffe://td/ns/a*a/x', 'spiffe://td/ns/a/x', false],
    ['uri', 'spiffe://td/a', 'spiffe://td/a', true],
    ['uri', 'spiffe://td/a', 'spiffe://td/A', false],
    ['uri', 'urn:example:agent', 'urn:example:agent', true],
    ['dns', 'agent-*.example.com', 'agent-1.example.com', true],
    ['dns', 'agent-*.example.com', 'agent-.example.com', false],
    ['dns', 'agent-*.example.com', 'agent-1.2.example.com', false],
    ['dns', 'agent-*.example.com', 'agent-1.example.com.evil', false],
    ['dns', 'agent-*.example.com', 'agent-1xexample.com', false],
  ]
  for (const [kind, pattern, name, expected] of rows)
    it(`${pattern} ${expected ? 'is' : 'is not'} ${name}`, () =>
      assert.equal(matches(kind, pattern, name), expected))

  const bad: readonly ['uri' | 'dns', string, string][] = [
    ['uri', 'spiffe://td/**', 'two stars in one segment'],
    ['uri', 'spiffe://*/a', 'star before the path'],
    ['uri', 'spiffe://*.td/a', 'star before the path'],
    ['uri', '*://td/a', 'star before the path'],
    ['uri', '*', 'star before the path'],
    ['uri', 'urn:example:*', 'star before the path'],
    ['uri', 'agents', 'not a name'],
    ['uri', 'https://x/a b', 'not a name'],
    ['uri', 'spiffe://td', 'not a SPIFFE ID of a workload'],
    ['uri', 'spiffe://TD/a', 'not a SPIFFE ID of a workload'],
    ['uri', 'spiffe://td/a/../b', 'not a SPIFFE ID of a workload'],
    ['dns', 'Agent.example.com', 'not a name'],
    ['dns', '.example.com', 'not a name'],
    ['dns', '', 'not a name'],
  ]
  for (const [kind, pattern, fault] of bad)
    it(`${JSON.stringify(pattern)} is refused`, () => assert.equal(compilePattern(kind, pattern), fault))

  const seed = Number(process.env['SEED'] ?? 20262)
  it(`agrees with the same pattern as a regular expression (seed ${seed})`, () => {
    const part = fc.string({ unit: fc.constantFrom('a', 'b', '-', '*'), minLength: 1, maxLength: 4 })
    const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
    let compared = 0
    fc.assert(
      fc.property(path, path, (pattern, sample) => {
        const compiled = compilePattern('uri', `https://td/${pattern}`)
        if (typeof compiled === 'string') return
        compared++
        const name = `https://td/${sample.replaceAll('*', 'ab')}`
        const expected = new RegExp(`^https://td/${pattern.replaceAll('*', '[^/]+')}$`).test(name)
        assert.equal(matchesPattern(compiled, name), expected)
        const own = `https://td/${pattern.replaceAll('*', 'ab')}`
        assert.ok(matchesPattern(compiled, own))
      }),
      { seed, numRuns: 2000 },
    )
    assert.ok(compared > 500)
  })
})

describe('a SPIFFE ID', () => {
  it('has a trust domain and a path', () => {
    assert.deepEqual(parseSpiffeId('spiffe://example.test/ns/a'), {
      trustDomain: 'example.test',
      path: '/ns/a',
    })
    assert.deepEqual(parseSpiffeId('spiffe://example.test'), { trustDomain: 'example.test', path: '' })
    for (const id of [
      'spiffe://',
      'spiffe:///a',
      'spiffe://a//b',
      'spiffe://a/.',
      'spiffe://a/b#c',
      'http://a/b',
    ])
      assert.equal(parseSpiffeId(id), undefined, id)
  })
})

describe('the section auth.mtls', () => {
  const good = {
    ca: { file: '/etc/ductape-mcp/clients/ca.crt' },
    trustDomains: ['example.test'],
    map: [
      { uri: 'spiffe://example.test/ns/agents/sa/*', tenant: 'acme', roles: ['agent'] },
      { dns: 'agent-*.example.com', subject: 'fleet', scopes: ['ductape:read'] },
    ],
  }
  const row = (change: object) => ({ ...good, map: [change] })

  it('resolves with its defaults', () => {
    assert.deepEqual(mtlsSection.parse(good), {
      ...good,
      skew: 30_000,
      map: [
        { ...good.map[0], scopes: [] },
        { ...good.map[1], roles: [] },
      ],
    })
    assert.deepEqual(mtlsSection.parse({ ca: good.ca }), {
      ca: good.ca,
      trustDomains: [],
      skew: 30_000,
      map: [],
    })
  })

  const bad: readonly [string, object, readonly (string | number)[]][] = [
    ['no ca', { map: [] }, ['ca']],
    ['both names', row({ uri: 'urn:x:y', dns: 'a' }), ['map', 0]],
    ['no name', row({ roles: ['a'] }), ['map', 0]],
    ['a foreign trust domain', row({ uri: 'spiffe://other.test/*' }), ['map', 0, 'uri']],
    ['a bad pattern', row({ uri: 'spiffe://*/a' }), ['map', 0, 'uri']],
    ['a role with a space', row({ dns: 'a', roles: ['a b'] }), ['map', 0, 'roles', 0]],
    ['a subject with a quote', row({ dns: 'a', subject: 'a"b' }), ['map', 0, 'subject']],
    [
      'a trust domain with its scheme',
      { ...good, trustDomains: ['spiffe://example.test'] },
      ['trustDomains', 0],
    ],
    ['too much skew', { ...good, skew: '5m' }, ['skew']],
    ['an unknown key', { ...good, cn: true }, []],
  ]
  for (const [what, value, path] of bad)
    it(`${what} is refused at its place`, () => {
      const result = mtlsSection.safeParse(value)
      assert.ok(!result.success)
      assert.deepEqual(result.error.issues[0]?.path, path)
    })
})
