// npm run test:platform: the tests that need real nginx, runc, Python and foreign clients (`scripts/tools` installs them).
import { defaults, runTier } from './lib/run-tests.ts'

process.exitCode = await runTier(
  {
    ...defaults(),
    include: ['test/platform/**/*.test.ts'],
    exclude: ['test/platform/peers/**'],
    // One at a time: these start servers and containers of their own and would only measure each other.
    concurrency: 1,
    testTimeoutMs: 180_000,
    fileTimeoutMs: 600_000,
  },
  process.argv.slice(2),
)
