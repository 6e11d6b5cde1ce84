// Does the service keep keys? Calls with a key each, then a forced collection and a search of the heap snapshot.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { startChild } from '../../lib/child.ts'
import { createClient } from '../../lib/http-client.ts'
import { type Reply, startScriptedBackend } from './canary-backend.ts'
import { callRequest, ERAS, executeArguments, generateArguments } from './canary-requests.ts'

export interface HeapReport {
  calls: number
  /** Numbers of the calls whose keys are still in the heap, in order. */
  kept: number[]
  /** A text that has to be found, so that a blind search is seen. */
  sighted: boolean
  snapshotBytes: number
}

/** Answers in turn: a success, one that repeats the key, refusals that repeat it, and one that is no JSON. */
const REPLIES: readonly ((key: string) => Reply | undefined)[] = [
  () => undefined,
  (key) => ({
    status: 200,
    body: `{"status":true,"data":{"data":{"${key}":["${key}",1e21]},"request_id":"r"}}`,
  }),
  (key) => ({ status: 401, body: JSON.stringify({ message: `unknown key ${key}` }) }),
  (key) => ({ status: 200, body: JSON.stringify({ status: false, message: `no access for ${key}` }) }),
  (key) => ({ status: 200, body: `<p>${key}</p>` }),
]

const MARK = 'pk_heap_'

export async function runHeap(options: { calls: number }): Promise<HeapReport> {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'ductape-mcp-heap-'))
  const file = path.join(directory, 'service.heapsnapshot')
  const backend = await startScriptedBackend()
  const child = startChild(['test/security/lib/heap-entry.ts', backend.url], {
    nodeOptions: ['--expose-gc'],
    ipc: true,
  })
  try {
    const [url] = (await once(child.process, 'message')) as [string]
    const client = createClient(url, 4)
    for (let call = 0; call < options.calls; call++) {
      const key = `${MARK}${String(call).padStart(6, '0')}_${randomBytes(8).toString('hex')}`
      const reply = REPLIES[call % REPLIES.length]?.(key)
      if (reply !== undefined) backend.script.set(key, reply)
      const era = ERAS[call % ERAS.length] ?? 'legacy'
      const generate = call % 4 === 3
      await client.send(
        callRequest(era, {
          tool: generate ? 'ductape_generate_payload' : 'ductape_execute',
          arguments: generate ? generateArguments(key) : executeArguments(key),
          headers: [['authorization', `Bearer ${key}`]],
        }),
      )
      backend.script.delete(key)
    }
    client.close()
    child.process.send(file)
    await once(child.process, 'message')
    return { calls: options.calls, ...(await search(file)) }
  } finally {
    await child.stop('SIGKILL')
    await backend.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function search(file: string): Promise<Omit<HeapReport, 'calls'>> {
  const kept = new Set<number>()
  let sighted = false
  let snapshotBytes = 0
  let tail = ''
  for await (const chunk of createReadStream(file, { encoding: 'latin1', highWaterMark: 1 << 20 })) {
    snapshotBytes += chunk.length
    const text = tail + chunk
    for (const [, call] of text.matchAll(/pk_heap_(\d{6})/g)) kept.add(Number(call))
    // A sentence of the denials table, which lives as long as the process.
    sighted ||= text.includes('The Ductape backend gave no answer within')
    tail = text.slice(-64)
  }
  return { kept: [...kept].sort((a, b) => a - b), sighted, snapshotBytes }
}
