// What an auditor would hold of the run: the records of all pods as the cluster keeps them, the published keys, and `ductape-mcp audit verify` over both.
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../../../cluster/lib/paths.ts'
import { run } from '../../../cluster/lib/wait.ts'
import { inNamespace, type Pod, serverPods } from './kube.ts'
import { type Context, check } from './proof.ts'
import { probe, URL } from './setup.ts'

export const KEYS_PATH = '/.well-known/ductape-mcp/receipt-keys.json'

export interface LogFile {
  readonly pod: string
  /** Of the container that ran before the one that runs now. */
  readonly previous: boolean
  readonly lines: readonly string[]
}

const restarts = ({ status }: Pod): number =>
  status.containerStatuses?.find(({ name }) => name === 'app')?.restartCount ?? 0

/** The records in the logs of all pods, of the containers before as well; the service's own log stands between them. */
export async function collectRecords(): Promise<readonly LogFile[]> {
  const files: LogFile[] = []
  for (const pod of await serverPods()) {
    const { name } = pod.metadata
    for (const previous of restarts(pod) > 0 ? [true, false] : [false]) {
      const text = await inNamespace(['logs', name, '-c', 'app', ...(previous ? ['--previous'] : [])])
      files.push({ pod: name, previous, lines: text.split('\n').filter((line) => line.startsWith('{"c')) })
    }
  }
  return files
}

/** When the oldest pod of now began: chains from before it are not among its records. */
export async function oldest(): Promise<string> {
  const times = (await serverPods()).map(({ metadata }) => metadata.creationTimestamp).sort()
  return times[0] ?? ''
}

interface KeySet {
  readonly keys: readonly { readonly kid: string }[]
}

/** The key set that each replica publishes, by its address. */
export async function publishedKeys(): Promise<readonly string[]> {
  const sets: string[] = []
  for (const { status } of await serverPods()) {
    const target = { method: 'GET', path: KEYS_PATH, address: { host: status.podIP, port: 8443 } }
    const [answer] = await probe('agent', ['ask', URL, '/tls', JSON.stringify(target)])
    check(answer?.['code'] === 'ok', `no keys from ${status.podIP}: ${JSON.stringify(answer)}`)
    sets.push(String(answer['body']))
  }
  return sets
}

export const kidsOf = (set: string): readonly string[] =>
  (JSON.parse(set) as KeySet).keys.map(({ kid }) => kid)

/** The receipt of a REST answer's header, as JSON. */
export const receiptOf = (header: string): string => Buffer.from(header, 'base64url').toString('utf8')

export interface Verified {
  readonly code: number
  readonly said: string
  readonly chains: readonly { readonly id: string; readonly closed: boolean; readonly records: number }[]
  readonly receipts: number
}

/** `audit verify` of this tree over these files; chains that ended before `from` need not be among them. */
export async function verifyRecords(
  { folder }: Context,
  files: readonly LogFile[],
  given: { readonly keys: string; readonly receipts?: readonly string[]; readonly from?: string },
): Promise<Verified> {
  const work = mkdtempSync(join(folder, 'records-'))
  const logs = join(work, 'logs')
  mkdirSync(logs)
  for (const [at, { lines }] of files.entries())
    writeFileSync(join(logs, `${at}.jsonl`), lines.map((line) => `${line}\n`).join(''))
  writeFileSync(join(work, 'keys.json'), given.keys)
  writeFileSync(join(work, 'receipts.jsonl'), (given.receipts ?? []).map((line) => `${line}\n`).join(''))
  const args = [
    ...['src/main.ts', 'audit', 'verify', logs, '--json', '--keys', join(work, 'keys.json')],
    ...(given.receipts === undefined ? [] : ['--receipts', join(work, 'receipts.jsonl')]),
    ...(given.from === undefined ? [] : ['--from', given.from]),
  ]
  const { code, stdout, stderr } = await run(process.execPath, args, { cwd: ROOT })
  const report = (stdout.trim() === '' ? {} : JSON.parse(stdout)) as Partial<Verified>
  return { code, said: stdout + stderr, chains: report.chains ?? [], receipts: report.receipts ?? 0 }
}
