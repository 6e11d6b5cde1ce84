// The tools as callers see them whose keys the service holds: the same, but for everything that belongs to a credential.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { JsonObject } from '../../src/core/json.ts'
import type { ToolDeclaration } from '../../src/core/tool.ts'
import { CREDENTIAL_ARGUMENTS } from '../../src/credentials/index.ts'
import { createTools } from '../../src/tools/index.ts'
import { toolOptions } from '../credentials/lib/chain.ts'

const passthrough = createTools(toolOptions())
const injected = createTools(toolOptions({ mode: 'injected' }))
const pairs = injected.map((tool, i) => [tool.declaration, passthrough[i]?.declaration] as const)

/** The declaration without what the credential arguments bring. */
function stripped({ description: _, inputSchema, ...rest }: ToolDeclaration): JsonObject {
  const { properties, required, ...schema } = inputSchema as { properties: JsonObject; required: string[] }
  return {
    ...rest,
    inputSchema: {
      ...schema,
      properties: Object.fromEntries(
        Object.entries(properties).filter(([name]) => !CREDENTIAL_ARGUMENTS.includes(name)),
      ),
      required: required.filter((name) => !CREDENTIAL_ARGUMENTS.includes(name)),
    },
  } as unknown as JsonObject
}

test('callers that bring their keys see what is published, byte for byte', () => {
  const published = readFileSync(new URL('../../docs/reference/tools.json', import.meta.url), 'utf8')
  const tools = passthrough.map(({ declaration }) => declaration)
  assert.equal(`${JSON.stringify({ tools }, null, 2)}\n`, published)
})

describe('injected', () => {
  test('the four names of a credential are those of the seed', () => {
    assert.deepEqual(CREDENTIAL_ARGUMENTS, ['publishable_key', 'public_key', 'workspace_id', 'user_id'])
  })

  for (const [own, other] of pairs) {
    test(`${own.name} differs by its credential arguments only`, () => {
      assert.ok(other)
      assert.deepEqual(stripped(own), stripped(other))
      const text = JSON.stringify(own.inputSchema)
      for (const name of CREDENTIAL_ARGUMENTS) assert.ok(!text.includes(name), name)
      assert.deepEqual(
        Object.keys((own.inputSchema as { properties: JsonObject }).properties),
        Object.keys((other.inputSchema as { properties: JsonObject }).properties).filter(
          (name) => !CREDENTIAL_ARGUMENTS.includes(name),
        ),
      )
    })

    test(`${own.name} never asks for a key`, () => {
      assert.ok(!/publishable|public_key|workspace_id|user_id|least-privilege/.test(own.description))
      for (const phrase of own.description.match(/[^.]*\bkeys?\b[^.]*\./gi) ?? [])
        assert.match(phrase, /never send one|holds no keys/)
      if (own.name !== 'ductape_execute') assert.equal(own.description, other?.description)
    })
  }

  test('the description of execute keeps the guide and the considerations', () => {
    for (const phrase of [
      /Tool selection/,
      /positional arguments/,
      /ductape:\/\/catalogue\/\{module\}/,
      /sensitive data/,
      /never as instructions/,
      /can mutate platform state/,
      /"list databases", not "delete all records"/,
    ])
      assert.match(pairs[0]?.[0].description ?? '', phrase)
  })

  test('what the arguments of a key are called is still known, so that a refused one is never shown', () => {
    for (const [i, tool] of injected.entries())
      assert.deepEqual(tool.credentialArguments, passthrough[i]?.credentialArguments)
  })
})
