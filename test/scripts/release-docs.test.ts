// What install.md and supply-chain.md tell people to type names files, commands, values and signers that are there.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { SIZING_PATH, sizingText } from '../../scripts/generate/sizing.ts'
import { readCompose } from '../platform/lib/compose.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const PAGES = ['docs/operate/install.md', 'docs/operate/supply-chain.md']
const RELEASE = '.github/workflows/release.yml'

const shell = (text: string): string =>
  [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, body = '']) => body).join('\n')

/** Files and folders of the repository in commands and code spans, and the npm scripts. */
function named(text: string): { paths: string[]; scripts: string[] } {
  const words = [
    ...shell(text).split(/[\s"=]+/),
    ...[...text.matchAll(/`([^`\s]+)`/g)].map(([, span = '']) => span),
  ]
  const inProject = /^(?:scripts|deploy|helm|k8s|nginx|seccomp|supply-chain|docs|test|\.github)\/[\w./-]+$/
  const topLevel = /^(?:compose\.yaml|renovate\.json|package\.json|CHANGELOG\.md|Dockerfile)$/
  return {
    paths: [...new Set(words.filter((word) => inProject.test(word) || topLevel.test(word)))],
    scripts: [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name = '']) => name),
  }
}

describe('what the pages name', () => {
  const manifest = JSON.parse(read('package.json')) as { version: string; scripts: Record<string, string> }
  // Made by the reader, on the way.
  const MADE = ['deploy/compose/state']

  for (const page of PAGES)
    test(page, () => {
      const { paths, scripts } = named(read(page))
      assert.ok(paths.length >= 5, paths.join())
      assert.deepEqual(
        paths.filter((path) => !MADE.includes(path) && !existsSync(join(ROOT, path))),
        [],
      )
      assert.deepEqual(
        scripts.filter((name) => !(name in manifest.scripts)),
        [],
      )
    })

  test('a file and a script that are not there would be noticed', () => {
    const { paths, scripts } = named(
      '`scripts/absent`\n```sh\nnode scripts/other.ts --to=helm/none\nnpm run nothing\n```\n',
    )
    assert.deepEqual(paths.sort(), ['helm/none', 'scripts/absent', 'scripts/other.ts'])
    assert.deepEqual(scripts, ['nothing'])
  })

  test('the version is the one of package.json', () => {
    for (const page of PAGES) {
      const found = [...read(page).matchAll(/(?<![\w.])v?(\d+\.\d+\.\d+)(?![\w.]|\.\d)/g)].map(
        ([, version]) => version,
      )
      assert.ok(found.length > 0)
      assert.deepEqual([...new Set(found)], [manifest.version], page)
    }
  })
})

describe('install.md', () => {
  const text = read('docs/operate/install.md')
  const values = parse(read('helm/ductape-mcp/values.yaml')) as Record<string, unknown>
  const chartValue = (path: string): unknown =>
    path.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], values)

  test('sets values that the chart has', () => {
    const set = [...shell(text).matchAll(/--set ([\w.]+)=/g)].map(([, path = '']) => path)
    assert.ok(set.length >= 7)
    for (const path of set) assert.notEqual(chartValue(path), undefined, path)
    // What only the reader knows: free-form below these.
    const free = /^(?:config|live|secrets)(?:\.|$)/
    const leaves = (value: unknown, path: string): string[] =>
      typeof value === 'object' && value !== null && !Array.isArray(value) && !free.test(path)
        ? Object.entries(value).flatMap(([key, inner]) => leaves(inner, path === '' ? key : `${path}.${key}`))
        : [path]
    const yaml = /<<'VALUES'\n([\s\S]*?)^VALUES$/m.exec(text)?.[1]
    assert.ok(yaml !== undefined)
    for (const path of leaves(parse(yaml), '')) assert.notEqual(chartValue(path), undefined, path)
  })

  test('creates the Secrets that it installs with', () => {
    const created = [...shell(text).matchAll(/create secret (?:tls|generic) ([\w-]+)/g)].map(
      ([, name]) => name,
    )
    const used = [...shell(text).matchAll(/(?:existingSecret|clientSecret)[=:] *([\w-]+)/g)].map(
      ([, name]) => name,
    )
    assert.ok(used.length >= 4)
    for (const name of used) assert.ok(created.includes(name), `${name} is never created`)
  })

  test('makes certificates at the places that it reads them from', () => {
    const usage = read('scripts/certs')
    assert.match(usage, /DIR\/tls\/ +tls\.crt tls\.key/)
    assert.match(usage, /DIR\/clients\/NAME\/ +tls\.crt tls\.key ca\.crt/)
    const files = [...shell(text).matchAll(/certs\/([\w-]+(?:\/[\w-]+)?)\/([\w.]+)/g)].map(
      ([, folder, file]) => `${folder}/${file}`,
    )
    assert.deepEqual([...new Set(files)].sort(), [
      'client-ca/ca.crt',
      'clients/agent-1/ca.crt',
      'clients/agent-1/tls.crt',
      'clients/agent-1/tls.key',
      'tls/tls.crt',
      'tls/tls.key',
    ])
  })

  test('names the parts of compose.yaml', () => {
    const paragraph = /`compose\.yaml` runs (.*?)[;.]/s.exec(text)?.[1] ?? ''
    const names: Readonly<Record<string, RegExp>> = {
      app: /the service/,
      proxy: /nginx/,
      emulator: /emulator/,
      redis: /Redis/,
      collector: /collector/,
      prometheus: /Prometheus/,
      grafana: /Grafana/,
    }
    assert.deepEqual(Object.keys(readCompose().services).sort(), Object.keys(names).sort())
    for (const pattern of Object.values(names)) assert.match(paragraph, pattern)
  })
})

describe('supply-chain.md', () => {
  const text = read('docs/operate/supply-chain.md')

  test('verifies with the commands that the release runs', () => {
    const release = read(RELEASE)
    const commands = (page: string): string[] =>
      [...page.matchAll(/cosign (verify(?:-\w+)?)((?: --[\w-]+ [\w."$-]+)*)/g)].map(
        ([, verb = '', options = '']) =>
          [verb, ...options.trim().split(' --').sort()].join(' --').replaceAll('-- --', '--'),
      )
    assert.deepEqual(new Set(commands(shell(text))), new Set(commands(release)))
    assert.equal(commands(shell(text)).length, 3)
    assert.match(
      release,
      /IDENTITY: https:\/\/github\.com\/\$\{\{ github\.repository \}\}\/\.github\/workflows\/release\.yml@\$\{\{ github\.ref \}\}/,
    )
    assert.ok(text.includes(`IDENTITY=https://github.com/ductape/ductape-mcp/${RELEASE}@refs/tags/v$VERSION`))
  })

  test('lists what the release pushes', () => {
    for (const name of ['ductape-mcp', 'ductape-mcp-proxy', 'charts/ductape-mcp'])
      assert.ok(text.includes(`ghcr.io/ductape/${name}\``), name)
  })
})

test('sizing.md is what the measured pages say', () => {
  assert.equal(read(SIZING_PATH), sizingText())
})
