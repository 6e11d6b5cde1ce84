// What an agent is told before it calls: the tool selection guide of seed 001 and the considerations of seed 000, in instructions and descriptions.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MODULES } from '../../src/catalogue/index.ts'
import { INSTRUCTIONS } from '../../src/mcp/instructions.ts'
import { createTools } from '../../src/tools/index.ts'

const tools = createTools({
  catalogue: 'enforce',
  lookup: {
    modules: MODULES,
    find: () => undefined,
    hint: () => ({ unknown: 'module', text: '' }),
  },
  keyPlacement: 'header',
  timeout: () => 1000,
  generateTimeout: 1000,
  warn: () => undefined,
})

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
  for (const [goal, tool] of GUIDE) assert.ok(INSTRUCTIONS.includes(`${goal}: ${tool}`), goal)
})

test('the instructions hold the considerations for agents', () => {
  assert.match(INSTRUCTIONS, /keys included, may stay in the conversation/)
  assert.match(INSTRUCTIONS, /results may contain sensitive data/)
  assert.match(INSTRUCTIONS, /can mutate platform state/)
  assert.match(INSTRUCTIONS, /read-only requests \("list databases", not "delete all records"\)/)
  assert.match(INSTRUCTIONS, /least-privilege workspaces/)
  assert.match(INSTRUCTIONS, /separate workspaces for production and development/)
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
