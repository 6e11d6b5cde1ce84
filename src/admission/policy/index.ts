// The policy: compiles live/policy.yaml, decides calls and listings, explains and checks.
export {
  type CompiledPolicy,
  type CompileOptions,
  compilePolicy,
  type Finding,
  type PolicyResult,
} from './compile.ts'
export { loadConditionsFor } from './conditions.ts'
export type { PolicyFile } from './config.ts'
export { type ExplainedRule, type Explanation, explain } from './explain.ts'
export { type GivenRoles, lintPolicy } from './lint.ts'
export { localPolicy } from './local.ts'
export type { OperationRow } from './rule.ts'
export { missingScope } from './stage.ts'
