// Which tests answer for which checks of identity and policy, and the mutants that need no test, each with its reason.
import { globSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Mutant } from './mutate.ts'
import { EQUIVALENTS } from './mutation-equivalents.ts'
import type { Suite } from './mutation-run.ts'

export const ROOT = resolve(import.meta.dirname, '../../..')

/** What holds for all of identity: the stage, the challenges and every refusal over HTTP. */
const WHOLE = [
  'test/security/access.test.ts',
  'test/identity/*.test.ts',
  'test/http/secured.test.ts',
  'test/config/command.test.ts',
]

export const SUITES: readonly Suite[] = [
  {
    of: 'src/identity/oauth/**/*.ts',
    tests: [
      'test/identity/oauth/{config,discovery,keys}*.test.ts',
      'test/identity/oauth/{rows,issuer}*.test.ts',
      'test/identity/oauth/*.test.ts',
      ...WHOLE,
    ],
  },
  {
    of: 'src/identity/dpop/**/*.ts',
    tests: ['test/identity/dpop/{proofs,nonce}*.test.ts', 'test/identity/dpop/*.test.ts', ...WHOLE],
  },
  {
    of: 'src/identity/apikey/**/*.ts',
    tests: ['test/identity/apikey/{records,keys}*.test.ts', 'test/identity/apikey/*.test.ts', ...WHOLE],
  },
  {
    of: 'src/identity/mtls/**/*.ts',
    tests: ['test/identity/mtls/{names,refusals}*.test.ts', 'test/identity/mtls/*.test.ts', ...WHOLE],
  },
  {
    of: 'src/identity/revocations/**/*.ts',
    tests: [
      'test/identity/revocations/{forged,admin,registry}*.test.ts',
      'test/identity/revocations/*.test.ts',
      ...WHOLE,
    ],
  },
  {
    // What the replicas tell each other of revocations.
    of: 'src/store/replicated.ts',
    tests: [
      'test/identity/revocations/{forged,registry}*.test.ts',
      'test/store/replicated.test.ts',
      'test/identity/revocations/*.test.ts',
    ],
  },
  {
    of: 'src/identity/people/**/*.ts',
    tests: ['test/approvals-surface/{config,sign-in}.test.ts', ...WHOLE],
  },
  {
    of: 'src/identity/*.ts',
    tests: [
      ...WHOLE,
      'test/client/secured.test.ts',
      'test/identity/revocations/admin.test.ts',
      'test/approvals-surface/{config,rest,sign-in}.test.ts',
    ],
  },
  {
    of: 'src/admission/policy/cel{,-*}.ts',
    tests: [
      'test/policy/cel/{conditions,corpus}*.test.ts',
      'test/policy/cel/*.test.ts',
      'test/policy/*.test.ts',
    ],
  },
  {
    of: 'src/admission/policy/*.ts',
    tests: [
      'test/policy/{decisions,seed,stage,file}*.test.ts',
      'test/policy/{command,properties}*.test.ts',
      'test/policy/*.test.ts',
      'test/policy/cel/conditions.test.ts',
      'test/guards/rules.test.ts',
      'test/security/access.test.ts',
    ],
  },
]

export const SOURCES = ['src/identity/', 'src/admission/policy/', 'src/store/replicated.ts']

/** Sources that no suite names: their checks would not be looked at. */
export function unnamedSources(): string[] {
  const named = new Set(SUITES.flatMap(({ of }) => globSync(of, { cwd: ROOT })))
  return SOURCES.flatMap((source) =>
    globSync(source.endsWith('/') ? `${source}**/*.ts` : source, { cwd: ROOT }),
  ).filter((file) => !named.has(file))
}

/** Why no test can notice this mutant; undefined = one has to. */
export const reasonFor = ({ file, text }: Mutant): string | undefined => EQUIVALENTS[file]?.[text]

/** Reasons for checks that are not there, `file: text`. */
export function idleReasons(mutants: readonly Mutant[]): string[] {
  const names = new Set(mutants.map(({ file, text }) => `${file}: ${text}`))
  return Object.entries(EQUIVALENTS)
    .flatMap(([file, rows]) => Object.keys(rows).map((text) => `${file}: ${text}`))
    .filter((name) => !names.has(name))
}

/** A slice of about this share, the same for the same seed (mulberry32). */
export function sample(mutants: readonly Mutant[], share: number, seed: number): Mutant[] {
  let state = seed >>> 0
  return mutants.filter(() => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 < share
  })
}
