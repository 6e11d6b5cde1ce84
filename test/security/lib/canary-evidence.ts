// Plants secrets and personal data in arguments, results, headers and errors of calls, and gathers what is kept as evidence: records, receipts, OCSF events, the bundle.
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { publicJwk, thumbprint } from '../../../src/audit/jws.ts'
import { createOcsf } from '../../../src/audit/ocsf.ts'
import { evidenceCommand } from '../../../src/cli/evidence.ts'
import type { JsonObject } from '../../../src/core/json.ts'
import { EXECUTE } from '../../lib/calls.ts'
import { listenLocal } from '../../lib/ports.ts'
import { NO_LIMITS, serve } from '../../lib/serve.ts'
import { call, WAYS, type Way } from '../../live/lib/secured.ts'
import { findSecrets } from './canary.ts'
import type { Planted } from './canary-requests.ts'

/** Four digits are enough to tell them apart. */
const digits = (n: number, count: number): string => `${1000 + n}7654321098`.slice(0, count)

/** Texts that nobody wants to find in a log; a number makes each one of its own. */
const KINDS: readonly ((n: number) => string)[] = [
  (n) => `AKIA${digits(n, 8)}WXYZ${digits(n, 4)}`,
  (n) => `ghp_${digits(n, 10)}abcdefghijklmnopqrstuvwxyz`,
  (n) => `xoxb-${digits(n, 10)}-${digits(n, 12)}-abcdefabcdef`,
  (n) => `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI${digits(n, 9)}In0.c2lnbmF0dXJl${digits(n, 6)}`,
  (n) => `sk_live_${digits(n, 12)}abcdefghijkl`,
  (n) => `correct horse battery ${digits(n, 7)}`,
  (n) => `postgres://admin:pw${digits(n, 8)}@db.internal/main`,
  (n) => `-----BEGIN PRIVATE KEY----- MC4CAQAwBQ${digits(n, 9)}`,
  (n) => `jane.doe.${digits(n, 7)}@mail.example`,
  (n) => `+49 30 ${digits(n, 4)} ${digits(n, 5)}`,
  (n) => `078-05-${digits(n, 9)}`,
  (n) => `4111 1111 ${digits(n, 4)} ${digits(n, 7)}`,
  (n) => `DE89 3704 ${digits(n, 4)} ${digits(n, 8)}`,
  (n) => `Erika Mustermann, Heidestr. ${digits(n, 7)}, Köln`,
  (n) => `diagnosis: F32.${digits(n, 7)}`,
  (n) => `born 1984-07-${digits(n, 7)}`,
]

const COUNT = 208
export const PLANTED: readonly Planted[] = Array.from({ length: COUNT }, (_, n) => ({
  place: `number ${n}`,
  key: (KINDS[n % KINDS.length] as (n: number) => string)(n),
}))

export interface EvidenceCanary {
  /** Characters of each that were searched. */
  searched: Record<string, number>
  /** How many of the texts reached the backend, and callers: what nobody sent is easily not found. */
  sent: number
  answered: number
  problems: string[]
}

