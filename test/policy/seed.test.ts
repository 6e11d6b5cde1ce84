// Seed 004: its policy file loads as it stands (5.1), its cases hold (11.1), and the rules behind them mean what 5.2 does.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { policyOf, question } from './lib/policy.ts'

const SEED_FILE = readFileSync(new URL('files/seed-004.yaml', import.meta.url), 'utf8')

/** A tool that is not one of ours: it has neither module nor method. */
const asks = (role: string, tool: string, operation?: string) =>
  question([role], { tool, module: undefined, method: operation, env: [], product: [] })

describe('Tool Authorization (seed 004, 11.1)', () => {
  const policy = policyOf(SEED_FILE)
  const isToolAllowed = (role: string, tool: string, operation?: string): boolean =>
    policy.decide(asks(role, tool, operation)).allowed

  it('should deny developer access to execute_command', () => {
    assert.equal(isToolAllowed('developer', 'execute_command'), false)
  })

  it('should allow developer access to read_file', () => {
    assert.equal(isToolAllowed('developer', 'read_file'), true)
  })

  it('should allow admin access to everything', () => {
    assert.equal(isToolAllowed('admin', 'execute_command'), true)
    assert.equal(isToolAllowed('admin', 'delete_file'), true)
  })

  it('should deny unknown roles', () => {
    assert.equal(isToolAllowed('unknown-role', 'read_file'), false)
  })

  it('should deny readonly-agent access to write_file', () => {
    assert.equal(isToolAllowed('readonly-agent', 'write_file'), false)
  })

  it('agrees with isToolAllowed of 5.2 for every role and tool of the file', () => {
    interface SeedPolicy {
      role: string
      allowed: string[]
      denied: string[]
    }
    const policies: SeedPolicy[] = [
      {
        role: 'developer',
        allowed: ['read_file', 'search_code', 'run_tests'],
        denied: ['execute_command', 'write_file', 'delete_file'],
      },
      { role: 'admin', allowed: ['*'], denied: [] },
      {
        role: 'readonly-agent',
        allowed: ['read_file', 'list_directory', 'query_database:SELECT'],
        denied: ['*'],
      },
    ]
    // Word for word but for the types.
    const seed = (userRole: string, toolName: string): boolean => {
      const policy = policies.find((p) => p.role === userRole)
      if (!policy) return false
      if (policy.denied.includes(toolName)) return false
      if (policy.denied.includes('*') && !policy.allowed.includes(toolName)) return false
      if (policy.allowed.includes('*')) return true
      if (policy.allowed.includes(toolName)) return true
      return false
    }
    const tools = [
      'read_file',
      'search_code',
      'run_tests',
      'execute_command',
      'write_file',
      'delete_file',
      'list_directory',
      'some_other_tool',
    ]
    for (const role of ['developer', 'admin', 'readonly-agent', 'unknown-role']) {
      for (const tool of tools) assert.equal(isToolAllowed(role, tool), seed(role, tool), `${role} ${tool}`)
    }
  })
})

