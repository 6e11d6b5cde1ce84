// Every example of the documents that describe the tools runs against the emulator; its answer is a committed snapshot (UPDATE_SNAPSHOTS=1 writes them).
import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { callRest, callTool, textOf } from '../lib/calls.ts'
import { EXAMPLES } from './lib/examples.ts'
import { startWire } from './lib/wire.ts'

const SNAPSHOTS = join(import.meta.dirname, 'snapshots')
const update = process.env['UPDATE_SNAPSHOTS'] === '1'

function matches(file: string, text: string): void {
  const path = join(SNAPSHOTS, file)
  if (update) {
    mkdirSync(SNAPSHOTS, { recursive: true })
    writeFileSync(path, text)
  }
  assert.equal(text, readFileSync(path, 'utf8'))
}

describe('examples', () => {
  for (const example of EXAMPLES) {
    // A service of its own each, so that no example sees what another one has changed.
    test(example.name, async () => {
      const wire = await startWire()
      try {
        const answer = await callTool(wire.url, example.tool, example.arguments)
        assert.equal(answer.isError, undefined, textOf(answer))
        matches(`${example.name}.json`, `${textOf(answer)}\n`)
        const { snippet } = (answer.structuredContent ?? {}) as { snippet?: string }
        if (snippet !== undefined) matches(`${example.name}.ts.txt`, snippet)
        assert.equal(wire.seen.length, 1)
      } finally {
        await wire.close()
      }
    })

    test(`${example.name} over REST`, async () => {
      const wire = await startWire()
      try {
        const { status, body } = await callRest(wire.url, example.tool, example.arguments)
        assert.equal(status, 200)
        matches(`${example.name}.json`, `${JSON.stringify(body, null, 2)}\n`)
      } finally {
        await wire.close()
      }
    })
  }

  test('no snapshot is left over', () => {
    const names = new Set(EXAMPLES.map(({ name }) => name))
    for (const file of readdirSync(SNAPSHOTS)) assert.ok(names.has(file.split('.', 1)[0] ?? ''), file)
  })
})
