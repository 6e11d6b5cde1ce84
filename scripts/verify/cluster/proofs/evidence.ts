// What the records in the cluster's own logs prove: a kill that shows and loses nothing, receipts of three replicas that fit, a signing key that changes under way.
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../../../cluster/lib/wait.ts'
import { apply, serverPods, signalApp } from '../lib/kube.ts'
import { failed, type LoadResult, underLoad } from '../lib/load.ts'
import { type Context, check, type Outcome, type Proof } from '../lib/proof.ts'
import {
  collectRecords,
  kidsOf,
  type LogFile,
  oldest,
  publishedKeys,
  receiptOf,
  type Verified,
  verifyRecords,
} from '../lib/records.ts'
import { REPLICAS } from '../lib/release.ts'
import { probe, URL, untilAll } from '../lib/setup.ts'

const PER_SECOND = 20
/** As in hot.ts: what the kubelet takes to bring a changed Secret, and ours. */
const VOLUME_SECONDS = 120

const chainOf = (file: LogFile | undefined): string =>
  String((JSON.parse(file?.lines[0] ?? '{}') as { chain?: string }).chain)

export const evidence: Proof = {
  name: 'evidence',
  what: 'A process ended by SIGKILL leaves an open chain and no lost record; the logs of three replicas verify together with the receipts of all calls',
  run: async (context) => {
    if (!context.local) return { cannotRun: 'the node of this cluster is not ours to kill a process on' }
    const from = await oldest()
    const [victim, other] = await serverPods()
    check(victim !== undefined && other !== undefined, 'there are no two pods')
    const load = await underLoad(
      PER_SECOND,
      async () => {
        // Calls before and after it, at every replica.
        await untilAll('agent', 'ok', 30)
        await signalApp(victim, 'SIGKILL')
        await untilAll('agent', 'ok', 30)
      },
      { receipts: true },
    )
    // The other end, without load: a chain that was closed, beside which the killed one shows.
    await signalApp(other, 'SIGTERM')
    const receipts = load.receipts.map(receiptOf)
    check(receipts.length > 0, `no receipts: ${JSON.stringify(load.codes)}`)
    check(receipts.length >= (load.codes['ok'] ?? 0), 'a call was answered without a receipt')
    const [keys = ''] = await publishedKeys()
    const files = await collectRecords()
    const given = { keys, receipts, from }
    const all = await verifyRecords(context, files, given)
    check(all.code === 0 && all.receipts === receipts.length, `audit verify: ${all.said}`)
    check(all.chains.length >= REPLICAS + 2, `only ${all.chains.length} chains`)
    const killed = files.find(({ pod, previous }) => previous && pod === victim.metadata.name)
    const ended = files.find(({ pod, previous }) => previous && pod === other.metadata.name)
    const isClosed = (file: LogFile | undefined): boolean | undefined =>
      all.chains.find(({ id }) => id === chainOf(file))?.closed
    check(isClosed(killed) === false, 'the chain of the killed process does not show as open')
    check(isClosed(ended) === true, 'the chain that was ended in order does not show as closed')
    const chains = new Set(
      receipts.map((text) => (JSON.parse(text) as { claims: { chain: string } }).claims.chain),
    )
    check(chains.size >= REPLICAS, `the receipts are of ${chains.size} chains`)
    check(chains.has(chainOf(killed)), 'no receipt is of the killed process')
    await refuses(context, files, given, killed)
    return outcome(all, receipts.length, load)
  },
}

/** The same verification has to notice what is missing. */
async function refuses(
  context: Context,
  files: readonly LogFile[],
  given: Parameters<typeof verifyRecords>[2],
  killed: LogFile | undefined,
): Promise<void> {
  const without = await verifyRecords(
    context,
    files.filter((file) => file !== killed),
    given,
  )
  check(without.code === 1, 'without the log of the killed process it verifies all the same')
  const cut = files.map((file) =>
    file === killed ? { ...file, lines: file.lines.filter((_, at) => at !== file.lines.length - 2) } : file,
  )
  const missing = await verifyRecords(context, cut, given)
  check(missing.code === 1, 'without one record of the killed process it verifies all the same')
}

