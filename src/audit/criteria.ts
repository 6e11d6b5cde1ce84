// Which file of the evidence bundle shows what to a SOC 2 auditor; docs/soc2.md says more about each criterion.

export interface Criterion {
  readonly id: string
  readonly files: readonly string[]
  /** What an auditor reads out of them. */
  readonly shows: string
}

export const CRITERIA: readonly Criterion[] = [
  {
    id: 'CC6.1',
    files: ['access-review.json', 'population.json'],
    shows: 'who was let in and how they authenticated; refusals by code',
  },
  {
    id: 'CC6.2',
    files: ['access-review.json'],
    shows: 'API keys with owner, purpose and expiry; last use of each',
  },
  {
    id: 'CC6.3',
    files: ['access-review.json', 'approvals.json', 'changes.json'],
    shows:
      'roles that were used, and those that nobody used; who approved whose calls; when the policy changed',
  },
  {
    id: 'CC6.6',
    files: ['population.json'],
    shows: 'refusals at the boundary: certificates, tokens, sizes, rates',
  },
  {
    id: 'CC6.7',
    files: ['access-review.json'],
    shows: 'which tools were used by whom; no values of arguments',
  },
  { id: 'CC6.8', files: ['changes.json'], shows: 'the version and configuration that ran at each time' },
  {
    id: 'CC7.1',
    files: ['changes.json', 'keys.json'],
    shows: 'changes of configuration, policy and signing keys',
  },
  { id: 'CC7.2', files: ['population.json'], shows: 'calls and refusals by hour, tool, caller and code' },
  {
    id: 'CC7.3',
    files: ['verification.json', 'population.json'],
    shows: 'that the log is complete and unaltered; calls whose effect is unknown',
  },
  {
    id: 'CC7.4',
    files: ['verification.json', 'changes.json'],
    shows:
      'crashes (chains without an end), what was in force then, what was revoked or switched off and by whom',
  },
  {
    id: 'CC8.1',
    files: ['changes.json', 'approvals.json'],
    shows:
      'digest of policy and configuration at each start and change; changes of data that a second person approved',
  },
  {
    id: 'A1',
    files: ['verification.json', 'population.json'],
    shows: 'starts, ends and gaps of each instance; refusals for overload',
  },
  {
    id: 'C1',
    files: ['access-review.json'],
    shows: 'access by tenant; the bundle itself holds no contents of calls',
  },
  {
    id: 'PI1',
    files: ['verification.json', 'population.json'],
    shows: 'each allowed call with its outcome, or named as unknown',
  },
]
