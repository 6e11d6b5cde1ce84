// The built-in policy `local`: without an authenticator and without a policy file, callers on the same machine may use every tool.
import { createHash } from 'node:crypto'
import { LOCAL_ROLE } from '../../core/principal.ts'
import { DEFAULT_EXPIRY } from '../approval/index.ts'
import { type CompiledPolicy, compilePolicy } from './compile.ts'
import type { PolicyFile } from './config.ts'

const TOOLS = ['ductape_execute', 'ductape_generate_payload', 'ductape_generate_snippet']

const FILE: PolicyFile = {
  version: 1,
  mode: 'enforce',
  roles: { [LOCAL_ROLE]: { allow: [{ name: LOCAL_ROLE, tool: TOOLS, approval: 'none' }], deny: [] } },
  policies: [],
  dangerous_tools: [],
  guards: { sql: [], cypher: [], path: [], url: [], secrets: [] },
  approvals: { expiry: DEFAULT_EXPIRY },
}

export function localPolicy(): CompiledPolicy {
  const compiled = compilePolicy(FILE, {
    digest: createHash('sha256').update(JSON.stringify(FILE)).digest('hex'),
    now: () => 0,
    operations: TOOLS.map((tool) => ({ tool, module: undefined, method: undefined, effect: 'read' })),
  })
  if (!compiled.ok) throw new Error('the built-in policy does not compile')
  return compiled.policy
}
