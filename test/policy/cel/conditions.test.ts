// What conditions mean: values, absent fields, shapes of arguments that must not get past a deny rule, and what is refused when a condition is compiled.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { compileCondition } from '../../../src/admission/policy/cel.ts'
import { sheetOf } from '../../../src/admission/policy/cel-values.ts'
import type { Json } from '../../../src/core/json.ts'
import type { PolicyQuestion } from '../../../src/core/policy.ts'
import { makePrincipal } from '../../../src/core/principal.ts'
import { compiled, decide, question, refusal } from './lib.ts'

type Outcome = boolean | 'error'
const json = (text: string): Json => JSON.parse(text) as Json

describe('conditions', () => {
  it('read principal and call', () => {
    const table: [string, Outcome, Partial<PolicyQuestion>?][] = [
      ['true', true],
      ['principal.tenant == "acme"', true],
      ['principal.subject.startsWith("agent-")', true],
      ['"reader" in principal.roles && !("admin" in principal.roles)', true],
      ['principal.method == "mtls"', false],
      ['principal.client == "x"', 'error'],
      ['has(principal.client) && principal.client == "x"', false],
      ['principal.?client.orValue("none") == "none"', true],
      ['call.tool == "ductape_execute" && call.module == "databases" && call.effect == "read"', true],
      ['call.env.all(e, e == "dev")', true],
      ['call.product.exists(p, glob(p, "acme:*"))', true],
      ['size(call.path) == 0', true],
      ['call.path.exists(p, p.startsWith("secret/"))', true, { path: ['a', 'secret/x'] }],
      ['has(call.credentialId)', false],
      ['call.credentialId == "k1.abc"', true, { credentialId: 'k1.abc' }],
      ['call.module == "databases"', 'error', { module: undefined }],
    ]
    for (const [source, outcome, more] of table) assert.equal(decide(source, {}, more), outcome, source)
  })

  it('read arguments', () => {
    const table: [string, string, Outcome][] = [
      ['args.n <= 100', '{"n":5}', true],
      ['args.n == 10', '{"n":10}', true],
      ['args.n in [1, 2, 10]', '{"n":10}', true],
      ['args.n + 1.0 > 5.5', '{"n":5}', true],
      // JSON numbers are doubles, and CEL adds nothing to a double but a double.
      ['args.n + 1 > 5', '{"n":5}', 'error'],
      ['int(args.n) + 1 == 6', '{"n":5}', true],
      ['int(args.s) == 5', '{"s":"5"}', true],
      ['int(args.s) == 5', '{"s":"five"}', 'error'],
      ['args.s == 5', '{"s":"5"}', false],
      ['string(args.n) == "5"', '{"n":5}', true],
      ['args.s.lowerAscii() == "drop"', '{"s":"DROP"}', true],
      ['args.s.trim() == "a"', '{"s":" a "}', true],
      ['args.s.contains("rop")', '{"s":"drop"}', true],
      ['args.s.size() == 1', '{"s":"😀"}', true],
      ['args.s == null', '{"s":null}', true],
      ['args.a == args.b', '{"a":{"x":[1,{"y":2}]},"b":{"x":[1,{"y":2}]}}', true],
      ['args.a == {"x": 1}', '{"a":{"x":1}}', true],
      ['args.a + [3] == [1, 3]', '{"a":[1]}', true],
      [
        'type(args.a) == list && type(args.b) == map && type(args.c) == string',
        '{"a":[],"b":{},"c":""}',
        true,
      ],
      [
        'type(args.a) == null_type && type(args.b) == double && type(args.c) == bool',
        '{"a":null,"b":1,"c":true}',
        true,
      ],
      ['args.params[0].table == "orders"', '{"params":[{"table":"orders"}]}', true],
      ['args.params[0].table == "orders"', '{"params":[]}', 'error'],
      ['args["params"][0]["table"] == "orders"', '{"params":[{"table":"orders"}]}', true],
      ['args.?params[?0].?table.orValue("") == "orders"', '{"params":[{"table":"orders"}]}', true],
      ['args.?params[?0].?table.hasValue()', '{"params":[]}', false],
      ['args.params.exists(p, has(p.table) && p.table == "a")', '{"params":[{},{"table":"a"}]}', true],
      ['args.params.exists_one(p, p > 1)', '{"params":[1,2]}', true],
      ['args.params.filter(p, p > 1).map(p, p * 2.0) == [4.0]', '{"params":[1,2]}', true],
      ['args.m.exists(k, k == "a")', '{"m":{"a":1}}', true],
      ['{"dev": 1, "prd": 2}[args.k] == 2', '{"k":"prd"}', true],
      ['args.k in {"a": 1}', '{"k":"toString"}', false],
      ['args.b ? args.n > 1 : false', '{"b":true,"n":2}', true],
      ['-args.n < 0.0 && !args.b', '{"n":2,"b":false}', true],
      ['re(args.s, "^a+$")', '{"s":"aaa"}', true],
      ['re(args.s, "b")', '{"s":"abc"}', true],
      ['re(args.s, "(?i)drop")', '{"s":"DrOp"}', true],
      ['glob(args.s, "a*c")', '{"s":"a\\nb/c"}', true],
      ['glob(args.s, "b*")', '{"s":"abc"}', false],
      ['glob(args.s, "a.c")', '{"s":"abc"}', false],
      ['re(args.s, "1")', '{"s":1}', 'error'],
      ['glob(args.s, "*")', '{"s":null}', 'error'],
      // The engine would take a list of numbers for bytes.
      ['re(args.s, "a")', '{"s":[97]}', 'error'],
    ]
    for (const [source, args, outcome] of table)
      assert.equal(decide(source, json(args)), outcome, `${source} ${args}`)
  })

  it('a value of the wrong kind is an error, not a false', () => {
    const table: [string, string][] = [
      ['args.x', '{"x":1}'],
      ['args.x', '{"x":"true"}'],
      ['args.x', '{"x":{}}'],
      ['!args.x', '{"x":[]}'],
      ['args.x && true', '{"x":"yes"}'],
      ['args.x ? true : false', '{"x":{}}'],
      ['args.x < 3', '{"x":"2"}'],
      ['args.x.a == 1', '{"x":"text"}'],
      ['args.x.a == 1', '{"x":[1]}'],
      ['args.x.startsWith("a")', '{"x":5}'],
      ['"a" in args.x', '{"x":"a"}'],
      ['size(args.x) > 1', '{"x":5}'],
      ['args.x.exists(y, y == 1)', '{"x":5}'],
    ]
    // A bare `args.x` has no static type, so it stands inside an operator that takes only bool.
    for (const [source, args] of table)
      assert.equal(decide(`(${source}) && true`, json(args)), 'error', `${source} ${args}`)
  })

  it('an unknown target is an error however it is read', () => {
    for (const name of ['env', 'product', 'path']) {
      const unknown = { [name]: 'unknown' } as Partial<PolicyQuestion>
      const sources = [
        `"prd" in call.${name}`,
        `has(call.${name})`,
        `!has(call.${name})`,
        `call.${name} == []`,
        `size(call.${name}) == 0`,
        `"prd" in call.?${name}.orValue([])`,
        `call.?${name}.hasValue()`,
        `call.${name}.exists(e, e == "prd")`,
        `call.${name}.all(e, e == "dev")`,
      ]
      for (const source of sources) assert.equal(decide(source, {}, unknown), 'error', source)
      // What does not depend on it can still be decided: an error is absorbed only where the other side decides alone.
      assert.equal(decide(`call.tool == "ductape_execute" || "prd" in call.${name}`, {}, unknown), true)
      assert.equal(decide(`call.tool != "ductape_execute" || "prd" in call.${name}`, {}, unknown), 'error')
    }
  })

  it('arguments over 64 KiB are not offered, and a size that is no number neither', () => {
    const args = { a: 'x' }
    assert.equal(decide('args.a == "x"', args, { size: 64 * 1024 }), true)
    assert.equal(decide('args.a == "x"', args, { size: 64 * 1024 + 1 }), 'error')
    assert.equal(decide('args.a == "x"', args, { size: Number.NaN }), 'error')
    assert.equal(decide('true || args.a == "x"', args, { size: 64 * 1024 + 1 }), 'error')
    assert.equal(decide('call.effect == "read"', args, { size: 64 * 1024 + 1 }), true)
  })

  it('only a condition that names args asks for the arguments and their size', () => {
    const untouched = question({})
    Object.defineProperty(untouched, 'size', { get: () => assert.fail('size was read') })
    Object.defineProperty(untouched, 'args', { get: () => assert.fail('args was read') })
    const condition = compiled('principal.tenant == "acme" && call.effect == "read"')
    assert.equal(condition.usesArgs, false)
    assert.equal(condition.evaluate(untouched), true)
    assert.equal(compiled('has(args.a)').usesArgs, true)
  })

  it('a principal is read for each caller', () => {
    const condition = compiled('principal.id == "b"')
    const who = (id: string) => makePrincipal({ method: 'api-key', id, subject: id })
    assert.equal(condition.evaluate(question({}, { principal: who('a') })), false)
    assert.equal(condition.evaluate(question({}, { principal: who('b') })), true)
  })
})

