// A service that knows its callers, for the command tests: three API keys, a policy, and the files that it reads.
import { randomBytes } from 'node:crypto'
import type { Config } from '../../src/config/index.ts'
import { hashKey, makeKey } from '../../src/identity/apikey/index.ts'
import { authSection } from '../../src/identity/config.ts'
import { startApp, type TestApp } from '../lib/app.ts'
import { temporary } from '../lib/process.ts'

const PUBLIC_URL = 'https://mcp.example.com'

export interface Secured extends TestApp {
  /** `config.yaml` of this service, as JSON; the port of `listen` is the real one. */
  config: Record<string, unknown>
  /** API keys: of a reader, of one whose role may write but whose scopes may not, and of one without a role. */
  reader: string
  writer: string
  stranger: string
  /** Origin of the ops listener. */
  ops: string
  /** The folder of live/. */
  live: string
}

export async function startSecured(socket?: string): Promise<Secured> {
  const keys = [0, 1, 2].map(() => makeKey(randomBytes(32))) as [string, string, string]
  const live = temporary()
  const roles = [['reader'], ['writer'], []]
  live.file(
    'keys.yaml',
    JSON.stringify({
      keys: keys.map((key, index) => ({
        id: `k${index}`,
        sha256: hashKey(key),
        owner: `owner-${index}`,
        purpose: 'test',
        roles: roles[index],
        scopes: ['ductape:read'],
      })),
    }),
  )
  live.file(
    'policy.yaml',
    JSON.stringify({
      roles: {
        reader: { allow: [{ effect: 'read' }] },
        writer: { allow: [{ tool: '*', approval: 'none' }] },
      },
    }),
  )
  const auth = authSection.parse({ apiKeys: {} })
  const app = await startApp({
    config: {
      publicUrl: PUBLIC_URL,
      auth: auth as Config['auth'],
      live: live.path,
      ...(socket !== undefined && { listen: { kind: 'unix', path: socket } as const }),
    },
  })
  await new Promise<void>((resolve) => app.app.ops.listen(0, '127.0.0.1', resolve))
  const { port } = app.app.ops.address() as { port: number }
  const [reader, writer, stranger] = keys
  return {
    ...app,
    reader,
    writer,
    stranger,
    live: live.path,
    ops: `http://127.0.0.1:${port}`,
    config: {
      publicUrl: PUBLIC_URL,
      auth: { apiKeys: {} },
      live: live.path,
      listen: socket === undefined ? new URL(app.url).host : `unix:${socket}`,
      ops: `127.0.0.1:${port}`,
      backend: { url: app.emulator?.url },
    },
    async close() {
      await app.close()
      live.remove()
    },
  }
}
