// The commands of examples/secured/README.md do what the page says, as they are printed.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { parse } from 'yaml'
import { type Served, serve } from '../lib/serve.ts'
import { page, ROOT } from './pages.ts'

const EXAMPLE = 'examples/secured'

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

describe(EXAMPLE, () => {
  const [first = '', second = ''] = [
    ...page(`${EXAMPLE}/README.md`).text.matchAll(/```sh\n([\s\S]*?)```/g),
  ].map(([, text]) => text ?? '')
  const [create = '', start = ''] = first.split('\n')
  const [environment = '', list = '', read = '', refused = ''] = second.split('\n')
  // As a checkout, but for what trying it out leaves behind.
  const root = mkdtempSync(join(tmpdir(), 'ductape-mcp-example-'))
  let service: Served

  /** A line of the page, in a shell; `url` is where the service of this test is. */
  const shell = (line: string): Promise<Ended> =>
    new Promise((done) => {
      const PATH = [dirname(process.execPath), process.env['PATH']].join(delimiter)
      execFile('/bin/sh', ['-c', line], { cwd: root, env: { PATH } }, (error, stdout, stderr) =>
        done({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      )
    })
  /** A call as the page has it, to where the service of this test is. */
  const call = (line: string): Promise<Ended> =>
    shell(`${environment}\n${line.replace(' call ', ` call --url ${service.url}/mcp `)}`)

  before(async () => {
    cpSync(join(ROOT, EXAMPLE), join(root, EXAMPLE), { recursive: true })
    for (const name of ['src', 'node_modules', 'package.json'])
      symlinkSync(join(ROOT, name), join(root, name))
    const made = await shell(create)
    assert.equal(made.code, 0, made.stderr)
    assert.equal(start, `node src/main.ts serve --config ${EXAMPLE}/config.yaml --emulator`)
    const config = parse(readFileSync(join(root, EXAMPLE, 'config.yaml'), 'utf8')) as object
    service = await serve({
      config: { ...config, listen: '127.0.0.1:0' },
      args: ['--emulator'],
      cwd: root,
    })
  })
  after(async () => {
    service?.child.kill('SIGTERM')
    await service?.exit
    rmSync(root, { recursive: true, force: true })
  })

  it('shows the tools to the holder of the key', async () => {
    const { code, stdout, stderr } = await call(list)
    assert.equal(code, 0, stderr)
    assert.match(stdout, /^ductape_execute$/m)
  })

  it('reads', async () => {
    const { code, stdout, stderr } = await call(read)
    assert.equal(code, 0, stderr)
    assert.match(stdout, /"slug": "prd"/)
  })

  it('refuses what the role does not allow', async () => {
    const { code, stderr } = await call(refused)
    assert.equal(code, 1)
    assert.match(stderr, /not permitted for role "reader"/)
  })

  it('refuses who has no key', async () => {
    const { code, stderr } = await call(list.replace('node', 'DUCTAPE_MCP_TOKEN_FILE= node'))
    assert.equal(code, 1)
    assert.match(stderr, /token_missing/)
  })
})