export async function runEvidenceCanary(): Promise<EvidenceCanary> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'ductape-mcp-canary-'))
  const at = (name: string): string => path.join(folder, name)
  mkdirSync(at('live'))
  mkdirSync(at('records'))
  const { privateKey } = generateKeyPairSync('ed25519')
  writeFileSync(at('key.pem'), privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 })
  const jwk = publicJwk(createPublicKey(privateKey))
  writeFileSync(
    at('keys.json'),
    JSON.stringify({ keys: [{ ...jwk, alg: 'EdDSA', kid: thumbprint(jwk), use: 'sig' }] }),
  )
  writeFileSync(at('live/limits.yaml'), JSON.stringify(NO_LIMITS))
  // Everything has to travel all the way, so that it could get into the evidence.
  writeFileSync(at('live/scan.yaml'), JSON.stringify({ version: 1, secret: 'off' }))
  writeFileSync(
    at('live/policy.yaml'),
    JSON.stringify({ roles: { local: { allow: [{ tool: '*', approval: 'none' }] } } }),
  )

  const received: string[] = []
  let reply: { status: number; body: unknown } = { status: 200, body: {} }
  const backend = createServer((request, response) => {
    request.toArray().then((chunks: Buffer[]) => {
      received.push(Buffer.concat(chunks).toString())
      response.writeHead(reply.status, { 'content-type': 'application/json', 'x-request-id': 'req_canary' })
      response.end(JSON.stringify(reply.body))
    })
  })
  const port = await listenLocal(backend)
  const service = await serve({
    config: {
      live: at('live'),
      backend: { url: `http://127.0.0.1:${port}` },
      http: { allowedHosts: ['mcp.example.com'], peerRate: { perMinute: 10_000_000, burst: 1_000_000 } },
      audit: { mode: 'strict', sink: { directory: at('records') } },
      receipts: { keys: { file: at('key.pem') } },
    },
  })
  const answers: string[] = []
  const receipts: string[] = []
  try {
    const ask = async (way: Way, args: object, headers: Record<string, string> = {}): Promise<void> => {
      const { body, headers: got, text } = await call(service, way, { args, headers })
      answers.push(text)
      const result = (body as { result?: { _meta?: JsonObject } }).result
      for (const receipt of [result?._meta?.['app.ductape/receipt'], got['ductape-receipt']])
        if (receipt !== undefined)
          receipts.push(
            typeof receipt === 'string'
              ? Buffer.from(receipt, 'base64url').toString()
              : JSON.stringify(receipt),
          )
    }
    for (const [n, { key }] of PLANTED.entries()) {
      const way = WAYS[n % WAYS.length] as Way
      reply = { status: 200, body: { status: true, data: { [key]: key, list: [key] } } }
      // In values, in names of members, and where a safe field is looked for.
      await ask(way, {
        ...EXECUTE,
        params: [{ product: key, env: key, data: { note: key, [key]: 1, deep: [{ password: key }] } }],
      })
      // In headers that the service reads, and in some that it does not.
      const header = encodeURIComponent(key)
      await ask(way, EXECUTE, {
        'user-agent': header,
        'x-request-id': header,
        'idempotency-key': header,
        'x-note': header,
        traceparent: header,
      })
      // In arguments that are refused.
      await ask(way, { ...EXECUTE, module: key })
      await ask(way, { ...EXECUTE, method: key, [key]: key })
      // In errors of the backend.
      reply = { status: 200, body: { status: false, message: `failed for ${key}`, code: key, errors: [key] } }
      await ask(way, EXECUTE)
      reply = { status: 500, body: { message: key } }
      await ask(way, EXECUTE)
    }
    service.child.kill('SIGTERM')
    await service.exit
    const records = readdirSync(at('records'))
      .map((name) => readFileSync(at(`records/${name}`), 'utf8'))
      .join('')
    const evidence = {
      records,
      receipts: receipts.join('\n'),
      ocsf: ocsfOf(records),
      bundle: await bundleOf(at),
    }
    return {
      searched: Object.fromEntries(Object.entries(evidence).map(([name, text]) => [name, text.length])),
      sent: findSecrets(received.join('\n'), PLANTED).length,
      answered: findSecrets(answers.join('\n'), PLANTED).length,
      problems: Object.entries(evidence).flatMap(([name, text]) =>
        findSecrets(text, PLANTED).map(({ key, place }) => `${name}: ${place}, ${key}`),
      ),
    }
  } finally {
    service.child.kill('SIGKILL')
    backend.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

function ocsfOf(records: string): string {
  const toOcsf = createOcsf()
  return records
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.stringify(toOcsf(JSON.parse(line) as JsonObject) ?? {}))
    .join('\n')
}

async function bundleOf(at: (name: string) => string): Promise<string> {
  let said = ''
  const argv = [
    '--from',
    '2020-01-01',
    '--to',
    '2100-01-01',
    '--out',
    at('bundle'),
    '--keys',
    at('keys.json'),
  ]
  const code = await evidenceCommand([...argv, '--policy', at('live/policy.yaml'), at('records')], {
    out: () => undefined,
    err: (text) => {
      said += text
    },
    env: {},
    readFile: (name) => readFileSync(name, 'utf8'),
  })
  if (code !== 0) throw new Error(said)
  return readdirSync(at('bundle'))
    .map((name) => readFileSync(at(`bundle/${name}`), 'utf8'))
    .join('\n')
}
