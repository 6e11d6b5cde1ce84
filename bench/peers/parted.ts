// `serve` from the sources with parts left out, on the same sockets as the whole: PARTS_WITHOUT names them, separated by commas.
import { parseArgs } from 'node:util'
import { createApp, type Overrides } from '../../src/app.ts'
import { processIo } from '../../src/cli/io.ts'
import { prepare } from '../../src/cli/prepare.ts'
import { STAGES } from '../../src/pipeline.ts'

const { config: configPath } = parseArgs({ options: { config: { type: 'string' } } }).values
const without = new Set((process.env['PARTS_WITHOUT'] ?? '').split(',').filter((name) => name !== ''))

/** Takes every record and writes none: of 64 digits, as a hash has. */
const nothing = (): string => '0'.repeat(64)

const overrides: Overrides = {
  stages: STAGES.filter(({ name }) => !without.has(name)),
  ...(without.has('records') && {
    records: { decision: nothing, outcome: nothing, refusals: nothing, reload: nothing },
  }),
  ...(without.has('receipts') && { issue: async () => undefined }),
}
const prepared = await prepare({ configPath, io: processIo(), recordsTo: 1 })
const { config } = prepared
if (config.listen.kind !== 'tcp') throw new Error('a bench listens on TCP')
const measured = !without.has('telemetry')
const app = await createApp(
  measured ? config : { ...config, ops: undefined },
  measured ? prepared.ports : { ...prepared.ports, tracing: undefined },
  overrides,
)
await new Promise<void>((resolve) => {
  if (config.listen.kind === 'tcp') app.main.listen(config.listen.port, config.listen.host, resolve)
})
app.watch()
await app.preload()
process.on('SIGTERM', async () => {
  await app.drain()
  await prepared.flush(app.close())
  process.exit(0)
})
