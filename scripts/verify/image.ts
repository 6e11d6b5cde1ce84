// `npm run verify image`: the size of our layers, a run in which an unlisted system call kills, and the start beside bare Node under the pod's limits.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { parseArgs } from 'node:util'
import { type ImageBuilder, imageBuilder } from '../../test/platform/lib/image.ts'
import * as oci from '../../test/platform/lib/oci.ts'
import { killProfile, prepareRelease, type Release } from '../../test/platform/lib/release.ts'
import { LISTENING_UNIX } from '../../test/platform/lib/service.ts'
import { entrypoint } from '../image/entrypoint.ts'
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
  const sink = { directory: oci.RUN_DIR }
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

/** `rootfs` is the unpacked image. */
type Start = (release: Release, rootfs: string) => Promise<number>

/** Milliseconds from the runtime's start to the program's end, or to the line that it writes. */
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

const untilLine =
  (line: RegExp, command: (rootfs: string) => readonly string[]): Start =>
  async (release, rootfs) => {
    const since = performance.now()
    const container = release.run({ args: command(rootfs) })
    try {
      await container.line(line, 60_000)
      return performance.now() - since
    } finally {
      await container.remove()
    }
  }

const SERVE = [...entrypoint(), 'serve']
const READ_APP = '--allow-fs-read=/app/'

/** It may read the files of /app, and not the folder with V8's code. */
function withoutCode(rootfs: string): string[] {
  const files = readdirSync(join(rootfs, 'app')).filter((name) => /\.m?js$/.test(name))
  return SERVE.flatMap((arg) => (arg === READ_APP ? files.map((name) => READ_APP + name) : [arg]))
}

// A start that ends with a line does not contain the end of the container, so what is subtracted from it does not either.
const NOTHING = [PERL, '-e', 'print STDERR "up\\n"'] as const
const STARTS = {
  up: {
    what: 'the container runtime, until a program that does nothing runs',
    start: untilLine(/up/, () => NOTHING),
  },
  over: { what: 'the same until it is over', start: untilExit(...NOTHING) },
  bare: { what: 'Node with an empty script, until it is over', start: untilExit(oci.NODE, '-e', '0') },
  ours: { what: 'the service, with V8’s code of the image', start: untilLine(LISTENING_UNIX, () => SERVE) },
  cold: {
    what: 'the service without it, as under another Node or other flags of V8, which take none of it',
    start: untilLine(LISTENING_UNIX, withoutCode),
  },
} as const
type Kind = keyof typeof STARTS
const KINDS = Object.keys(STARTS) as Kind[]

const median = (list: readonly number[]): number =>
  [...list].sort((a, b) => a - b)[list.length >> 1] ?? Number.NaN

async function main(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-verify-image-'))
  let release: Release | undefined
  let images: ImageBuilder | undefined
  try {
    const rootfs = join(folder, 'rootfs')
    images = await imageBuilder(join(folder, 'images'))
    const { baseLayers } = images
    const image = await images.build('release', 'localhost/ductape-mcp:verify')
    await image.unpack(rootfs)
    const base = image.layers.slice(0, baseLayers).reduce((sum, { bytes }) => sum + bytes, 0)
    const own = image.layers.slice(baseLayers).map(({ bytes }) => bytes)
    const ownBytes = own.reduce((sum, bytes) => sum + bytes, 0)
    oci.putProgram(rootfs, PERL)
    release = await prepareRelease(folder, rootfs, image.config.Env)

    const killed = await killRun(release)
    const times: Record<Kind, number[]> = { up: [], over: [], bare: [], ours: [], cold: [] }
    for (let round = 0; round < rounds; round += 1)
      for (const kind of KINDS) times[kind].push(await STARTS[kind].start(release, rootfs))
    const above = (kind: Kind): number =>
      median(times[kind]) - median(kind === 'bare' || kind === 'over' ? times.over : times.up)
    const ratio = (kind: Kind): number => above(kind) / above('bare')

    return publish(
      {
        area: 'image',
        what: 'The image built from the Dockerfile with buildah, and run under runc with the pod’s walls and limits: read-only, user 10001, no capabilities, no new privileges, 512 MiB, 32 processes, the shipped seccomp profile.',
        command: `npm run verify image${full ? '' : ` -- --calls ${calls} --rounds ${rounds}`}`,
        notes: [
          'The bases are stand-ins made of this machine’s Node and libraries: their size is not that of the published ones, which a registry shows',
          'In the KILL run a system call that the profile does not name ends the process, in place of failing',
          `Starts: medians of ${rounds} interleaved rounds. What the container runtime itself takes is measured by a program that does nothing, and subtracted: from the service up to the moment that the program runs, from the bare Node with the end of the container`,
        ],
        figures: [
          {
            title: 'Compressed layers',
            columns: ['layer', 'MB'],
            rows: [
              ['base (stand-in)', base / 1e6],
              ...own.map(
                (bytes, index) => [index === own.length - 1 ? 'V8’s code' : 'service', bytes / 1e6] as const,
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
              kind === 'up' || kind === 'over' ? '' : ratio(kind),
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
    await images?.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

process.exitCode = await main()
