// `npm run verify chart`: helm-unittest, kube-score and the Pod Security Standard "restricted" over the chart; every finding is gone or has its reason here.
// The three programs are built once, from their Go modules into .cache/tools/bin: 20 minutes on two cores, of which Kyverno takes 13.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { least } from '../../test/platform/chart/lib/values.ts'
import { CHART, CI, CI_FILES, render } from '../../test/platform/lib/helm.ts'
import { judge, WEAKENED, weakenedPods } from './chart/pod-security.ts'
import { type Figures, publish } from './report.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const BIN = join(ROOT, '.cache/tools/bin')
const WRAPPERS = join(import.meta.dirname, 'chart')
const SUITES = join(ROOT, 'test/platform/chart/unittest')
const KUBE_SCORE = 'github.com/zegl/kube-score/cmd/kube-score@v1.20.0'

interface Reason {
  readonly why: string
  /** The one file of ci/ for which it holds; without it, for all. */
  readonly only?: string
}

/** Why a finding of kube-score stays; the key is the name of its check. */
const REASONS: Readonly<Record<string, Reason>> = {
  'container-image-pull-policy': {
    why: 'An image has a digest or a tag that is never moved. To ask for it at each start would make the registry a part of every restart.',
  },
  'container-resources': {
    why: 'CPU has a request and no limit: a limit holds a call back within each 100 ms while CPUs stand idle. Memory and disk are limited.',
  },
  'pod-probes-identical': {
    why: 'nginx has nothing to wait for but itself. Whether the pod can serve is asked of the service, at /readyz.',
  },
  'deployment-has-host-podantiaffinity': {
    why: 'topologySpreadConstraints over nodes and zones do this, also during a rollout.',
  },
  'deployment-replicas': {
    why: 'One replica is the default because more of them may need a store; production-values.yaml has three.',
  },
  'pod-networkpolicy': {
    why: 'kube-score does not know the CiliumNetworkPolicy that stands in its place; a NetworkPolicy beside it would widen it.',
    only: 'cilium-values.yaml',
  },
  'container-security-context-user-group-id': {
    why: 'OpenShift chooses users and groups out of the range of the namespace and refuses a pod that names its own.',
    only: 'openshift-values.yaml',
  },
}

const isExplained = ({ file, check }: Finding): boolean => {
  const reason = REASONS[check]
  return reason !== undefined && (reason.only ?? file) === file
}

/** Checks that kube-score leaves out unless they are asked for. */
const OPTIONAL = [
  'container-memory-requests-equal-limits',
  'container-ephemeral-storage-request-equals-limit',
  'container-ports-check',
]

function go(args: readonly string[], cwd: string): void {
  process.stdout.write(`building: go ${args.join(' ')}\n`)
  execFileSync('go', args, {
    cwd,
    stdio: 'inherit',
    env: { ...process.env, GOBIN: BIN, CGO_ENABLED: '0' },
  })
}

/** The program, built anew where it is missing or of another version. */
function tool(name: string, version: string, build: () => void): string {
  const stamp = join(BIN, `.${name}.version`)
  const path = join(BIN, name)
  if (!existsSync(path) || !existsSync(stamp) || readFileSync(stamp, 'utf8') !== version) {
    build()
    writeFileSync(stamp, version)
  }
  return path
}

/** A program whose own go.mod has replace lines, which `go install` ignores: a module of ours repeats them, and pins what it is made of. */
function wrapped(name: string, main: string): string {
  const folder = join(WRAPPERS, name)
  const hash = createHash('sha256')
  for (const file of ['go.mod', 'go.sum']) hash.update(readFileSync(join(folder, file)))
  return tool(name, hash.digest('hex'), () =>
    go(['build', '-trimpath', '-ldflags=-s -w', '-o', join(BIN, name), main], folder),
  )
}

const renderings = new Map(
  [['least', least()] as const, ...CI_FILES.map((name) => [name, { files: [join(CI, name)] }] as const)].map(
    ([name, options]) => {
      const result = render(options)
      if (!result.ok) throw new Error(`${name}: ${result.message}`)
      return [name, result.text]
    },
  ),
)

/** The same objects, each of which no check may take. */
const weakened = (text: string): string =>
  text
    .replaceAll('allowPrivilegeEscalation: false', 'allowPrivilegeEscalation: true')
    .replaceAll('readOnlyRootFilesystem: true', 'readOnlyRootFilesystem: false')
    .replaceAll('runAsNonRoot: true', 'runAsNonRoot: false')

interface Finding {
  readonly file: string
  readonly where: string
  readonly check: string
  readonly says: string
}

interface Scored {
  object_name: string
  checks: {
    check: { id: string }
    grade: number
    skipped: boolean
    comments: { path: string; summary: string }[] | null
  }[]
}

