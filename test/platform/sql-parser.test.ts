// The bundle of the image finds the SQL parser's WebAssembly beside itself, under the flags of the image.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { build } from '../../scripts/build.ts'
import { entrypoint } from '../../scripts/image/entrypoint.ts'
import { callTool, EXECUTE, textOf } from '../lib/calls.ts'
import { type Child, startChild } from '../lib/child.ts'
import { temporary } from '../lib/process.ts'

describe('the bundle', () => {
  const folder = temporary()
  let child: Child
  let url = ''

  before(async () => {
    const { entry } = await build(join(folder.path, 'app'))
    const config = folder.file(
      'config.yaml',
      'version: 1\nlisten: "127.0.0.1:0"\nops: "127.0.0.1:0"\nbackend: { url: "http://127.0.0.1:9" }\n',
    )
    // Those of the image read /app/ and write nothing here.
    const flags = entrypoint().filter((flag) => flag.startsWith('--') && !flag.startsWith('--allow-fs'))
    child = startChild([entry, 'serve', '--config', config], {
      nodeOptions: [...flags, `--allow-fs-read=${folder.path}/`],
    })
    const [, listening = ''] = await child.says(/listening on (http:\S+)/)
    url = listening
  })
  after(async () => {
    await child?.stop()
    folder.remove()
  })

  const ask = async (query: string): Promise<string> =>
    textOf(
      await callTool(url, 'ductape_execute', {
        ...EXECUTE,
        module: 'databases',
        method: 'query',
        params: [{ product: 'p', env: 'dev', database: 'd', query }],
      }),
    )

  test('refuses what only the parser sees, and lets a query through', async () => {
    assert.match(await ask('SELECT a FROM b WHERE c = 1 OR 2 = 2'), /^\[sql_refused\]/)
    assert.match(await ask('SELECT a FROM b WHERE c = 1 OR d = 2'), /backend_unreachable/)
  })
})