describe('shapes that must not get past a deny rule', () => {
  // In a plain object an own key `constructor` hides the type, `.?` takes the error for an absent value, and the rule says false.
  const HIDING = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf', 'prototype', 'then']

  it('own keys with names of the language hide nothing', () => {
    for (const key of HIDING) {
      for (const value of ['1', 'null', '{}', '[]', '"x"', '{"constructor":null}']) {
        const deep = json(`{"p":{"force":true,"${key}":${value}},"${key}":${value}}`)
        for (const source of [
          'args.?p.?force.orValue(false) == true',
          'has(args.p) && has(args.p.force) && args.p.force == true',
          'args.p.force == true',
          'args["p"]["force"] == true',
          'args.exists(k, k == "p")',
          'args.p.exists(k, k == "force")',
          '[args.p].exists(p, p.force)',
        ])
          assert.equal(decide(source, deep), true, `${source} with ${key}: ${value}`)
      }
    }
  })

  it('such keys can be read like any other, and are absent where nobody sent them', () => {
    for (const key of HIDING) {
      assert.equal(decide(`args.${key} == 7`, json(`{"${key}":7}`)), true, key)
      assert.equal(decide(`args.${key} == 7`), 'error', key)
      assert.equal(decide(`has(args.${key})`), false, key)
      assert.equal(decide(`"${key}" in args`), false, key)
      assert.equal(decide(`args.?${key}.hasValue()`), false, key)
      assert.equal(decide('args.a == args.b', json(`{"a":{"${key}":7},"b":{"${key}":7}}`)), true, key)
      assert.equal(decide('args.a == args.b', json(`{"a":{"${key}":7},"b":{}}`)), false, key)
    }
  })

  it('an error is absorbed only where the other side decides', () => {
    // Every shape that `force` can come in: only true, and what can be shown to be something else, decide.
    const shapes = [
      '{"force":true}',
      '{"force":"true"}',
      '{"force":1}',
      '{"force":[true]}',
      '{"force":{"a":true}}',
      '{"force":null}',
      '{}',
    ]
    const expected: [string, Outcome[]][] = [
      ['has(args.force) && args.force', [true, 'error', 'error', 'error', 'error', 'error', false]],
      ['has(args.force) && args.force != false', [true, true, true, true, true, true, false]],
      // Equality of different types is false: documented, and the line above is what a deny rule wants.
      ['has(args.force) && args.force == true', [true, false, false, false, false, false, false]],
      ['args.force == true', [true, false, false, false, false, false, 'error']],
      ['args.?force.orValue(false) != false', [true, true, true, true, true, true, false]],
      ['args.force || call.effect == "read"', [true, true, true, true, true, true, true]],
      ['args.force || call.effect == "write"', [true, 'error', 'error', 'error', 'error', 'error', 'error']],
      ['args.force && call.effect == "write"', [false, false, false, false, false, false, false]],
    ]
    for (const [source, outcomes] of expected) {
      for (const [index, shape] of shapes.entries())
        assert.equal(decide(source, json(shape)), outcomes[index], `${source} ${shape}`)
    }
  })

  it('an element of another shape does not hide the one that counts', () => {
    const args = json('{"rows":[1,null,"x",[],{"constructor":1},{"force":true}]}')
    assert.equal(decide('args.rows.exists(r, r.force == true)', args), true)
    assert.equal(decide('args.rows.all(r, r.force == false)', args), false)
    assert.equal(decide('args.rows.exists(r, r.force == false)', args), 'error')
    assert.equal(decide('args.rows.filter(r, r.force == true).size() > 0', args), 'error')
    assert.equal(decide('args.rows.exists_one(r, r.force == true)', args), 'error')
  })

  it('one question does not see the arguments of another', () => {
    const condition = compiled('args.a == "first"')
    assert.equal(condition.evaluate(question({ a: 'first' })), true)
    assert.equal(condition.evaluate(question({})), 'error')
    assert.equal(condition.evaluate(question({ a: 'first' })), true)
  })

  it('nothing holds the arguments of a question that is over', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const conditions = [
      'args.rows.exists(r, r.a == 1)',
      'args.rows.map(r, [r]).size() == 1',
      'args.a.b == 1',
    ].map(compiled)
    const ask = (): WeakRef<object> => {
      const asked = question({ rows: [{ a: 1 }] })
      for (const condition of conditions) condition.evaluate(asked)
      return new WeakRef(sheetOf(asked, true).variables.args as object)
    }
    const held = ask()
    await new Promise(setImmediate)
    collect()
    assert.equal(held.deref(), undefined)
  })
})

