// The chart as helm and the Kubernetes API see it: lint, and kubeconform with the schemas of a real apiserver, for every values file.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { SCHEMAS_PATH } from '../../../scripts/generate-k8s-schemas.ts'
import { CHART, CI, CI_FILES, HELM, helm, KUBECONFORM, render, rendered, unlessBuilt } from '../lib/helm.ts'
import { ROOT } from '../lib/tools.ts'
import { containersOf, workloads } from './lib/kubernetes.ts'
import { least } from './lib/values.ts'

const skip = unlessBuilt(HELM, KUBECONFORM)
const SCHEMAS = join(ROOT, SCHEMAS_PATH)
const CUSTOM = join(ROOT, 'test/platform/chart/schemas/custom')

function kubeconform(text: string): { code: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(
    KUBECONFORM,
    [
      '-strict',
      '-summary',
      ...[SCHEMAS, CUSTOM].flatMap((folder) => [
        '-schema-location',
        `${folder}/{{.ResourceKind}}{{.KindSuffix}}.json`,
      ]),
      '-',
    ],
    { input: text, encoding: 'utf8' },
  )
  return { code: status, output: `${stdout}${stderr}` }
}

const FILES: readonly (readonly [name: string, options: Parameters<typeof render>[0]])[] = [
  ['least', least()],
  ...CI_FILES.map((name) => [name, { files: [join(CI, name)] }] as const),
]

for (const [name, options] of FILES) {
  test(`${name}: rendered, linted and valid for the apiserver`, { skip }, () => {
    const result = render(options)
    assert.ok(result.ok, result.ok ? '' : result.message)
    const { code, output } = kubeconform(result.text)
    assert.equal(code, 0, output)
    assert.match(output, new RegExp(`Summary: ${result.items.length} resources? found .*Skipped: 0`), output)
  })
}

for (const name of CI_FILES) {
  test(`${name}: helm lint`, { skip }, () => {
    const { ok, stdout, stderr } = helm(['lint', '--strict', '--quiet', CHART, '--values', join(CI, name)])
    assert.ok(ok, stdout + stderr)
  })
}

test('kubeconform sees a misspelt field, a wrong type and an unknown kind', { skip }, () => {
  const result = render(least())
  assert.ok(result.ok)
  for (const [right, wrong] of [
    ['readOnlyRootFilesystem:', 'readOnlyRootFilesytem:'],
    ['enableServiceLinks: false', 'enableServiceLinks: "no"'],
    ['kind: NetworkPolicy', 'kind: NetworkPolice'],
    ['sizeLimit: 1Mi', 'sizeLimit: [1]'],
  ] as const) {
    const text: string = result.text.replace(right, wrong)
    assert.notEqual(text, result.text, right)
    assert.equal(kubeconform(text).code, 1, wrong)
  }
})

test('the schemas name the version of the apiserver they come from and stay small', () => {
  const files = readdirSync(SCHEMAS)
  let bytes = 0
  for (const name of files) {
    const text = readFileSync(join(SCHEMAS, name), 'utf8')
    bytes += text.length
    assert.match(text, /^\{"\$comment":"Kubernetes 1\.\d+"/, name)
  }
  assert.ok(files.length >= 10 && bytes < 600_000, `${files.length} files, ${bytes} bytes`)
  assert.ok(existsSync(CUSTOM))
})

test('Chart.yaml names the images that the defaults run, and what Artifact Hub shows', { skip }, () => {
  const chart = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')) as {
    version: string
    appVersion: string
    annotations: Record<string, string>
  }
  const annotation = (name: string): string => chart.annotations[`artifacthub.io/${name}`] ?? ''
  const run = workloads(rendered(least())).flatMap(({ pod }) => containersOf(pod).map(({ image }) => image))
  const named = (parse(annotation('images')) as { image: string }[]).map(({ image }) => image)
  assert.deepEqual(named.sort(), [...new Set(run)].sort())
  assert.equal(annotation('license'), 'Apache-2.0')
  assert.equal(annotation('category'), 'security')
  assert.equal(annotation('operator'), 'false')
  assert.ok((parse(annotation('changes')) as unknown[]).length > 0)
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  assert.equal(chart.appVersion, version)
})
