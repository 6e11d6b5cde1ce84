// Any condition against any arguments: compiled or refused with a sentence, then true, false or `error`, never a throw.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { compileCondition } from '../../../src/admission/policy/cel.ts'
import type { Json } from '../../../src/core/json.ts'
import type { Target } from '../../../src/core/policy.ts'
import { makePrincipal } from '../../../src/core/principal.ts'
import { question } from './lib.ts'

const name = fc.constantFrom('a', 'b', 'force', 'constructor', '__proto__', 'toString', 'params', 'size')
const word = fc.constantFrom('', 'a', 'dev', 'prd', 'true', '5', '\u202e', 'a'.repeat(300))

const { args } = fc.letrec((tie) => ({
  args: fc.dictionary(name, tie('value')),
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<Json>(null, true, false, 0, -0, 1, 5, 1.5, 1e300),
    word,
    fc.array(tie('value')),
    fc.dictionary(name, tie('value')),
  ),
})) as { args: fc.Arbitrary<Json> }

// Expressions that the parser takes, mostly; the types fit often enough to be evaluated.
const { bool } = fc.letrec<Record<'bool' | 'any' | 'read' | 'text' | 'list', string>>((tie) => ({
  bool: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('true', 'false', 'has(args.a)', 'has(args.a.b)', '"dev" in call.env', 'has(call.path)'),
    fc
      .tuple(tie('any'), fc.constantFrom('==', '!=', '<', '<=', '>', '>=', 'in'), tie('any'))
      .map((x) => x.join(' ')),
    fc.tuple(tie('bool'), fc.constantFrom('&&', '||'), tie('bool')).map(([l, op, r]) => `(${l} ${op} ${r})`),
    tie('bool').map((x) => `!(${x})`),
    fc.tuple(tie('bool'), tie('bool'), tie('bool')).map(([c, l, r]) => `(${c} ? ${l} : ${r})`),
    fc.tuple(tie('text'), fc.constantFrom('^(a+)+$', 'a|b', '(', '.*')).map(([t, p]) => `re(${t}, "${p}")`),
    fc.tuple(tie('text'), fc.constantFrom('a*', '*', '')).map(([t, p]) => `glob(${t}, "${p}")`),
    fc.tuple(tie('text'), tie('text')).map(([l, r]) => `${l}.contains(${r})`),
    fc
      .tuple(tie('list'), fc.constantFrom('all', 'exists', 'exists_one'), tie('bool'))
      .map(([l, macro, body]) => `${l}.${macro}(x, ${body})`),
    tie('read').map((x) => `(${x} && true)`),
    tie('read').map((x) => `${x}.?b.orValue(false) == true`),
  ),
  any: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(
      '1',
      '2.5',
      'null',
      '"a"',
      'true',
      '[1]',
      '{"a": 1}',
      'x',
      'principal.tenant',
      'principal.roles',
    ),
    fc.constantFrom('call.env', 'call.credentialId', '-1', '9223372036854775807', 'type(args.a)', 'list'),
    tie('read'),
    tie('text'),
    fc.tuple(tie('any'), fc.constantFrom('+', '-', '*', '/', '%'), tie('any')).map((x) => `(${x.join(' ')})`),
    tie('any').map((x) => `size(${x})`),
    tie('any').map((x) => `int(${x})`),
    tie('any').map((x) => `-(${x})`),
  ),
  read: fc
    .tuple(
      fc.constantFrom('args', 'x'),
      fc.array(
        fc.oneof(
          name.map((key) => `.${key}`),
          name.map((key) => `.?${key}`),
          name.map((key) => `["${key}"]`),
          fc.constantFrom('[0]', '[?1]', '[args.a]', '[-1]'),
        ),
        { minLength: 1, maxLength: 3 },
      ),
    )
    .map(([root, steps]) => root + steps.join('')),
  text: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('"a"', 'call.tool', 'principal.tenant', 'principal.client', 'args.a', 'x'),
    tie('read'),
    tie('any').map((x) => `string(${x})`),
    tie('text').map((x) => `${x}.lowerAscii()`),
    fc.tuple(tie('text'), tie('text')).map((x) => `(${x.join(' + ')})`),
  ),
  list: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('args.params', 'args', 'call.env', 'principal.roles', '[1, 2]', '[args.a, args.b]'),
    fc.tuple(tie('list'), tie('any')).map(([l, x]) => `${l}.map(x, ${x})`),
    fc.tuple(tie('list'), tie('bool')).map(([l, x]) => `${l}.filter(x, ${x})`),
  ),
}))

