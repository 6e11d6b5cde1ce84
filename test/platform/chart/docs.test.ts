// The values that the pages show can be copied: each block of YAML whose keys are the chart's renders, over the least values where it is a part.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { CHART, HELM, render, unlessBuilt } from '../lib/helm.ts'
import { ROOT } from '../lib/tools.ts'
import { least, type Values } from './lib/values.ts'

const skip = unlessBuilt(HELM)
const KEYS = Object.keys(parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Values)
const PAGES = ['docs/operate/*.md', 'helm/ductape-mcp/*.md']
  .flatMap((glob) => globSync(glob, { cwd: ROOT }))
  .sort()
// Keys that config.yaml has too: a block of them alone is that file's.
const SHARED = new Set(['store', 'live'])

const shown = PAGES.flatMap((path) =>
  [...readFileSync(join(ROOT, path), 'utf8').matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].flatMap(
    ({ 1: text = '', index }) => {
      const values = (parse(text) ?? {}) as Values
      const names = Object.keys(values)
      const isChart = names.every((name) => KEYS.includes(name)) && !names.every((name) => SHARED.has(name))
      return isChart ? [{ place: `${path}, character ${index}`, values }] : []
    },
  ),
)

test('the pages show values of the chart', () => assert.ok(shown.length >= 4, `${shown.length}`))

for (const { place, values } of shown) {
  test(place, { skip }, () => {
    // With certificates of its own a block is the whole of somebody's values.
    const result = render(Object.hasOwn(values, 'tls') ? { values } : least(values))
    assert.ok(result.ok, result.ok ? '' : result.message)
  })
}
