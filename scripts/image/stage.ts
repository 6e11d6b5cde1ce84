// Lays out what the image's targets copy: /app of `release` and of `emulator`, with its modes, its times and the bill of materials.
import {
  chmodSync,
  copyFileSync,
  globSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import { build, ROOT } from '../build.ts'
import { writeSboms } from '../sbom.ts'

/** Nobody may write, and the group may what the owner may: OpenShift runs images under a user of its own in group 0. */
const MODES = { folder: 0o555, file: 0o444 }

function seal(path: string, seconds: number): void {
  const isFolder = lstatSync(path).isDirectory()
  if (isFolder) for (const name of readdirSync(path)) seal(join(path, name), seconds)
  chmodSync(path, isFolder ? MODES.folder : MODES.file)
  lutimesSync(path, seconds, seconds)
}

async function stage(target: string, emulator: boolean, seconds: number): Promise<void> {
  const app = join(target, 'app')
  await build(app, { emulator })
  for (const map of globSync('**/*.map', { cwd: app })) rmSync(join(app, map))
  copyFileSync(join(ROOT, 'LICENSE'), join(app, 'LICENSE'))
  // A bundle shows a scanner none of its packages; this does.
  mkdirSync(join(app, 'sbom'))
  writeSboms(join(app, 'sbom'), seconds)
  seal(app, seconds)
}

if (import.meta.main) {
  const [out] = process.argv.slice(2)
  if (out === undefined) throw new Error('usage: node scripts/image/stage.ts FOLDER')
  const seconds = Number(process.env['SOURCE_DATE_EPOCH'] || 0)
  if (!Number.isSafeInteger(seconds) || seconds < 0)
    throw new Error('SOURCE_DATE_EPOCH is no number of seconds')
  await stage(join(out, 'release'), false, seconds)
  await stage(join(out, 'emulator'), true, seconds)
  // V8's code goes there, in a stage of the Dockerfile that runs the image's own Node.
  mkdirSync(join(out, 'cache'))
}
