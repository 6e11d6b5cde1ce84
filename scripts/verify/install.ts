// `npm run verify install`: docs/operate/install.md typed as it stands, in a fresh copy of the project, from nothing to a verified call and back.
// The one-node path whole; kind's path with a stand-in for docker and kind, on the same cluster. The bases of the images are stand-ins.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ROOT } from '../cluster/lib/paths.ts'
import { run } from '../cluster/lib/wait.ts'
import { differences, machineState } from './cluster/lib/machine.ts'
import { standIns } from './install/bases.ts'
import {
  type Block,
  commandsOf,
  KIND,
  NOT_OF_THE_PAGE,
  ONE_NODE,
  withoutCertificate,
} from './install/page.ts'
import { type Session, type Typed, typeInto } from './install/type.ts'
import { type Bound, type Figures, publish, type Report } from './report.ts'

const page = readFileSync(join(ROOT, 'docs/operate/install.md'), 'utf8')
const stop = new AbortController()
// The area's time is up, or the user's patience: what was brought up is still taken down.
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => stop.abort())

/** The project as `git clone` would give it, if all were committed; programs that take an hour are those of this folder. */
function copyOfProject(folder: string): void {
  mkdirSync(join(folder, '.cache/cluster'), { recursive: true })
  for (const name of ['npm', 'python', 'tools', 'cluster/bin', 'cluster/lib'])
    symlinkSync(join(ROOT, '.cache', name), join(folder, '.cache', name))
  // A node_modules that is a link is not ignored, and `npm ci` would empty what it leads to.
  const which = ['--cached', '--others', '--exclude-standard', '-z', '--', '.', ':!node_modules']
  const files = execFileSync('git', ['ls-files', ...which], { cwd: ROOT })
  const tar = execFileSync('tar', ['--create', '--null', '--files-from', '-', '--ignore-failed-read'], {
    cwd: ROOT,
    input: files,
    maxBuffer: 512 * 2 ** 20,
  })
  execFileSync('tar', ['--extract', '--directory', folder], { input: tar })
}

/** A user's, not that of `npm run`. */
function environment(path: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(npm_|INIT_CWD$|KUBECONFIG$)/.test(name))
  const folders = path.split(':').filter((folder) => !/node_modules|node-gyp/.test(folder))
  return { ...Object.fromEntries(own), PATH: folders.join(':'), npm_config_cache: join(ROOT, '.cache/npm') }
}

/** After the call by curl the same from one who must not get in. */
const withProbe = (blocks: readonly Block[]): Block[] =>
  blocks.flatMap((block) => (/^curl /m.test(block.text) ? [block, withoutCertificate(block)] : [block]))

const count = (text: string, pattern: RegExp): number => [...text.matchAll(pattern)].length

interface Record {
  readonly type: string
  readonly callId: string
  readonly decision?: { readonly allowed: boolean }
  readonly outcome?: { readonly status: string }
}

/** Calls of which both the decision and the outcome stand in the log. */
function recordedCalls(log: string): number {
  const records = log
    .split('\n')
    .filter((line) => line.startsWith('{"callId"'))
    .map((line) => JSON.parse(line) as Record)
  const executed = new Set(
    records.filter(({ outcome }) => outcome?.status === 'executed').map(({ callId }) => callId),
  )
  return records.filter(({ decision, callId }) => decision?.allowed === true && executed.has(callId)).length
}

function judged(name: string, blocks: readonly Block[], { typed, failed }: Session): Bound[] {
  if (failed !== undefined) process.stdout.write(`\n${name}: block ${typed.length + 1} failed:\n${failed}\n`)
  const outputOf = (pattern: RegExp): string => typed.find(({ text }) => pattern.test(text))?.output ?? ''
  const floor = (what: string, measured: number, bound: number): Bound => ({
    what: `${name}: ${what}`,
    measured,
    bound,
    kind: 'floor',
  })
  const refused = typed.find(({ text }) => text.includes('localhost:8444'))?.output ?? ''
  return [
    floor('blocks of commands that ended well', typed.length, blocks.length),
    // The test pod and the two network policies of its time.
    floor('hooks of `helm test` that succeeded', count(outputOf(/^helm test/m), /^Phase: +Succeeded$/gm), 3),
    floor('environments in the answer to curl', count(outputOf(/port-forward/), /"env_name"/g), 3),
    floor(
      'environments in the answer to `ductape-mcp call`',
      count(outputOf(/ductape-mcp call/), /"env_name"/g),
      3,
    ),
    floor('the call without a certificate gets the 400', count(refused, /<h1>400 Bad Request<\/h1>/g), 1),
    floor('calls with decision and outcome in the log', recordedCalls(outputOf(/ logs /)), 3),
  ]
}

/** A few words of a block. */
const label = (text: string): string => `\`${text.replace(/ *\\?\n[\s\S]*$/, '').slice(0, 90)}\``

const figures = (title: string, typed: readonly Typed[]): Figures => ({
  title,
  columns: ['section', 'block, by its first line', 'seconds'],
  rows: typed.map(({ section, text, seconds }) => [section, label(text), seconds]),
})

const own = (text: string): Block => ({ section: NOT_OF_THE_PAGE, text })

const folder = mkdtempSync(join(tmpdir(), 'verify-install-'))
const project = join(folder, 'ductape-mcp')
const before = await machineState()
const sessions: { name: string; blocks: readonly Block[]; session: Session }[] = []
try {
  const bases = await standIns(folder)
  copyOfProject(project)
  const walk = async (name: string, path: string, blocks: readonly Block[]): Promise<void> => {
    if (stop.signal.aborted) return
    const env = environment(path)
    sessions.push({
      name,
      blocks,
      session: await typeInto(blocks, { cwd: project, env, signal: stop.signal }),
    })
  }
  await walk(ONE_NODE.name, bases.path, withProbe(commandsOf(page, ONE_NODE)))
  // kind's node is the one node: its images come from files too, never from a registry.
  await walk(KIND.name, bases.pathWithKind, [
    own('npm run cluster -- up\nnpm run cluster -- exec bash\n'),
    ...withProbe(commandsOf(page, KIND)),
    own('exit\nnpm run cluster -- down\n'),
  ])
} finally {
  await run(process.execPath, [join(project, 'scripts/cluster/cluster.ts'), 'down'])
  rmSync(folder, { recursive: true, force: true })
}
// Mounts and their like belong to whoever else runs containers here.
const left = differences(before, await machineState()).filter((line) => !/: mount /.test(line))
for (const line of left) process.stdout.write(`the machine is not as it was: ${line}\n`)

const report: Report = {
  area: 'install',
  what: 'docs/operate/install.md, its commands typed as they stand into a shell, from a fresh copy of the project to a verified call and until all is gone again.',
  command: 'npm run verify install',
  notes: [
    'What an hour would go into is taken from .cache: the programs of `scripts/tools` and of the cluster, npm packages',
    "The bases of the images are stand-ins under the names of the Dockerfiles, made of this machine's Node and nginx",
    'kind: `docker` is buildah, and `kind load docker-image` does what kind does, on the one-node cluster; `kind` itself is not run',
  ],
  figures: sessions.map(({ name, session }) => figures(`Path: ${name}`, session.typed)),
  bounds: [
    ...sessions.flatMap(({ name, blocks, session }) => judged(name, blocks, session)),
    { what: 'paths walked', measured: sessions.length, bound: 2, kind: 'floor' },
    { what: 'things left on the machine, or gone from it', measured: left.length, bound: 0, kind: 'ceiling' },
  ],
}
process.exitCode = publish(report, { write: !stop.signal.aborted })
