// A replica as far as revocations go, as a process of its own: `replica.ts URL VALUE...` says each value on standard error when it is revoked.
import { createRevocations } from '../../../src/identity/revocations/index.ts'
import { createStore } from '../../../src/store/index.ts'
import { FLEET } from './lib.ts'

const [url = '', ...values] = process.argv.slice(2)
const store = await createStore(
  { redis: { url, prefix: 'ductape-mcp', timeout: 500 } },
  { now: Date.now, random: Math.random, readFile: () => '', report: () => undefined },
)
const revocations = createRevocations({
  store,
  fleet: FLEET,
  now: Date.now,
  onEvent: () => undefined,
  pollEvery: 2000,
})
await revocations.start()
process.stderr.write('ready\n')

const waiting = new Set(values)
setInterval(() => {
  for (const value of waiting) {
    if (!revocations.isRevoked('jti', value)) continue
    waiting.delete(value)
    process.stderr.write(`revoked ${value}\n`)
  }
}, 5)
