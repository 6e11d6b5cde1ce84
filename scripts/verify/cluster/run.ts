// Runs the proofs in order on the cluster of KUBECONFIG and writes docs/measured/cluster.md. Started by scripts/verify/cluster.ts.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Bound, publish } from '../report.ts'
import { makeImages } from './lib/images.ts'
import { kubectl, NAME, NAMESPACE, tryKubectl } from './lib/kube.ts'
import type { Context, Images } from './lib/proof.ts'
import { removeNamespaces, setUp } from './lib/setup.ts'
import { PROOFS } from './proofs/index.ts'
import { install } from './proofs/install.ts'

const { values } = parseArgs({
  options: {
    local: { type: 'boolean', default: false },
    only: { type: 'string' },
    restarts: { type: 'string', default: '24' },
    keep: { type: 'boolean', default: false },
    app: { type: 'string' },
    proxy: { type: 'string' },
    emulator: { type: 'string' },
    redis: { type: 'string' },
  },
})

function named(): Images {
  const { app, proxy, emulator, redis } = values
  if (app === undefined || proxy === undefined || emulator === undefined || redis === undefined)
    throw new Error(
      'on a cluster of your own name the images that it can pull: --app, --proxy, --emulator, --redis (with TLS)',
    )
  return { app, proxy, emulator, redis }
}

/** The pods and what the cluster last said of them. */
async function diagnosis(): Promise<string> {
  const get = (...args: string[]): Promise<string> =>
    tryKubectl(['-n', NAMESPACE, ...args]).then(({ stdout, stderr }) => stdout + stderr)
  const events = await get('get', 'events', '--sort-by=.lastTimestamp', '--field-selector=type=Warning')
  const logs = await get('logs', `deployment/${NAME}`, '--all-containers', '--tail=5')
  return [await get('get', 'pods'), events.split('\n').slice(-12).join('\n'), logs].join('\n')
}

const folder = mkdtempSync(join(tmpdir(), 'verify-cluster-'))
const say = (text: string): void => {
  process.stdout.write(`${new Date().toISOString().slice(11, 19)}  ${text}\n`)
}

try {
  const images = values.local ? await makeImages(folder) : named()
  say('images are in the registry')
  const context: Context = { local: values.local, folder, images, restarts: Number(values.restarts) }
  await setUp(context)
  say('namespaces, certificates, store and probes are there')

  const only = values.only?.split(',')
  // The release has to be there for what follows; a chosen proof needs no other.
  const chosen = PROOFS.filter(({ name }) => only === undefined || name === 'install' || only.includes(name))
  const rows: (string | number)[][] = []
  const bounds: Bound[] = []
  let failures = 0
  for (const proof of chosen) {
    const started = performance.now()
    const seconds = (): number => (performance.now() - started) / 1_000
    try {
      const outcome = await proof.run(context)
      const [verdict, figure] =
        'cannotRun' in outcome ? ['could not run', outcome.cannotRun] : ['yes', outcome.figure]
      if ('bounds' in outcome) bounds.push(...(outcome.bounds ?? []))
      rows.push([rows.length + 1, proof.what, verdict, figure, seconds()])
      say(`${proof.name}: ${verdict}: ${figure} (${seconds().toFixed(1)} s)`)
    } catch (error) {
      failures += 1
      const message = error instanceof Error ? error.message : String(error)
      rows.push([
        rows.length + 1,
        proof.what,
        'FAILED',
        message.slice(0, 500).replaceAll('\n', ' '),
        seconds(),
      ])
      say(`${proof.name}: FAILED: ${message}`)
      // Nothing that follows means anything without a release.
      if (proof === install) {
        say(await diagnosis())
        break
      }
    }
  }
  const version = JSON.parse(await kubectl(['version', '-o', 'json'])) as {
    serverVersion: { gitVersion: string }
  }
  const runtime = await kubectl([
    'get',
    'nodes',
    '-o',
    'jsonpath={.items[0].status.nodeInfo.containerRuntimeVersion}',
  ])
  process.exitCode = publish(
    {
      area: 'cluster',
      what: 'The chart on a real Kubernetes: installed in a namespace that enforces Pod Security restricted, called by pods through mutual TLS, and put through what happens to it in service.',
      command: 'npm run verify cluster',
      notes: [
        `Kubernetes ${version.serverVersion.gitVersion}, ${runtime}${values.local ? ', the one-node cluster of scripts/cluster' : ''}`,
        'A row that could not run says why in the words of what refused',
      ],
      figures: [{ title: 'Proofs', columns: ['#', 'what', 'so', 'figure', 'seconds'], rows }],
      bounds: [{ what: 'proofs that failed', measured: failures, bound: 0, kind: 'ceiling' }, ...bounds],
    },
    { write: only === undefined },
  )
  if (!values.keep) await removeNamespaces()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