describe('conditions that are refused', () => {
  it('with a sentence that says why', () => {
    const table: [string, RegExp][] = [
      ['', /Unexpected token/],
      ['args', /result has to be bool, not map/],
      ['args.x', /result has to be bool, not dyn/],
      ['1 + 1', /not int/],
      ['principal.tennant == "x"', /principal has no field tennant; it has id, subject/],
      ['has(principal.tennant)', /has no field tennant/],
      ['principal.?tennant.hasValue()', /has no field tennant/],
      ['call.params == 1', /call has no field params/],
      ['call["env"] == []', /used by its fields only/],
      ['principal == principal', /used by its fields only/],
      ['principal.exists(x, true)', /used by its fields only/],
      ['principal.tenant == 1', /no such overload/],
      ['principal.roles == "x"', /no such overload/],
      ['foo == 1', /there is no foo/],
      ['google == google', /there is no google/],
      ['optional.none().hasValue()', /there is no method none/],
      ['cel.bind(x, 1, x == 1)', /there is no method bind/],
      ['args.s.matches("a")', /re\(text, "pattern"\)/],
      ['now() > 1', /there is no function now/],
      ['timestamp(args.t) < timestamp("2030-01-01T00:00:00Z")', /there is no function timestamp/],
      ['duration("1s") == duration("1s")', /there is no function duration/],
      ['bytes(args.s).json() == {}', /there is no method json/],
      ['b"a" == b"a"', /no bytes/],
      ['1u == 1u', /no unsigned/],
      ['9223372036854775808 > 1', /64 bits/],
      ['{"constructor": 1} == args.a', /cannot have the key constructor/],
      ['{"__proto__": 1} == args.a', /cannot have the key __proto__/],
      ['{args.k: 1} == args.a', /keys of a map are literals/],
      ['re(args.s, args.p)', /a pattern in quotes/],
      ['re(args.s, "a" + "b")', /a pattern in quotes/],
      ['glob(args.s, call.tool)', /a pattern in quotes/],
      ['re(args.s)', /a pattern in quotes/],
      ['re(args.s, "(a")', /no regular expression of RE2/],
      ['re(args.s, "(a)\\\\1")', /no regular expression of RE2/],
      ['re(args.s, "(?=a)b")', /no regular expression of RE2/],
      ['[1].exists(args, true)', /args has a meaning already/],
      ['[1].exists(string, true)', /string has a meaning already/],
      ['[1].exists(x)', /takes a variable and an expression/],
      ['[1].exists(1, true)', /variable/],
      ['[1].all(x, [2].all(y, x == y))', /inside another loop/],
      ['has(args)', /has\(\) invalid argument/],
      ['has()', /overload/],
    ]
    for (const [source, message] of table) assert.match(refusal(source), message, source)
  })

  it('with the place', () => {
    assert.match(refusal('true &&\n  foo == 1'), /^line 2, column 3: /)
    assert.match(refusal('true && && true'), /^line 1, column 9: /)
    assert.match(refusal('true && 1 + "a" == 2'), /^line 1, column 9: /)
  })

  it('in a bounded sentence of visible text', () => {
    assert.ok(refusal(`${'x'.repeat(4000)} == 1`).length <= 300)
    assert.ok(!/[\p{Cc}\p{Cf}]/u.test(refusal('args.a == 1 \u202e\u0007')))
  })
})

