// k8s/ is what the chart renders: the base by its text, base and overlay together by their objects; kustomize itself agrees.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import {
  committed,
  differing,
  K8S,
  k8sFiles,
  NAMESPACE,
  OVERLAYS,
  objects,
} from '../../../scripts/generate/k8s.ts'
import type { Change } from '../../../scripts/generate/k8s-patch.ts'
import { HELM, helmTemplate, parseItems, unlessBuilt } from '../lib/helm.ts'
import { path, ROOT, unless } from '../lib/tools.ts'
import { apply } from './lib/json-patch.ts'

const skip = unlessBuilt(HELM)

const read = (path: string): unknown => parse(readFileSync(join(ROOT, K8S, path), 'utf8'), { version: '1.1' })

interface Kustomization {
  resources: string[]
  patches?: { path: string; target: { kind: string; name: string } }[]
}

interface Named {
  kind: string
  metadata: { name: string; namespace?: string }
}

const key = ({ kind, metadata }: Named): string => `${kind}/${metadata.name}`
const wanted = (folder: string): Map<string, unknown> =>
  new Map(
    objects(helmTemplate(`${K8S}/${folder}/values.yaml`, 'ductape-mcp', NAMESPACE)).map(({ object }) => [
      key(object as Named),
      object,
    ]),
  )

test('what is committed is what the chart renders: node scripts/generate/k8s.ts', { skip }, () => {
  const files = k8sFiles(helmTemplate)
  assert.ok(files.size > 10)
  assert.deepEqual(differing(files, committed()), [])
  const [first = ''] = files.keys()
  assert.deepEqual(differing(files, new Map([...committed(), [first, 'changed']])), [first])
  assert.deepEqual(differing(files, new Map([...committed(), ['base/more.yaml', '']])), ['base/more.yaml'])
})

test('the base is the text of helm template, object by object', { skip }, () => {
  const text = helmTemplate(`${K8S}/base/values.yaml`, 'ductape-mcp', NAMESPACE)
  const { resources } = read('base/kustomization.yaml') as Kustomization
  const own = resources.filter((name) => name !== 'namespace.yaml')
  assert.equal(own.length, parseItems(text).length)
  for (const name of own) {
    const [, ...lines] = readFileSync(join(ROOT, K8S, 'base', name), 'utf8').split('\n')
    assert.ok(text.includes(lines.join('\n').trim()), name)
  }
})

for (const overlay of OVERLAYS) {
  const folder = `overlays/${overlay}`
  test(`${folder}: base and patches are the chart with its values`, { skip }, () => {
    const { resources } = read('base/kustomization.yaml') as Kustomization
    const base = resources
      .filter((name) => name !== 'namespace.yaml')
      .map((name) => read(`base/${name}`) as Named)
    const own = read(`${folder}/kustomization.yaml`) as Kustomization
    const made = new Map<string, unknown>(base.map((object) => [key(object), object]))
    for (const name of own.resources.filter((one) => one !== '../../base')) {
      const object = read(`${folder}/${name}`) as Named
      made.set(key(object), object)
    }
    for (const { path: file, target } of own.patches ?? []) {
      const at = `${target.kind}/${target.name}`
      made.set(at, apply(made.get(at), read(`${folder}/${file}`) as Change[]))
    }
    assert.deepEqual(made, wanted(folder))
    assert.notDeepEqual(made, wanted('base'))
  })
  test(`${folder}: kustomize builds the same`, { skip: skip || unless('kustomize') }, () => {
    const text = execFileSync(path('kustomize'), ['build', join(ROOT, K8S, folder)], { encoding: 'utf8' })
    const items = parseItems(text).filter(({ kind }) => kind !== 'Namespace')
    const made = new Map(
      items.map((item) => {
        assert.equal(item.metadata.namespace, NAMESPACE)
        const { namespace: _, ...metadata } = item.metadata
        return [key(item), { ...item, metadata }]
      }),
    )
    assert.deepEqual(made, wanted(folder))
  })
}