const target: fc.Arbitrary<Target> = fc.oneof(
  fc.constant<Target>('unknown'),
  fc.array(word, { maxLength: 3 }),
)
const principal = fc
  .record({ tenant: fc.option(word, { nil: undefined }), roles: fc.array(word, { maxLength: 3 }) })
  .map((given) => makePrincipal({ method: 'api-key', id: 'k', subject: 's', ...given }))

describe('any condition', () => {
  it('is decided, or is an error, and twice the same (seed 21)', () => {
    let compiledOnes = 0
    const seen = new Set<unknown>()
    fc.assert(
      fc.property(bool, args, target, principal, (source, given, env, who) => {
        const result = compileCondition(source)
        if (!result.ok) {
          assert.ok(result.message.length > 0 && result.message.length <= 300)
          return
        }
        compiledOnes++
        const ask = (): boolean | 'error' =>
          result.condition.evaluate(question(given, { env, path: env, principal: who }))
        const outcome = ask()
        seen.add(outcome)
        assert.ok(outcome === true || outcome === false || outcome === 'error')
        assert.equal(ask(), outcome)
      }),
      { seed: 21, numRuns: 800 },
    )
    // Else this would test the parser only.
    assert.ok(compiledOnes > 150, `only ${compiledOnes} compiled`)
    assert.deepEqual([...seen].map(String).sort(), ['error', 'false', 'true'])
  })

  it('of any characters is refused with a sentence, or compiles (seed 22)', () => {
    const piece = fc.oneof(
      fc.string({ maxLength: 8 }),
      fc.constantFrom(
        'args',
        '.',
        '?',
        '[',
        ']',
        '(',
        ')',
        '"',
        "'",
        '\\',
        'r"',
        'b"',
        '"""',
        '//',
        '\n',
        '0x',
        '1e',
        '{',
        '}',
      ),
      fc.constantFrom(
        'has(',
        're(',
        'all(x,',
        '&&',
        '||',
        '!',
        'in',
        'call.env',
        '__proto__',
        'true',
        '\u0000',
        '\ud800',
      ),
    )
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
        (source) => {
          const result = compileCondition(source)
          if (result.ok) assert.ok(result.condition.evaluate(question({ a: 1 })) !== undefined)
          else assert.ok(result.message.length > 0 && result.message.length <= 300)
        },
      ),
      { seed: 22, numRuns: 800 },
    )
  })

  it('gives the same answer with plain keys as with keys of the language (seed 23)', () => {
    // Renaming keys changes nothing but names, so it may change no decision.
    const rename = (value: Json, from: string, to: string): Json => {
      if (Array.isArray(value)) return value.map((item) => rename(item, from, to))
      if (typeof value !== 'object' || value === null) return value
      const entries = Object.keys(value).map((key) => [
        key === from ? to : key,
        rename(value[key] as Json, from, to),
      ])
      return JSON.parse(
        `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${JSON.stringify(item)}`).join(',')}}`,
      )
    }
    const plain = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom<Json>(null, true, 1, 'a'),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom('a', 'b', 'zz'), tie('value')),
      ),
    })).value as fc.Arbitrary<Json>
    const sources = [
      'args.?a.?b.orValue(false) == true',
      'has(args.a) && args.a == true',
      'args.a.b == 1',
      'args.a.exists(k, k == "b")',
      'args.exists(k, args[k] == 1)',
      'args.a == args.b',
      'size(args.a) == 2',
      'type(args.a) == map',
    ].map((source) => compileCondition(source))
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('a', 'b', 'zz'), plain), (given) => {
        for (const result of sources) {
          assert.ok(result.ok)
          const expected = result.condition.evaluate(question(given))
          for (const to of ['constructor', '__proto__', 'toString', 'prototype']) {
            const renamed = question(rename(given, 'zz', to))
            assert.equal(result.condition.evaluate(renamed), expected, `${to} in ${JSON.stringify(given)}`)
          }
        }
      }),
      { seed: 23, numRuns: 200 },
    )
  })
})
