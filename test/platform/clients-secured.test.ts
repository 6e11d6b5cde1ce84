// The command lines of docs/clients.md against a service that knows its callers, as the page has them but for host and port.
import assert from 'node:assert/strict'
import { readFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync, chmodSync, copyFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { parse } from 'yaml'
import { type Emulator, startEmulator } from '../../src/emulator/index.ts'
import { EXECUTE, TOOL_NAMES } from './lib/calls.ts'
import { type Certificates, makeCertificates, PUBLIC_URL } from './lib/certs.ts'
import { type Nginx, startNginx } from './lib/nginx.ts'
import { complete, type Running, start } from './lib/process.ts'
import { LIMITS, LISTENING, mtlsSection, POLICY, startUnixService, type UnixService } from './lib/service.ts'
import { PEERS, ROOT, unless } from './lib/tools.ts'

const MAIN = join(ROOT, 'src/main.ts')
const SHOWN = 'https://mcp.example.com'

/** The shell blocks of the page whose text fits. */
function shown(pattern: RegExp): string[] {
  const page = readFileSync(join(ROOT, 'docs/clients.md'), 'utf8')
  return [...page.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, text]) => text ?? '').filter((text) => pattern.test(text))
}