function kubeScore(program: string, file: string, text: string): Finding[] {
  const { stdout, stderr } = spawnSync(
    program,
    [
      'score',
      '--output-format',
      'json',
      ...OPTIONAL.flatMap((name) => ['--enable-optional-test', name]),
      '-',
    ],
    { input: text, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 },
  )
  if (!stdout.startsWith('[')) throw new Error(`kube-score, ${file}: ${stderr}`)
  return (JSON.parse(stdout) as Scored[]).flatMap(({ object_name: where, checks }) =>
    checks
      .filter(({ grade, skipped }) => !skipped && grade < 10)
      .map(({ check, comments }) => ({
        file,
        where,
        check: check.id,
        says: (comments ?? []).map(({ path, summary }) => `${path} ${summary}`.trim()).join('; '),
      })),
  )
}

const kubeScorePath = tool('kube-score', KUBE_SCORE, () => go(['install', '-trimpath', KUBE_SCORE], ROOT))
const findings = [...renderings].flatMap(([file, text]) => kubeScore(kubeScorePath, file, text))
const open = findings.filter((finding) => !isExplained(finding))
for (const { file, where, check, says } of open)
  process.stdout.write(`kube-score: ${file}: ${where}: ${check}: ${says}\n`)
const noticed = kubeScore(kubeScorePath, 'weakened', weakened(renderings.get('least') ?? '')).filter(
  (finding) => !isExplained(finding),
).length
const unused = Object.keys(REASONS).filter((name) => !findings.some(({ check }) => check === name))
for (const name of unused) process.stdout.write(`kube-score: no finding has the reason ${name}\n`)

function unitTests(program: string): { passed: number; failed: number } {
  const { stdout } = spawnSync(
    program,
    [CHART, '--strict', '--file', `${relative(CHART, SUITES)}/*_test.yaml`],
    { encoding: 'utf8' },
  )
  // It makes a folder for snapshots, which there are none of: k8s/ is the chart's.
  rmSync(join(SUITES, '__snapshot__'), { recursive: true, force: true })
  const [, failed = '0', passed = ''] =
    /^Tests:\s+(?:(\d+) failed, )?(?:\d+ errored, )?(\d+) passed/m.exec(stdout) ?? []
  if (passed === '') throw new Error(`helm-unittest: ${stdout}`)
  if (failed !== '0') process.stdout.write(stdout)
  return { passed: Number(passed), failed: Number(failed) }
}

const units = unitTests(wrapped('helm-unittest', 'github.com/helm-unittest/helm-unittest/cmd/helm-unittest'))

const kyverno = wrapped('kyverno', 'github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno')
const verdicts = [...renderings].map(([file, text]) => ({ file, ...judge(kyverno, text) }))
for (const { file, fail, says } of verdicts)
  if (fail > 0) process.stdout.write(`kyverno: ${file}: ${says.trim()}\n`)
const weak = judge(kyverno, weakenedPods(renderings.get('least') ?? ''))
const refused = WEAKENED.filter((name) => weak.says.includes(`/Pod/${name} failed`))
for (const name of WEAKENED)
  if (!refused.includes(name)) process.stdout.write(`kyverno: ${name} is let through\n`)

const reasons: Figures = {
  title: 'What stays, and why',
  columns: ['kube-score check', 'findings', 'reason'],
  rows: Object.entries(REASONS).map(([check, { why }]) => [
    check,
    findings.filter((finding) => finding.check === check).length,
    why,
  ]),
}

process.exitCode = publish({
  area: 'chart',
  what: 'The chart, rendered with the least values and with every file of its ci/, before three judges that are not ours: helm-unittest, kube-score and the Pod Security Standard "restricted" (by Kyverno). The checklist of this project, kubeconform and the refused values run in every `npm run test:platform`.',
  command: 'npm run verify chart',
  notes: [
    `${renderings.size} renderings; ${verdicts.reduce((sum, { pass }) => sum + pass, 0)} pods of them hold "restricted"`,
    `Each of these, in one pod, is refused: ${refused.join(', ')}`,
  ],
  figures: [reasons],
  bounds: [
    { what: 'helm-unittest: tests that fail', measured: units.failed, bound: 0, kind: 'ceiling' },
    { what: 'helm-unittest: tests that pass', measured: units.passed, bound: 15, kind: 'floor' },
    { what: 'kube-score: findings without a reason', measured: open.length, bound: 0, kind: 'ceiling' },
    { what: 'kube-score: reasons without a finding', measured: unused.length, bound: 0, kind: 'ceiling' },
    {
      what: 'kube-score: findings without a reason in a weakened rendering',
      measured: noticed,
      bound: 1,
      kind: 'floor',
    },
    {
      what: 'Pod Security "restricted": pods that fall short',
      measured: verdicts.reduce((sum, { fail }) => sum + fail, 0),
      bound: 0,
      kind: 'ceiling',
    },
    {
      what: 'Pod Security "restricted": renderings with a pod that holds',
      measured: verdicts.filter(({ pass }) => pass > 0).length,
      bound: renderings.size,
      kind: 'floor',
    },
    {
      what: 'Pod Security "restricted": weakened pods that are refused',
      measured: refused.length,
      bound: WEAKENED.length,
      kind: 'floor',
    },
    {
      what: 'Pod Security "restricted": the same pod, not weakened, holds',
      measured: weak.pass,
      bound: 1,
      kind: 'floor',
    },
  ],
})
