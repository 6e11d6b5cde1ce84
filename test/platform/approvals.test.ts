// Approvals over three processes and one real Redis or Valkey, which is killed half way together with one of the processes.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { runReplicas } from '../approval/lib/replicas.ts'
import { SERVERS, type Server, startServer } from '../store/lib/server.ts'
import { unless } from './lib/tools.ts'

/** The full count on the one, a slice on the other. */
const ROUNDS: Readonly<Record<string, number>> = { Redis: 2000, Valkey: 400 }
const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)

for (const { name, program } of SERVERS) {
  const rounds = ROUNDS[name] ?? 0
  describe(`three processes and one ${name}`, { skip: unless(program) }, () => {
    let server: Server
    before(async () => {
      server = await startServer(program)
    })
    after(() => server.stop())

    test(`${rounds} rounds from seed ${seed}: an approval is used once, by who asked, for what was asked`, async (t) => {
      const { problems, passed, undisturbed, ended } = await runReplicas({ server, seed, rounds })
      t.diagnostic(
        `${passed} calls passed, ${undisturbed} rounds undisturbed; ${JSON.stringify(Object.fromEntries(ended))}`,
      )
      assert.deepEqual(problems.slice(0, 10), [])
      assert.ok(undisturbed > rounds / 2, `${undisturbed} rounds undisturbed`)
      assert.ok((ended.get('store_unavailable') ?? 0) > 0, 'the store was lost')
    })
  })
}
