// Runs a command of the auditor in this process, over files of the test.
import { join } from 'node:path'
import { after } from 'node:test'
import type { AuditPorts, auditCommand } from '../../../src/cli/audit.ts'
import { UsageError } from '../../../src/cli/io.ts'
import type { receiptCommand } from '../../../src/cli/receipt.ts'
import { capture } from '../../client/lib.ts'
import { temporary } from '../../lib/process.ts'
import { START } from '../lib/builder.ts'

const PORTS: AuditPorts = { now: () => START + 60_000, isTerminal: false }

export async function command(
  start: typeof auditCommand | typeof receiptCommand,
  argv: readonly string[],
  ports = PORTS,
): Promise<{ code: number; out: string; err: string }> {
  const { io, out, err } = capture()
  try {
    const code = await start([...argv], io, ports)
    return { code, out: out(), err: err() }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    return { code: 2, out: out(), err: err() + error.message }
  }
}

export const folders: { remove(): void }[] = []
after(() => {
  for (const dir of folders) dir.remove()
})

export function folder(files: Record<string, string>): (name: string) => string {
  const dir = temporary()
  folders.push(dir)
  for (const [name, text] of Object.entries(files)) dir.file(name, text)
  return (name) => join(dir.path, name)
}
