// docs/architecture.md shows the stages that run, in their order, and every place of src; the ADRs have their form.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { STAGES } from '../../src/pipeline.ts'
import { page, ROOT, tableRows } from './pages.ts'

const architecture = page('docs/architecture.md').text

const section = (heading: string) => {
  const found = architecture.split(/^##+ /m).find((part) => part.startsWith(`${heading}\n`))
  assert.ok(found, `no section "${heading}"`)
  return found
}

test('the drawing shows the stages in their order', () => {
  const [, drawing = ''] = section('The way of a call').split('```')
  const drawn = [...drawing.matchAll(/^ {3}([a-z]+) {2,}\S/gm)].map(([, name]) => name)
  assert.deepEqual(
    drawn,
    STAGES.map(({ name }) => name),
  )
})

test('every place of src is in the table, and nothing else', () => {
  const listed = tableRows(section('Where things are'))
    .flatMap((cells) => [...cells.join(' ').matchAll(/`src\/([a-z]+(?:\.ts)?)`/g)].map(([, place]) => place))
    .sort()
  // An empty folder is not in git; a fresh clone does not have it.
  const found = readdirSync(join(ROOT, 'src'), { withFileTypes: true })
    .filter(
      (entry) =>
        (entry.isFile() && !entry.name.endsWith('.d.ts')) ||
        (entry.isDirectory() && readdirSync(join(ROOT, 'src', entry.name)).length > 0),
    )
    .map(({ name }) => name)
    .sort()
  assert.deepEqual(listed, found)
})

test('each ADR is numbered in turn and says context, decision and consequences', () => {
  const files = readdirSync(join(ROOT, 'docs/adr')).sort()
  for (const [index, file] of files.entries()) {
    const number = index + 1
    assert.ok(file.startsWith(`${String(number).padStart(4, '0')}-`), `${file} is out of order`)
    const { text } = page(`docs/adr/${file}`)
    assert.match(text, new RegExp(`^# ${number}\\. \\S`))
    for (const heading of ['Context', 'Decision', 'Consequences']) {
      assert.match(text, new RegExp(`^## ${heading}$`, 'm'), `${file} has no ${heading}`)
    }
  }
})
