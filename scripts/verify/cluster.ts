// `npm run verify cluster`: the proofs on the cluster of KUBECONFIG, or on a one-node cluster that is brought up for them and taken down again.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { ROOT } from '../cluster/lib/paths.ts'
import { differences, machineState } from './cluster/lib/machine.ts'

const USAGE = `usage: npm run verify cluster [-- options]

  --restarts N     rolling restarts (24)
  --only NAMES     these proofs alone, separated by commas; docs/measured is left as it is
  --keep           leave the release, and the one-node cluster, as they are at the end

With KUBECONFIG set the proofs run on that cluster, in namespaces ductape-mcp-verify*, which are removed first and last.
It has to pull the images, so name them: --app --proxy --emulator --redis (a Redis with TLS), each NAME:TAG or NAME@DIGEST.
`

const args = process.argv.slice(2)

let running: ChildProcess | undefined
let ended = false
// The area's time is up: what runs is ended, and what was brought up is still taken down.
process.on('SIGTERM', () => {
  ended = true
  running?.kill()
})

async function node(...command: string[]): Promise<number> {
  running = spawn(process.execPath, command, { cwd: ROOT, stdio: 'inherit' })
  const [code] = (await once(running, 'exit')) as [number | null]
  return code ?? 1
}

const CLUSTER = 'scripts/cluster/cluster.ts'
const RUN = 'scripts/verify/cluster/run.ts'

async function onOneNode(): Promise<number> {
  const wasUp = (await node(CLUSTER, 'status')) === 0
  if (wasUp || args.includes('--keep')) return proofs(true)
  const before = await machineState()
  const code = await proofs(false)
  const found = differences(before, await machineState())
  for (const line of found) process.stdout.write(`the machine is not as it was: ${line}\n`)
  return found.length > 0 ? 1 : code
}

/** A cluster that somebody works on is not ours to end. */
async function proofs(keep: boolean): Promise<number> {
  try {
    const up = await node(CLUSTER, 'up')
    return up !== 0 || ended ? up : await node(CLUSTER, 'exec', process.execPath, RUN, '--local', ...args)
  } finally {
    if (!keep) await node(CLUSTER, 'down')
  }
}

if (args.includes('--help')) process.stdout.write(USAGE)
else process.exitCode = process.env['KUBECONFIG'] ? await node(RUN, ...args) : await onOneNode()