describe('the rest of seed 004 5.1', () => {
  const policy = policyOf(SEED_FILE)

  it('requires_approval asks for approval, whoever allows the tool', () => {
    assert.equal(policy.decide(asks('admin', 'execute_command')).approval, 'confirm')
    assert.equal(policy.decide(asks('admin', 'write_file')).approval, 'confirm')
    assert.equal(policy.decide(asks('admin', 'read_file')).approval, 'none')
  })

  it('max_executions_per_session is handed to the limits', () => {
    assert.deepEqual([...policy.executionCaps], [['execute_command', 5]])
  })

  it('tool:OPERATION allows one operation, and allowed_operations denies the others to everybody', () => {
    assert.equal(policy.decide(asks('readonly-agent', 'query_database', 'SELECT')).allowed, true)
    assert.equal(policy.decide(asks('readonly-agent', 'query_database', 'DELETE')).allowed, false)
    assert.equal(policy.decide(asks('admin', 'query_database', 'SELECT')).allowed, true)
    assert.equal(policy.decide(asks('admin', 'query_database', 'DELETE')).rule, 'dangerous_tools/2')
    // Without an operation nobody can tell that it is an allowed one.
    assert.equal(policy.decide(asks('admin', 'query_database')).allowed, false)
  })

  it('names the rule that decides', () => {
    assert.equal(policy.decide(asks('developer', 'search_code')).rule, 'developer/allowed_tools/1')
    assert.equal(policy.decide(asks('developer', 'write_file')).rule, 'developer/denied_tools/1')
    assert.equal(policy.decide(asks('readonly-agent', 'write_file')).rule, 'readonly-agent/denied_tools/0')
    assert.equal(policy.decide(asks('developer', 'list_directory')).rule, undefined)
  })

  it('for our tools an operation is module.method, also as a pattern, or the effect in capitals', () => {
    const ours = policyOf(`
      policies:
        - role: reader
          allowed_tools: ["ductape_execute:READ", "ductape_generate_*"]
          denied_tools: ["ductape_execute:secrets.*"]
        - role: tester
          allowed_tools: ["ductape_execute:databases.*"]
      dangerous_tools:
        - name: ductape_execute
          allowed_operations: [READ, WRITE]
    `)
    const rows: [string, Parameters<typeof question>[1], boolean][] = [
      ['reader', {}, true],
      ['reader', { effect: 'write' }, false],
      ['reader', { module: 'secrets', method: 'list' }, false],
      ['reader', { tool: 'ductape_generate_payload', module: undefined, method: undefined }, true],
      ['tester', { method: 'insert', effect: 'write' }, true],
      ['tester', { method: 'drop', effect: 'destructive' }, false],
      ['tester', { module: 'graph' }, false],
    ]
    for (const [role, given, allowed] of rows)
      assert.equal(ours.decide(question([role], given)).allowed, allowed, JSON.stringify([role, given]))
  })

  it('a method outside the catalogue may be any operation: none that is allowed by name, each that is denied by name', () => {
    const outside = { module: undefined, method: undefined, effect: 'admin' } as const
    const decides = (denied: string, allowed = 'ductape_execute', more = '') =>
      policyOf(
        `{ policies: [{ role: r, allowed_tools: ["${allowed}"], denied_tools: [${denied}] }]${more} }`,
      ).decide(question(['r'], outside)).allowed
    assert.equal(decides(''), true)
    assert.equal(decides('"ductape_execute:secrets.*"'), false)
    assert.equal(decides('"ductape_execute:READ"'), true)
    assert.equal(decides('"ductape_execute:ADMIN"'), false)
    assert.equal(decides('', 'ductape_execute:ADMIN'), true)
    assert.equal(decides('', 'ductape_execute:secrets.*'), false)
    const only = (operation: string): string =>
      `, dangerous_tools: [{ name: ductape_execute, allowed_operations: ["${operation}"] }]`
    assert.equal(decides('', 'ductape_execute', only('databases.*')), false)
    assert.equal(decides('', 'ductape_execute', only('ADMIN')), true)
    // What denied "*" spares has to be certain as well.
    assert.equal(decides('"*"', 'ductape_execute:secrets.*'), false)
  })

  it('denied "*" spares what allowed_tools names, and "*" among them names nothing', () => {
    const both = policyOf(`policies: [{ role: r, allowed_tools: ["*", "a_*"], denied_tools: ["*"] }]`)
    assert.equal(both.decide(asks('r', 'a_tool')).allowed, true)
    assert.equal(both.decide(asks('r', 'b_tool')).allowed, false)
    // It denies to whoever has the role, whatever another role allows.
    const two = policyOf(`
      policies:
        - { role: narrow, allowed_tools: [a], denied_tools: ["*"] }
        - { role: wide, allowed_tools: ["*"] }
    `)
    const tool = { tool: 'b', module: undefined, method: undefined }
    assert.equal(two.decide(question(['wide'], tool)).allowed, true)
    assert.equal(two.decide(question(['wide', 'narrow'], tool)).allowed, false)
  })

  it('stands beside roles of the own form', () => {
    const mixed = policyOf(`
      version: 1
      roles: { own: { allow: [{ tool: ductape_execute, effect: read }] } }
      policies: [{ role: seed, allowed_tools: [ductape_execute] }]
      dangerous_tools: [{ name: ductape_execute, requires_approval: true }]
    `)
    assert.deepEqual(mixed.roles, ['own', 'seed'])
    assert.equal(mixed.decide(question(['own'])).approval, 'confirm')
    assert.equal(mixed.decide(question(['seed'], { effect: 'admin' })).allowed, true)
    assert.equal(mixed.decide(question(['own'], { effect: 'admin' })).allowed, false)
  })
})
