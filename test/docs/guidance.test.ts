// What an agent is told before it calls: the tool selection guide of seed 001 and the considerations of seed 000, in instructions and descriptions.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LOOKUP } from '../../src/catalogue/lookup.ts'
import { CREDENTIAL_ARGUMENTS } from '../../src/credentials/index.ts'
import { instructionsFor } from '../../src/mcp/instructions.ts'
import { createTools } from '../../src/tools/index.ts'
import { startApp } from '../lib/app.ts'
import { modern, modernHeaders } from '../mcp/lib/messages.ts'

const toolsOf = (mode: 'passthrough' | 'injected') =>
  createTools({
    mode,
    catalogue: 'enforce',
    lookup: LOOKUP,
    keyPlacement: 'header',
    timeout: () => 1000,
    generateTimeout: 1000,
    warn: () => undefined,
  })
const tools = toolsOf('passthrough')
const declared = tools.map(({ declaration }) => declaration)
const injected = toolsOf('injected').map(({ declaration }) => declaration)
const INSTRUCTIONS = instructionsFor(declared)
const INJECTED = instructionsFor(injected)

const description = (name: string) => {
  const tool = tools.find(({ declaration }) => declaration.name === name)
  assert.ok(tool, `${name} is not a tool`)
  return tool.declaration.description
}

const GUIDE = [
  ['Run a live operation now', 'ductape_execute'],
  ['Understand payload shape before coding', 'ductape_generate_payload'],
  ['Hand an engineer copy-paste SDK code', 'ductape_generate_snippet'],
  ['Agent explores data / mutates platform state', 'ductape_execute'],
  ['Copilot scaffolds integration boilerplate', 'ductape_generate_snippet'],
] as const

test('exactly the three tools of the seed are published', () => {
  assert.deepEqual(
    tools.map(({ declaration }) => declaration.name),
    ['ductape_execute', 'ductape_generate_payload', 'ductape_generate_snippet'],
  )
})

test('the instructions hold the tool selection guide', () => {
  for (const text of [INSTRUCTIONS, INJECTED])
    for (const [goal, tool] of GUIDE) assert.ok(text.includes(`${goal}: ${tool}`), goal)
})

test('the instructions hold the considerations for agents', () => {
  assert.match(INSTRUCTIONS, /keys included, may stay in the conversation/)
  assert.match(INSTRUCTIONS, /results may contain sensitive data/)
  assert.match(INSTRUCTIONS, /can mutate platform state/)
  assert.match(INSTRUCTIONS, /read-only requests \("list databases", not "delete all records"\)/)
  assert.match(INSTRUCTIONS, /least-privilege workspaces/)
  assert.match(INSTRUCTIONS, /separate workspaces for production and development/)
})

test('a caller whose keys the service holds is never told to bring one', () => {
  assert.match(INJECTED, /never ask for one, and never send one/)
  assert.match(INJECTED, /results may contain sensitive data/)
  assert.match(INJECTED, /can mutate platform state/)
  assert.match(INJECTED, /read-only requests \("list databases", not "delete all records"\)/)
  for (const name of CREDENTIAL_ARGUMENTS) assert.ok(!INJECTED.includes(name), name)
  assert.doesNotMatch(INJECTED, /with a key|Use keys|keys included/)
  // By what the caller is shown: part of the tools is enough to know.
  for (const tool of declared) assert.equal(instructionsFor([tool]), INSTRUCTIONS)
  for (const tool of injected) assert.equal(instructionsFor([tool]), INJECTED)
})

test('the service tells each caller what fits, in both eras', async () => {
  const initialize = {
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'a', version: '1' } },
  }
  const discover = { method: 'server/discover', params: modern({}) }
  for (const [mode, instructions] of [
    ['passthrough', INSTRUCTIONS],
    ['injected', INJECTED],
  ] as const) {
    const service = await startApp({ config: { credentials: { mode, tenants: {} } } })
    try {
      for (const [message, headers] of [
        [initialize, {}],
        [discover, modernHeaders('server/discover')],
      ] as const) {
        const response = await fetch(service.mcp, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            ...headers,
          },
          body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
        })
        const { result } = (await response.json()) as { result: { instructions: string } }
        assert.equal(result.instructions, instructions, `${mode} ${message.method}`)
      }
    } finally {
      await service.close()
    }
  }
})

test('the descriptions say which tool to take', () => {
  for (const { declaration } of tools) {
    assert.ok(declaration.description.length <= 2000, `${declaration.name} is longer than a client shows`)
  }
  const execute = description('ductape_execute')
  for (const name of ['ductape_execute', 'ductape_generate_payload', 'ductape_generate_snippet']) {
    assert.ok(execute.includes(name), `ductape_execute does not say when to take ${name}`)
  }
  assert.match(execute, /positional arguments in the order of the TypeScript SDK/)
  assert.match(execute, /sensitive data/)
  assert.match(execute, /mutate platform state/)
})

test('the payload tool says when to use it', () => {
  assert.match(description('ductape_generate_payload'), /before (?:writing SDK code|coding)/)
})

test('the tool that changes things is annotated as destructive, the generators as read-only', () => {
  for (const { declaration } of tools) {
    const { readOnlyHint, destructiveHint } = declaration.annotations
    const changes = declaration.name === 'ductape_execute'
    assert.deepEqual({ readOnlyHint, destructiveHint }, { readOnlyHint: !changes, destructiveHint: changes })
  }
})
