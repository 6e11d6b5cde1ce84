// docs/soc2.md and the bundle's own map say the same, and every command that the page names exists with its options.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CRITERIA } from '../../src/audit/criteria.ts'
import { run } from '../lib/process.ts'
import { exists, page, tableRows } from './pages.ts'

const { text } = page('docs/soc2.md')
const rows = tableRows(text)
const WANTED = [
  ...['CC6.1', 'CC6.2', 'CC6.3', 'CC6.6', 'CC6.7', 'CC6.8'],
  ...['CC7.1', 'CC7.2', 'CC7.3', 'CC7.4', 'CC8.1', 'A1', 'C1', 'PI1'],
]

test('every criterion has one row, and the files that the bundle names', () => {
  assert.deepEqual(
    rows.map(([criterion = '']) => criterion.split(' ')[0]),
    WANTED,
  )
  assert.deepEqual(
    CRITERIA.map(({ id }) => id),
    WANTED,
  )
  for (const [i, [, , evidence = '']] of rows.entries())
    assert.deepEqual(
      [...evidence.matchAll(/`([\w-]+\.json)`/g)].map(([, file]) => file),
      CRITERIA[i]?.files,
    )
})

test('every command exists', async () => {
  const shown = [
    ...rows.map(([, , , command = '']) => command.replaceAll('`', '')),
    ...(/```sh\n([\s\S]*?)```/.exec(text)?.[1] ?? '').trim().split('\n'),
  ]
  assert.equal(shown.length, WANTED.length + 2)
  const helps = new Map<string, string>()
  for (const command of shown) {
    const area = /^npm run verify (\w+)$/.exec(command)?.[1]
    if (area !== undefined) {
      assert.ok(exists(`scripts/verify/${area}.ts`), command)
      continue
    }
    const [, name = '', rest = ''] = /^ductape-mcp ([a-z]+)(.*)$/.exec(command) ?? []
    assert.notEqual(name, '', command)
    const help = helps.get(name) ?? (await run([name, '--help'])).stdout
    helps.set(name, help)
    const own = rest.replace(/'[^']*'/g, '')
    const [, action] = /^ ([a-z]+)(?= |$)/.exec(own) ?? []
    if (action !== undefined) assert.match(help, new RegExp(`\\b${action}\\b`), command)
    for (const [option] of own.matchAll(/(?<= )--[a-z-]+/g))
      assert.ok(help.includes(option), `${command}: ${option}`)
  }
})
