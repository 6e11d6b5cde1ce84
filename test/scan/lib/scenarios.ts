// How the refusal of the scan comes about in the whole service: a row of the matrix in test/http/secured-scenarios.ts.
import type { DenialCode } from '../../../src/core/denials.ts'
import type { Scenario } from '../../http/secured-scenarios.ts'
import { bearer, type Secured, startSecured } from '../../live/lib/secured.ts'

/** Lets nothing out that looks like a secret. */
let scanned: Secured

export const SECRET = ['ghp_', 'a1B2c3D4e5F6g7H8i9', 'J0k1L2m3N4o5P6q7R8'].join('')

export async function startScanned(): Promise<Secured> {
  scanned = await startSecured({
    callers: { agent: {} },
    live: {
      'scan.yaml': {
        patterns: [{ id: 'any', keywords: ['env_name'], pattern: 'env_name' }],
        rules: { any: 'block' },
      },
    },
  })
  return scanned
}

export const SCAN_SCENARIOS: Partial<Record<DenialCode, Scenario>> = {
  result_blocked: { service: () => scanned, headers: bearer('agent'), who: 'agent' },
}