describe('warnings', () => {
  const warnings = (source: string): readonly string[] => compiled(source).warnings

  it('name what is read and may be absent', () => {
    const table: [string, RegExp[]][] = [
      ['args.force == true', [/^args\.force may be absent.*has\(args\.force\)/]],
      ['has(args.force) && args.force == true', []],
      ['args.a.b == 1', [/^args\.a may/]],
      ['has(args.a) && args.a.b == 1', [/^args\.a\.b may/]],
      ['has(args.a) && has(args.a.b) && args.a.b == 1', []],
      ['has(args.a.b) && args.a.b == 1', [/^args\.a may/]],
      ['args.a == 1 || args.b == 1 || args.a == 2', [/^args\.a /, /^args\.b /]],
      ['has(args.params) && args.params[0].x == 1', [/^args\.params\[\.\.\.\] may.*\.\?/]],
      ['args.?params[?0].?x.orValue(1) == 1', []],
      ['has(args.l) && args.l.exists(p, p.x == 1)', [/^p\.x may/]],
      ['has(args.l) && args.l.exists(p, has(p.x) && p.x == 1)', []],
      ['principal.tenant == "a"', [/^principal\.tenant may/]],
      ['has(principal.tenant) && principal.tenant == "a"', []],
      ['principal.subject == "a" && call.effect == "read" && "dev" in call.env', []],
      ['call.module == "a"', [/^call\.module may/]],
    ]
    for (const [source, patterns] of table) {
      const found = warnings(source)
      assert.equal(found.length, patterns.length, `${source}: ${found.join(' | ')}`)
      for (const [index, pattern] of patterns.entries()) assert.match(found[index] ?? '', pattern, source)
    }
  })

  it('are bounded', () => {
    const source = Array.from({ length: 60 }, (_, index) => `args.f${index} == 1`).join(' || ')
    assert.equal(warnings(source).length, 20)
  })
})

it('the text of an argument is in no message and no thrown value', () => {
  const canary = 'canary-4711-value'
  const condition = compiled('int(args.s) == 1 || args.s.foo == 1 || args.s < 3')
  assert.equal(condition.evaluate(question({ s: canary })), 'error')
  const result = compileCondition('args.s.foo == 1')
  assert.ok(result.ok && !JSON.stringify(result.condition.warnings).includes(canary))
})
