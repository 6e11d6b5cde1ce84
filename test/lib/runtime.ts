// A runtime for tests that look at single stages: the built-in policy, no keys, no limits.
import { localPolicy } from '../../src/admission/policy/index.ts'
import type { Runtime } from '../../src/core/runtime.ts'
import { NO_LIMITS } from './app.ts'

export const RUNTIME: Runtime = {
  policy: localPolicy(),
  apiKeys: { size: 0, find: () => undefined },
  limits: NO_LIMITS,
}
