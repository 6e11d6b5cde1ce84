// npm test: every test that needs nothing but npm packages. Words after `--` keep the files whose path contains one of them.
import { defaults, runTier } from './lib/run-tests.ts'

process.exitCode = await runTier(
  {
    ...defaults(),
    include: ['test/**/*.test.ts'],
    exclude: ['test/platform/**', 'test/verify/**'],
    testTimeoutMs: 120_000,
    fileTimeoutMs: 300_000,
  },
  process.argv.slice(2),
)
