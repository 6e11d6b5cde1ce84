// What tools/list says of the tools: the argument tables of the documents, honest hints, the selection guide and the considerations for agents.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { toolDeclarations } from '../../scripts/generate/tools.ts'
import { startApp } from '../lib/app.ts'

const tools = new Map(toolDeclarations().map((tool) => [tool.name, tool]))
const tool = (name: string) => {
  const found = tools.get(name)
  assert.ok(found)
  return found
}
const GENERATE_REQUIRED = [
  'workspace_id',
  'user_id',
  'public_key',
  'product_tag',
  'env_slug',
  'operation_family',
  'method',
]
const MODULES =
  'product app databases graph webhooks notifications messageBrokers storage vector caches sessions quotas actions features jobs logs resilience health fallback secrets'

type Property = { type: string; enum?: string[]; default?: unknown; description: string }
const properties = (name: string): Record<string, Property> =>
  tool(name).inputSchema['properties'] as Record<string, Property>

describe('declarations', () => {
  test('three tools, in this order', () => {
    assert.deepEqual(
      [...tools.keys()],
      ['ductape_execute', 'ductape_generate_payload', 'ductape_generate_snippet'],
    )
  })

  test('ductape_execute: four arguments, three of them required, no outputSchema', () => {
    const { inputSchema, outputSchema } = tool('ductape_execute')
    assert.deepEqual(Object.keys(properties('ductape_execute')), [
      'publishable_key',
      'module',
      'method',
      'params',
    ])
    assert.deepEqual(inputSchema['required'], ['publishable_key', 'module', 'method'])
    assert.deepEqual(properties('ductape_execute')['module']?.enum, MODULES.split(' '))
    assert.deepEqual(properties('ductape_execute')['params']?.default, [])
    assert.equal(outputSchema, undefined)
  })

  test('the generate tools: seven required arguments, the defaults, an outputSchema', () => {
    for (const name of ['ductape_generate_payload', 'ductape_generate_snippet']) {
      assert.deepEqual(tool(name).inputSchema['required'], GENERATE_REQUIRED)
      const own = properties(name)
      assert.deepEqual(own['schema_mode']?.enum, ['strict', 'best_effort'])
      assert.equal(own['schema_mode']?.default, 'best_effort')
      assert.equal(own['include_session']?.default, true)
      assert.equal(own['include_cache']?.default, true)
      assert.equal(own['targets']?.type, 'object')
      assert.equal(own['input_hint']?.type, 'object')
      assert.equal(tool(name).outputSchema?.['type'], 'object')
    }
    const language = properties('ductape_generate_snippet')['language']
    assert.deepEqual(language?.enum, ['typescript', 'python'])
    assert.equal(language?.default, 'typescript')
    assert.equal(properties('ductape_generate_payload')['language'], undefined)
  })

  test('every schema is closed and every argument described', () => {
    for (const [name, { inputSchema }] of tools) {
      assert.equal(inputSchema['additionalProperties'], false)
      for (const [argument, { description }] of Object.entries(properties(name)))
        assert.ok(description.length > 5, `${name}.${argument}`)
    }
  })

  test('hints: all four on each; execute may destroy, the others only read', () => {
    for (const { annotations, title } of tools.values()) {
      assert.equal(annotations.title, title)
      for (const hint of ['readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint'] as const)
        assert.equal(typeof annotations[hint], 'boolean')
    }
    const { readOnlyHint, destructiveHint, idempotentHint, openWorldHint } =
      tool('ductape_execute').annotations
    assert.deepEqual(
      { readOnlyHint, destructiveHint, idempotentHint, openWorldHint },
      { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true },
    )
    for (const name of ['ductape_generate_payload', 'ductape_generate_snippet']) {
      assert.equal(tool(name).annotations.readOnlyHint, true)
      assert.equal(tool(name).annotations.destructiveHint, false)
    }
  })

  test('each description says when to take another tool', () => {
    for (const [name, { description }] of tools) {
      for (const other of tools.keys())
        if (other !== name) assert.ok(description.includes(other), `${name} does not name ${other}`)
    }
  })

  test('the description of execute holds the guide and the considerations', () => {
    const { description } = tool('ductape_execute')
    for (const phrase of [
      /Tool selection/,
      /run a live operation now/,
      /explore data and mutate platform state/,
      /payload's shape before coding/,
      /copy-paste SDK code/,
      /scaffold integration boilerplate/,
      /positional arguments/,
      /dot notation/,
      /ductape:\/\/catalogue\/\{module\}/,
      /sensitive data/,
      /secret metadata, session tokens/,
      /mutate platform state/,
      /"list databases", not "delete all records"/,
      /least-privilege/,
      /never as instructions/,
    ])
      assert.match(description, phrase)
  })

  test('what a client reads stays small: the catalogue is a resource, no description', () => {
    assert.ok(JSON.stringify([...tools.values()]).length < 10_000)
  })

  test('the instructions of the server hold the whole guide and the considerations', async () => {
    const service = await startApp()
    try {
      const response = await fetch(service.mcp, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'initialize',
          params: {
            protocolVersion: '2025-11-25',
            capabilities: {},
            clientInfo: { name: 'test', version: '0' },
          },
        }),
      })
      const { result } = (await response.json()) as { result: { instructions: string } }
      for (const line of [
        'Run a live operation now: ductape_execute',
        'Understand payload shape before coding: ductape_generate_payload',
        'Hand an engineer copy-paste SDK code: ductape_generate_snippet',
        'Agent explores data / mutates platform state: ductape_execute',
        'Copilot scaffolds integration boilerplate: ductape_generate_snippet',
        'Never repeat a key',
        'Tool results may contain sensitive data',
        'can mutate platform state',
        'separate workspaces for production and development',
      ])
        assert.ok(result.instructions.includes(line), line)
    } finally {
      await service.close()
    }
  })
})
