// Events of OCSF fit the schema of their class (1.8.0), a broken one does not, and they say who did what and how it ended.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { createOcsf } from '../../src/audit/ocsf.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { deletion, needed, RECORDS, repeated } from './ocsf/records.ts'
import { fits } from './ocsf/schema.ts'

const SCHEMA = JSON.parse(
  readFileSync(new URL('./ocsf/api_activity-1.8.0.snap.json', import.meta.url), 'utf8'),
) as JsonObject

const eventsOf = (records: readonly JsonObject[]): JsonObject[] => {
  const toOcsf = createOcsf()
  return records.map(toOcsf).filter((event) => event !== undefined)
}

const EVENTS = eventsOf(RECORDS)

test('each decision, outcome and flood is one event of the class; other records are none', () => {
  const mapped = RECORDS.filter(({ type }) => ['decision', 'outcome', 'refusals'].includes(String(type)))
  assert.ok(mapped.length < RECORDS.length)
  assert.equal(EVENTS.length, mapped.length)
  for (const event of EVENTS) {
    assert.equal(fits(SCHEMA, event), undefined, JSON.stringify(event))
    // The schema takes any pair of these two.
    assert.equal(event['type_uid'], Number(event['class_uid']) * 100 + Number(event['activity_id']))
  }
})

test('a broken event does not fit', () => {
  for (const name of SCHEMA['required'] as string[]) {
    const { [name]: _, ...broken } = EVENTS[0] as JsonObject
    assert.notEqual(fits(SCHEMA, broken), undefined, name)
  }
  for (const change of [
    { activity_id: 7 },
    { time: '2026-11-21' },
    { surprise: 1 },
    { class_uid: 6004 },
    { actor: {} },
    { actor: { user: { uid: 1 } } },
    { metadata: { version: '1.8.0' } },
    { src_endpoint: { port: 'x' } },
    { resources: [{ type: 'product' }] },
  ])
    assert.notEqual(fits(SCHEMA, { ...EVENTS[0], ...change }), undefined, JSON.stringify(change))
})

test('a deletion says who, what, where and whether', () => {
  const [decision, outcome] = eventsOf(deletion('executed')) as [JsonObject, JsonObject]
  const { correlation_uid } = decision['metadata'] as JsonObject
  assert.equal((outcome['metadata'] as JsonObject)['correlation_uid'], correlation_uid)
  for (const event of [decision, outcome]) {
    assert.equal(event['activity_id'], 4)
    const { user } = event['actor'] as JsonObject
    assert.equal((user as JsonObject)['name'], 'alice@example.com')
    assert.equal((event['api'] as JsonObject)['operation'], 'delete')
    assert.deepEqual(event['resources'], [
      { name: 'crm', type: 'product' },
      { name: 'orders', type: 'table' },
    ])
    assert.deepEqual(event['src_endpoint'], { ip: '192.0.2.7' })
  }
  // An allowed decision is no success: what came of it is in the outcome.
  assert.deepEqual([decision['status_id'], outcome['status_id']], [0, 1])
  assert.equal((eventsOf(deletion('unknown'))[1] as JsonObject)['status_id'], 0)
  assert.equal((eventsOf(deletion('failed'))[1] as JsonObject)['status_id'], 2)
})

test('an approval says who, a repetition is no success, and an administrative request is named', () => {
  const [approve, decision, outcome] = eventsOf(needed()) as [JsonObject, JsonObject, JsonObject]
  assert.equal((approve['api'] as JsonObject)['operation'], 'approval.approve')
  assert.equal(approve['activity_id'], 99)
  for (const event of [decision, outcome]) {
    const { approval, guards } = event['unmapped'] as { approval: JsonObject; guards: JsonObject[] }
    assert.deepEqual([approval['approver'], approval['state']], ['bob', 'used'])
    assert.deepEqual(guards[0]?.['found'], 'unproven')
  }
  const [first, again] = eventsOf(repeated()) as [JsonObject, JsonObject]
  assert.deepEqual([first['status_id'], again['status_id'], again['status_detail']], [0, 99, 'replayed'])
  assert.ok((again['unmapped'] as JsonObject)['replayOf'] !== undefined)
})

test('an outcome whose decision was not given says that it does not know who', () => {
  const [, outcome] = deletion('executed')
  const [event] = eventsOf([outcome as JsonObject]) as [JsonObject]
  assert.equal(fits(SCHEMA, event), undefined)
  assert.deepEqual(event['actor'], { app_name: 'unknown' })
})

test('arguments stay in the native records', () => {
  const [decision] = deletion('executed') as [JsonObject]
  const what = { ...(decision['what'] as JsonObject), args: { name: 'kept out' }, shape: { name: 'string' } }
  const text = JSON.stringify(eventsOf([{ ...decision, what }]))
  assert.ok(!text.includes('kept out') && !text.includes('shape'))
})
