// Foreign MCP clients against the service and the emulator: each lists the three tools and calls every one of them.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { TOOL_CALLS, TOOL_NAMES, type ToolCall } from './lib/calls.ts'
import { complete } from './lib/process.ts'
import { type Service, startService } from './lib/service.ts'
import { PEERS, PYTHON, ROOT, unless } from './lib/tools.ts'

interface Report {
  readonly tools: readonly string[]
  readonly answers: readonly { readonly name: string; readonly isError: boolean; readonly text: string }[]
  readonly protocol?: string
}

describe('foreign clients', () => {
  // Some clients keep files in their user's home: give them one that goes away.
  const home = mkdtempSync(join(tmpdir(), 'ductape-mcp-clients-'))
  let service: Service

  before(async () => {
    service = await startService()
  })

  after(async () => {
    await service?.close()
    rmSync(home, { recursive: true, force: true })
  })

  async function run(file: string, args: readonly string[], input: string): Promise<string> {
    const env = { HOME: home, PATH: process.env['PATH'] ?? '', PYTHONDONTWRITEBYTECODE: '1' }
    const { code, stdout, stderr } = await complete(file, args, { cwd: home, env, input })
    assert.equal(code, 0, `${stderr}\n${stdout}`)
    return stdout
  }

  function check({ tools, answers }: Report): void {
    assert.deepEqual([...tools].sort(), TOOL_NAMES)
    assert.deepEqual(
      answers.map(({ name, isError }) => ({ name, isError })),
      TOOL_CALLS.map(({ name }) => ({ name, isError: false })),
    )
    for (const [index, { answer }] of TOOL_CALLS.entries()) assert.match(answers[index]?.text ?? '', answer)
  }

  for (const [mode, protocol] of [
    ['auto', '2026-07-28'],
    ['legacy', '2025-11-25'],
  ] as const)
    test(`Python mcp, ${mode}`, { skip: unless('python packages') }, async () => {
      const script = join(ROOT, 'test/platform/clients/mcp_client.py')
      const report = JSON.parse(
        await run(PYTHON, [script, service.url, mode], JSON.stringify(TOOL_CALLS)),
      ) as Report
      check(report)
      assert.equal(report.protocol, protocol)
    })

  test('@ai-sdk/mcp', { skip: unless('npm peers') }, async () => {
    const script = join(ROOT, 'test/platform/peers/ai-sdk.mjs')
    check(
      JSON.parse(await run(process.execPath, [script, service.url], JSON.stringify(TOOL_CALLS))) as Report,
    )
  })

  test('Inspector CLI', { skip: unless('npm peers') }, async () => {
    const cli = async <T>(...args: string[]): Promise<T> => {
      const launcher = join(PEERS, '@modelcontextprotocol/inspector/clients/launcher/build/index.js')
      const all = [launcher, '--cli', service.url, '--transport', 'http', ...args]
      return JSON.parse(await run(process.execPath, all, '')) as T
    }
    const toolArgs = (call: ToolCall): string[] =>
      Object.entries(call.arguments).flatMap(([name, value]) => [
        '--tool-arg',
        `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
      ])
    const { tools } = await cli<{ tools: { name: string }[] }>('--method', 'tools/list')
    const answers: Report['answers'][number][] = []
    for (const call of TOOL_CALLS) {
      const method = ['--method', 'tools/call', '--tool-name', call.name]
      const result = await cli<{ isError?: boolean; content: { text: string }[] }>(
        ...method,
        ...toolArgs(call),
      )
      const text = result.content.map((part) => part.text).join('\n')
      answers.push({ name: call.name, isError: result.isError === true, text })
    }
    check({ tools: tools.map(({ name }) => name), answers })
  })
})
