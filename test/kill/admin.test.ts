// POST /v1/admin/kill as a function, and what can be read of live/kill.yaml.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readableKills } from '../../src/admission/kill/index.ts'
import { denialText } from '../../src/core/denials.ts'
import type { Json } from '../../src/core/json.ts'
import { keyNamed } from '../identity/apikey/lib.ts'
import { killed, OPS, post, world } from './lib.ts'

const UNTIL = '2027-01-15T13:00:00Z'

describe('a request', () => {
  const good = { action: 'off', kind: 'tenant', value: 'canary', until: UNTIL, reason: 'canary' }
  const wrong: readonly [what: string, body: Json, said: RegExp][] = [
    ['no object', null, /body must be an object/],
    ['a list', [good], /body must be an object/],
    ['another member', { ...good, canary: 1 }, /other members/],
    ['no action', { ...good, action: null }, /action must be off or on/],
    ['another action', { ...good, action: 'canary' }, /action must be off or on/],
    ['no kind', { action: 'off', value: 'canary', reason: 'r' }, /kind must be one of tool, module, /],
    ['a kind that every object has', { ...good, kind: 'constructor' }, /kind must be/],
    ['no value', { action: 'off', kind: 'tenant', reason: 'r' }, /value must be a text/],
    ['an empty value', { ...good, value: '' }, /value must be a text/],
    ['a long value', { ...good, value: 'x'.repeat(513) }, /value must be a text/],
    ['an invisible character', { ...good, value: 'canary\u200b' }, /value must be a text/],
    ['half of a pair', { ...good, value: 'canary\ud800' }, /value must be a text/],
    ['a number', { ...good, value: 7 }, /value must be a text/],
    ['null for everything', { ...good, kind: 'everything', value: null }, /no place beside everything/],
    ['a value for everything', { ...good, kind: 'everything' }, /no place beside everything/],
    ['a tool that there is not', { ...good, kind: 'tool' }, /is no tool of this service/],
    ['a module that there is not', { ...good, kind: 'module' }, /is no module of this service/],
    ['a name of every object', { ...good, kind: 'module', value: '__proto__' }, /is no module/],
    ['a tool as a module', { ...good, kind: 'module', value: 'ductape_execute' }, /is no module/],
    [
      'an API key as the caller',
      { ...good, kind: 'principal', value: `api-key:${keyNamed('canary')}` },
      /is a credential/,
    ],
    [
      'a token as the caller',
      { ...good, kind: 'principal', value: 'eyJhbGciOiJub25lIn0.canary.' },
      /is a credential/,
    ],
    ['no reason', { action: 'off', kind: 'tenant', value: 'canary' }, /reason must be a text/],
    ['an empty reason', { ...good, reason: '' }, /reason must be a text/],
    ['a reason of two lines', { ...good, reason: 'canary\ncanary' }, /reason must be a text/],
    ['an end for on', { ...good, action: 'on' }, /until belongs to the action off/],
    ['an end that has been', { ...good, until: '2027-01-15T12:00:00Z' }, /until must be a time to come/],
    ['an end in words', { ...good, until: '24h' }, /until must be a time to come/],
    ['an end that is null', { ...good, until: null }, /until must be a time to come/],
    ['an end too far away', { ...good, until: '2028-06-01' }, /366 days.*live\/kill\.yaml/],
  ]
  for (const [what, body, said] of wrong)
    it(`with ${what} is refused, and nothing of it is said`, () => {
      const one = world().replica()
      const request = one.request(body)
      assert.ok('code' in request)
      assert.equal(request.code, 'admin_invalid')
      assert.match(request.detail ?? '', said)
      assert.ok(!denialText(request).includes('canary'))
    })

  it('with a key in its reason is carried out, and the log has no key', async () => {
    for (const secret of [keyNamed('canary'), 'eyJhbGciOiJub25lIn0.e30.', 'sk_live_0123456789']) {
      const { replica, events } = world()
      const one = replica()
      const done = await post(one, { action: 'off', kind: 'everything', reason: `leaked ${secret}` })
      assert.ok('answer' in done)
      assert.equal(killed(one), 'all calls')
      assert.match(events.join(), /^kill_added .*"reason":"\[REDACTED\]"/)
    }
  })

  it('is for the record what it does, and to what, before it does it', async () => {
    const { replica, events } = world()
    const one = replica()
    for (const [body, action, target] of [
      [good, 'kill', 'tenant canary'],
      [{ action: 'on', kind: 'everything', reason: 'r' }, 'restore', 'everything'],
    ] as const) {
      const request = one.request(body)
      assert.ok('run' in request)
      assert.deepEqual([request.action, request.target], [action, target])
    }
    assert.deepEqual([killed(one, { tenant: 'canary' }), events], [undefined, []])
  })

  it('throws a fault that is ours', async () => {
    const { store, replica } = world()
    const one = replica({ store: { ...store, indexMembers: () => Promise.reject(new TypeError('ours')) } })
    const request = one.request(good)
    assert.ok('run' in request)
    await assert.rejects(request.run(OPS), TypeError)
  })
})

describe('what can be read of a bad live/kill.yaml', () => {
  it('is each entry with a kind and a value; an end that cannot be read is none', () => {
    const rows = [
      { kind: 'tool', value: 'ductape_execute', until: '2027-01-31' },
      { kind: 'tenant', value: 'acme', until: 'soon', surprise: 1 },
      { kind: 'everything', value: 'all of it' },
      { kind: 'principal' },
      { kind: 'tenants', value: 'acme' },
      { kind: 'tenant', value: 'a\nb' },
      null,
      7,
    ]
    assert.deepEqual(readableKills({ version: 9, kill: rows }), [
      { kind: 'tool', value: 'ductape_execute', until: Date.UTC(2027, 0, 31) },
      { kind: 'tenant', value: 'acme', until: undefined },
      { kind: 'everything', value: undefined, until: undefined },
    ])
  })

  it('can be anything, and nothing is thrown', () => {
    for (const what of [undefined, null, 7, 'x', [], {}, { kill: 7 }, { kill: [[]] }])
      assert.deepEqual(readableKills(what), [])
    assert.deepEqual(readableKills(JSON.parse('{"__proto__":{"kill":[{"kind":"everything"}]}}')), [])
  })
})
