// `npm run verify image`: the size of our layers, a run in which an unlisted system call kills, and the start beside bare Node under the pod's limits.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { imageBuilder } from '../../test/platform/lib/image.ts'
import * as oci from '../../test/platform/lib/oci.ts'
import { killProfile, prepareRelease, type Release } from '../../test/platform/lib/release.ts'
import { LISTENING_UNIX } from '../../test/platform/lib/service.ts'
import { publish } from './report.ts'

const PERL = '/usr/bin/perl'
const MAX_OWN_BYTES = 6_000_000
const MAX_RATIO = 7
const { values } = parseArgs({
  options: { calls: { type: 'string', default: '2000' }, rounds: { type: 'string', default: '25' } },
})
const calls = Number(values.calls)
const rounds = Number(values.rounds)
const full = calls >= 2000 && rounds >= 25

/** Serves, is stopped and continued, writes records to a file and drains: all of it without one kill. */
async function killRun(release: Release): Promise<{ good: number; kills: number }> {
  const sink = { file: `${oci.RUN_DIR}/audit.jsonl` }
  const config = release.configure('kill', { audit: { sink } })
  const service = release.run({ config, seccomp: killProfile() })
  let good = 0
  try {
    await service.line(LISTENING_UNIX)
    for (let call = 0; call < calls; call += 1) {
      if (call % 500 === 250) {
        await service.signal('STOP')
        await service.signal('CONT')
      }
      if ((await release.call(service)).startsWith('200 ')) good += 1
    }
    await service.signal('TERM')
  } catch (error) {
    process.stdout.write(`${String(error)}\n`)
  }
  const { code } = await service.exitWithin(30_000).finally(() => service.remove())
  return { good, kills: code === 0 ? 0 : 1 }
}

type Start = (release: Release) => Promise<number>

/** Milliseconds from the runtime's start to the program's end. */
const untilExit =
  (...args: readonly string[]): Start =>
  async (release) => {
    const since = performance.now()
    const container = release.run({ args })
    const { code } = await container.exitWithin(60_000)
    const elapsed = performance.now() - since
    await container.remove()
    if (code !== 0) throw new Error(`${args.join(' ')}: exit ${code}\n${container.stderr()}`)
    return elapsed
  }

/** Milliseconds from the runtime's start to a socket that takes calls. */
const untilReady =
  (env: readonly string[]): Start =>
  async (release) => {
    const since = performance.now()
    const service = release.run({ env })
    try {
      await service.line(LISTENING_UNIX, 60_000)
      return performance.now() - since
    } finally {
      await service.remove()
    }
  }

const STARTS = {
  runtime: {
    what: 'the container runtime and a program that does nothing',
    start: untilExit(PERL, '-e', '0'),
  },
  bare: { what: 'Node with an empty script', start: untilExit(oci.NODE, '-e', '0') },
  ours: { what: 'the service, with the compile cache of the image', start: untilReady([]) },
  cold: {
    what: 'the service without it, as another user than 10001 starts it',
    start: untilReady(['NODE_DISABLE_COMPILE_CACHE=1']),
  },
} as const
type Kind = keyof typeof STARTS
const KINDS = Object.keys(STARTS) as Kind[]

const median = (list: readonly number[]): number =>
  [...list].sort((a, b) => a - b)[list.length >> 1] ?? Number.NaN

async function main(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-verify-image-'))
  let release: Release | undefined
  try {
    const rootfs = join(folder, 'rootfs')
    const images = await imageBuilder(join(folder, 'images'))
    const image = await images.build('release', 'localhost/ductape-mcp:verify')
    await image.unpack(rootfs)
    const base = image.layers.slice(0, images.baseLayers).reduce((sum, { bytes }) => sum + bytes, 0)
    const own = image.layers.slice(images.baseLayers).map(({ bytes }) => bytes)
    const ownBytes = own.reduce((sum, bytes) => sum + bytes, 0)
    await images.close()
    oci.putProgram(rootfs, PERL)
    release = await prepareRelease(folder, rootfs, image.config.Env)

    const killed = await killRun(release)
    const times: Record<Kind, number[]> = { runtime: [], bare: [], ours: [], cold: [] }
    for (let round = 0; round < rounds; round += 1)
      for (const kind of KINDS) times[kind].push(await STARTS[kind].start(release))
    const runtime = median(times.runtime)
    const above = (kind: Kind): number => median(times[kind]) - runtime
    const ratio = (kind: Kind): number => above(kind) / above('bare')

    return publish(
      {
        area: 'image',
        what: 'The image built from the Dockerfile with buildah, and run under runc with the pod’s walls and limits: read-only, user 10001, no capabilities, no new privileges, 512 MiB, 32 processes, the shipped seccomp profile.',
        command: `npm run verify image${full ? '' : ` -- --calls ${calls} --rounds ${rounds}`}`,
        notes: [
          'The bases are stand-ins made of this machine’s Node and libraries: their size is not that of the published ones, which a registry shows',
          'In the KILL run a system call that the profile does not name ends the process, in place of failing',
          `Starts: medians of ${rounds} interleaved rounds. What the container runtime itself takes is measured by a program that does nothing, and subtracted`,
        ],
        figures: [
          {
            title: 'Compressed layers',
            columns: ['layer', 'MB'],
            rows: [
              ['base (stand-in)', base / 1e6],
              ...own.map(
                (bytes, index) =>
                  [index === own.length - 1 ? 'compile cache' : 'service', bytes / 1e6] as const,
              ),
              ['ours together', ownBytes / 1e6],
              ['base and ours', (base + ownBytes) / 1e6],
            ],
          },
          {
            title: 'Start',
            columns: ['what', 'ms, with the runtime', 'ms, without it', 'of bare Node'],
            rows: KINDS.map((kind) => [
              STARTS[kind].what,
              median(times[kind]),
              above(kind),
              kind === 'runtime' ? '' : ratio(kind),
            ]),
          },
        ],
        bounds: [
          {
            what: 'our layers, compressed',
            measured: ownBytes,
            bound: MAX_OWN_BYTES,
            kind: 'ceiling',
            unit: 'bytes',
          },
          { what: 'KILL run: kills', measured: killed.kills, bound: 0, kind: 'ceiling' },
          { what: `KILL run: good calls of ${calls}`, measured: killed.good, bound: calls, kind: 'floor' },
          {
            what: 'ready over bare Node, under the pod’s limits',
            measured: ratio('ours'),
            bound: MAX_RATIO,
            kind: 'ceiling',
          },
        ],
      },
      { write: full },
    )
  } finally {
    await release?.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

process.exitCode = await main()
