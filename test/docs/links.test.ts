// Every relative link, anchor and path in the project's pages resolves, and no page names a machine, a registry or a real key.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exists, page, pages, resolveFrom, withoutFences } from './pages.ts'

const all = pages()

/** GitHub's anchor of a heading. */
const slug = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-')

function anchors(text: string): Set<string> {
  const seen = new Map<string, number>()
  const found = new Set<string>()
  for (const line of withoutFences(text).split('\n')) {
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1]
    if (heading === undefined) continue
    const base = slug(heading.replaceAll('`', ''))
    const count = seen.get(base) ?? 0
    seen.set(base, count + 1)
    found.add(count === 0 ? base : `${base}-${count}`)
  }
  return found
}

const linkTargets = (text: string): string[] =>
  [...withoutFences(text).matchAll(/\[[^\]]*\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g)].map(
    ([, target = '']) => target,
  )

function linkFault(from: string, target: string): string | undefined {
  if (/^(https?|mailto):/.test(target)) return undefined
  const [path = '', anchor] = target.split('#')
  const file = path === '' ? from : resolveFrom(from, decodeURIComponent(path))
  if (file === undefined) return `${from}: ${target} leaves the project`
  if (!exists(file)) return `${from}: ${target} does not exist`
  if (anchor !== undefined && file.endsWith('.md') && !anchors(page(file).text).has(anchor)) {
    return `${from}: ${target} has no such heading`
  }
  return undefined
}

test('every relative link resolves', () => {
  const faults = all.flatMap(({ path, text }) =>
    linkTargets(text).flatMap((target) => linkFault(path, target) ?? []),
  )
  assert.deepEqual(faults, [])
})

test('every project path in code spans exists', () => {
  const inSpan = /^(?:src|test|docs|scripts|bench|examples|schema|\.ci)\/[\w./-]*$/
  const faults = all.flatMap(({ path, text }) =>
    [...withoutFences(text).matchAll(/`([^`\n]+)`/g)]
      .map(([, span = '']) => span.replace(/:.*$/, ''))
      .filter((span) => inSpan.test(span) && !exists(span))
      .map((span) => `${path}: ${span} does not exist`),
  )
  assert.deepEqual([...new Set(faults)], [])
})

test('no page names a path of one machine', () => {
  const roots = ['work', 'farm', 'root', 'Users', 'home', 'tmp/bash'].join('|')
  const machinePath = new RegExp(`(?:^|[\\s\`"'(=])/(?:${roots})(?:/|_)[\\w.-]`, 'm')
  assert.match(`see /${'work'}/x`, machinePath)
  assert.deepEqual(
    all.filter(({ text }) => machinePath.test(text)).map(({ path }) => path),
    [],
  )
})

test('no page or lock file names a package registry', () => {
  const registry =
    /\b(?:registry|proxy|files|index|sum)\.(?:npm|yarn|go|python|pypi|crates)\w*\.\w+|\bpypi\.\w+|\bnpmjs\.\w+/
  const files = ['package.json', 'package-lock.json', '.npmrc'].map(page)
  assert.deepEqual(
    [...all, ...files].filter(({ text }) => registry.test(text)).map(({ path }) => path),
    [],
  )
})

test('no page shows a credential that could be real', () => {
  const keys = all.flatMap(({ path, text }) =>
    [...text.matchAll(/\b[ps]k_[A-Za-z0-9_-]{8,}/g)]
      .map(([key]) => key)
      .filter((key) => !/demo|example|your|local|test|0123456789/i.test(key))
      .map((key) => `${path}: ${key}`),
  )
  assert.deepEqual(keys, [])
})

test('SECURITY.md says how to report', () => {
  const { text } = page('SECURITY.md')
  assert.match(text, /^## Reporting/m)
  assert.match(text, /Do not report it in a public issue/)
})

test('a broken link is noticed', () => {
  assert.match(linkFault('docs/requirements.md', 'absent.md') ?? '', /does not exist/)
  assert.match(linkFault('docs/requirements.md', '../../outside.md') ?? '', /leaves the project/)
  assert.match(linkFault('docs/requirements.md', '#absent') ?? '', /no such heading/)
  assert.deepEqual(linkTargets('see [a](b.md "t") and\n```\n[c](d.md)\n```\n'), ['b.md'])
})
