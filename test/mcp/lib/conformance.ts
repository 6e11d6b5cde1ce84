// Runs the official conformance suite against one build of the service on loopback, with the baseline of that build.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { startApp } from '../../lib/app.ts'
import { startFixture } from './fixture.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
export const BASELINES = join(ROOT, 'test/mcp/conformance')
const SUITE = join(ROOT, 'node_modules/@modelcontextprotocol/conformance/dist/index.js')

export const REVISIONS = ['2025-11-25', '2026-07-28'] as const
export type Revision = (typeof REVISIONS)[number]
/** `expected` is the product; `fixture` the same stack with the suite's own tools. */
export type Build = 'expected' | 'fixture'

const LIMIT = 60_000
const KEPT = 64 * 1024

export async function runSuite(build: Build, revision: Revision): Promise<{ code: number; output: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-conformance-'))
  const service = await (build === 'fixture' ? startFixture() : startApp())
  try {
    // The suite does not start on Node 20; execPath is the project's own.
    const child = spawn(
      process.execPath,
      [
        SUITE,
        'server',
        '--url',
        service.mcp,
        '--requirements',
        revision,
        '--expected-failures',
        join(BASELINES, `${build}-failures-${revision}.yml`),
      ],
      { cwd: folder, env: {}, stdio: ['ignore', 'pipe', 'pipe'], timeout: LIMIT },
    )
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output = (output + chunk).slice(-KEPT)
      })
    }
    const [code] = (await once(child, 'close')) as [number | null]
    return { code: code ?? 1, output }
  } finally {
    await service.close()
    rmSync(folder, { recursive: true, force: true })
  }
}