function outcome(all: Verified, receipts: number, load: LoadResult): Outcome {
  const records = all.chains.reduce((sum, chain) => sum + chain.records, 0)
  const open = all.chains.filter(({ closed }) => !closed).length
  return {
    figure: `${records} records in ${all.chains.length} chains verify, ${open} of them open, with ${receipts} receipts of ${load.sent} calls (${failed(load)} cut off by the kill); without the killed one's log, or one record of it, they do not`,
    bounds: [
      {
        what: 'receipts whose record a SIGKILL has lost',
        measured: receipts - all.receipts,
        bound: 0,
        kind: 'ceiling',
      },
    ],
  }
}

const pem = (key: KeyObject): string =>
  key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }).toString()

const setKeys = (text: string): Promise<string> =>
  apply([
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'receipt-keys' },
      stringData: { 'keys.pem': text },
    },
  ])

/** The id of the key that has signed the receipt of a call to each pod. */
async function signers(): Promise<readonly string[]> {
  const kids: string[] = []
  for (const { status } of await serverPods()) {
    const target = { address: { host: status.podIP, port: 8443 } }
    const [answer] = await probe('agent', ['ask', URL, '/tls', JSON.stringify(target)])
    const receipt = JSON.parse(receiptOf(String(answer?.['receipt']))) as { head: string }
    const header = Buffer.from(receipt.head.split('.')[0] ?? '', 'base64url').toString('utf8')
    kids.push(String((JSON.parse(header) as { kid: string }).kid))
  }
  return kids
}

export const receiptKeys: Proof = {
  name: 'receipt-keys',
  what: 'The key of receipts is exchanged by the runbook under constant calls, without a restart: published first, then signing, with a record of it in each chain',
  run: async (context) => {
    const from = await oldest()
    const before = (await serverPods()).map(({ metadata, status }) => [
      metadata.uid,
      status.containerStatuses?.[0]?.restartCount,
    ])
    const old = readFileSync(join(context.folder, 'keys.pem'), 'utf8')
    const { privateKey } = generateKeyPairSync('ed25519')
    const next = pem(privateKey)
    const [was = ''] = await signers()
    let published = 0
    let signing = 0
    let now = was
    const load = await underLoad(
      PER_SECOND,
      async () => {
        let started = performance.now()
        await setKeys(old + next)
        await until('all replicas to publish the next key', VOLUME_SECONDS, async () =>
          (await publishedKeys()).every((set) => kidsOf(set).length === 2) ? true : undefined,
        )
        published = (performance.now() - started) / 1_000
        started = performance.now()
        const end = new Date(Date.now() + 600_000).toISOString().replace(/\.\d+Z$/, 'Z')
        await setKeys(`${next}not-after: ${end}\n${pem(createPublicKey(old))}`)
        await until('all replicas to sign with it', VOLUME_SECONDS, async () => {
          const all = new Set(await signers())
          now = [...all][0] ?? was
          return all.size === 1 && now !== was ? true : undefined
        })
        signing = (performance.now() - started) / 1_000
      },
      { receipts: true },
    )
    const after = (await serverPods()).map(({ metadata, status }) => [
      metadata.uid,
      status.containerStatuses?.[0]?.restartCount,
    ])
    check(JSON.stringify(after) === JSON.stringify(before), 'the change of the key was a restart')
    const sets = await publishedKeys()
    for (const set of sets)
      check(kidsOf(set).includes(was) && kidsOf(set).includes(now), `a replica publishes ${set}`)
    const files = await collectRecords()
    const turned = files.filter(({ lines }) => lines.some((line) => line.includes('"type":"key"')))
    check(turned.length === REPLICAS, `${turned.length} chains have a record of the new key`)
    const receipts = load.receipts.map(receiptOf)
    const all = await verifyRecords(context, files, { keys: sets[0] ?? '', receipts, from })
    check(all.code === 0 && all.receipts === receipts.length, `audit verify: ${all.said}`)
    return {
      figure: `published by all replicas after ${published.toFixed(1)} s, signing after ${signing.toFixed(1)} s, ${turned.length} key records; ${receipts.length} receipts of both keys verify; ${load.sent} calls, ${failed(load)} failed`,
      bounds: [
        {
          what: 'calls that failed while the key of receipts changed',
          measured: failed(load),
          bound: 0,
          kind: 'ceiling',
        },
      ],
    }
  },
}
