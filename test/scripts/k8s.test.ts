// k8s/ without helm: every file that a kustomization names is there and named once, every patch has its object; and the patches that the generator writes.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { parse, parseAllDocuments } from 'yaml'
import { K8S, OVERLAYS } from '../../scripts/generate/k8s.ts'
import { type Change, difference } from '../../scripts/generate/k8s-patch.ts'
import { loadConditionsFor } from '../../src/admission/policy/index.ts'
import { formatProblems, loadConfig } from '../../src/config/index.ts'
import { parseLive } from '../../src/config/live.ts'
import { apply } from '../platform/chart/lib/json-patch.ts'

const ROOT = resolve(import.meta.dirname, '../..', K8S)
const FOLDERS = ['base', ...OVERLAYS.map((name) => `overlays/${name}`)]

interface Kustomization {
  resources: string[]
  patches?: { path: string; target: { kind: string; name: string } }[]
}

const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const kustomization = (folder: string): Kustomization =>
  parse(text(`${folder}/kustomization.yaml`)) as Kustomization

for (const folder of FOLDERS) {
  test(`${folder}: every file is used, every used file is there`, () => {
    const { resources, patches = [] } = kustomization(folder)
    const named = [...resources, ...patches.map(({ path }) => path)]
    for (const name of named) assert.ok(existsSync(join(ROOT, folder, name)), name)
    const files = readdirSync(join(ROOT, folder)).filter(
      (name) => !['kustomization.yaml', 'values.yaml'].includes(name),
    )
    assert.deepEqual(named.filter((name) => !name.startsWith('../')).sort(), files.sort())
  })
  test(`${folder}: every file is YAML with one document and no key given twice`, () => {
    for (const name of readdirSync(join(ROOT, folder))) {
      const documents = parseAllDocuments(text(`${folder}/${name}`), { uniqueKeys: true })
      assert.deepEqual(
        documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]),
        [],
        name,
      )
      assert.equal(documents.length, 1, name)
    }
  })
}

test('every patch has its object in the base', () => {
  const base = kustomization('base').resources.map(
    (name) => parse(text(`base/${name}`)) as { kind: string; metadata: { name: string } },
  )
  const targets = OVERLAYS.flatMap((name) => kustomization(`overlays/${name}`).patches ?? []).map(
    ({ target }) => target,
  )
  assert.ok(targets.length > 0)
  for (const { kind, name } of targets)
    assert.ok(
      base.some((object) => object.kind === kind && object.metadata.name === name),
      `${kind} ${name}`,
    )
})

test('no image of k8s/ is without a tag or latest, and the namespace enforces "restricted"', () => {
  const all = FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder)).map((name) => text(`${folder}/${name}`)),
  ).join('\n')
  const images = [...all.matchAll(/^\s*-?\s*image: (\S+)$/gm)].map(([, image = '']) => image)
  assert.ok(images.length >= 3)
  for (const image of images) assert.match(image, /(?:@sha256:[0-9a-f]{64}|:\d[\w.-]*)$/)
  assert.match(text('base/namespace.yaml'), /pod-security\.kubernetes\.io\/enforce: restricted/)
})

/** The texts of a key of a ConfigMap: in the base, and in the patches of the overlays. */
function texts(file: string, key: string): string[] {
  const { data } = parse(text(`base/${file}`)) as { data: Record<string, string> }
  const patches = OVERLAYS.map((name) => `overlays/${name}/patch-${file}`).filter((path) =>
    existsSync(join(ROOT, path)),
  )
  const changed = patches.flatMap((path) =>
    (parse(text(path)) as Change[])
      .filter((change) => change.path === `/data/${key}`)
      .map(({ value }) => String(value)),
  )
  return [data[key] ?? '', ...changed]
}

test('the service takes the config and the policy of base and overlays', async () => {
  const configs = texts('configmap-config.yaml', 'config.yaml')
  const policies = texts('configmap-live.yaml', 'policy.yaml')
  assert.deepEqual([configs.length, policies.length], [3, 3])
  for (const config of configs) {
    const result = await loadConfig({ path: 'config.yaml', env: {}, readFile: () => config })
    assert.ok(result.ok, result.ok ? '' : formatProblems(result.problems))
    assert.deepEqual(result.warnings, [])
  }
  for (const policy of policies) {
    await loadConditionsFor(policy)
    const result = parseLive('policy.yaml', policy, 'policy.yaml')
    assert.ok(result.ok, result.ok ? '' : formatProblems(result.problems))
  }
})

const member = fc.record({
  name: fc.constantFrom('a', 'b', 'c', 'd', 'a/b~c'),
  value: fc.integer({ max: 3, min: 0 }),
})
const tree = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.integer({ max: 3, min: 0 }),
    fc.array(fc.integer({ max: 2, min: 0 }), { maxLength: 3 }),
    fc.uniqueArray(member, { maxLength: 5, selector: ({ name }) => name }),
    fc.dictionary(fc.constantFrom('x', 'y/z', '~w'), tie('value'), { maxKeys: 3 }),
  ),
})).value

test('the patch of two objects, applied to the first, gives the second; of two equal ones it is empty', () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom('p', 'q'), tree),
      fc.dictionary(fc.constantFrom('p', 'q'), tree),
      (from, to) => {
        const changes = difference(from, to)
        assert.deepEqual(structuredClone(apply(from, changes)), structuredClone(to))
        assert.deepEqual(difference(to, structuredClone(to)), [])
      },
    ),
  )
})

test('a list whose items have names changes item by item, so that a patch says what it does', () => {
  const from = {
    list: [
      { name: 'a', n: 1 },
      { name: 'b', n: 1 },
    ],
  }
  const to = { list: [{ name: 'a', n: 2 }, { name: 'new' }, { name: 'b', n: 1 }] }
  const expected: Change[] = [
    { op: 'replace', path: '/list/0/n', value: 2 },
    { op: 'add', path: '/list/1', value: { name: 'new' } },
  ]
  assert.deepEqual(difference(from, to), expected)
})
