// Starts the emulator in this process and the service beside it, as `ductape-mcp serve --config FILE` from the sources.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Emulator, startEmulator } from '../../../src/emulator/index.ts'
import { type Running, start } from './process.ts'
import { ROOT } from './tools.ts'

export const LISTENING = /listening on (http:\/\/127\.0\.0\.1:(\d+))/

export interface Service {
  readonly emulator: Emulator
  /** The MCP endpoint. */
  readonly url: string
  readonly process: Running
  readonly close: () => Promise<void>
}

export function configYaml(backendUrl: string, listen = '127.0.0.1:0'): string {
  return `version: 1\nlisten: "${listen}"\nops: "127.0.0.1:0"\nbackend:\n  url: "${backendUrl}"\n`
}

export async function startService(): Promise<Service> {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-service-'))
  const emulator = await startEmulator()
  const config = join(folder, 'config.yaml')
  writeFileSync(config, configYaml(emulator.url))
  const service = start(process.execPath, [join(ROOT, 'src/main.ts'), 'serve', '--config', config], {
    cwd: folder,
    env: {},
  })
  const close = async (): Promise<void> => {
    await service.stop()
    await emulator.close()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const match = await service.line(LISTENING)
    return { emulator, url: `${match[1]}/mcp`, process: service, close }
  } catch (error) {
    await close()
    throw error
  }
}
