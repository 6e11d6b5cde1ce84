// ductape_generate_snippet: the payload of the backend with source code around it, and what has none.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { SNIPPET_FAMILIES, snippetFamily } from '../../src/catalogue/index.ts'
import { callRest, callTool, GENERATE, textOf } from '../lib/calls.ts'
import { startWire, type Wire } from './lib/wire.ts'

interface Snippet {
  payload: { payload: Record<string, unknown>; meta: Record<string, unknown> }
  snippet: string
}

describe('ductape_generate_snippet', () => {
  let wire: Wire
  before(async () => {
    wire = await startWire()
  })
  after(() => wire.close())

  const snippet = (args: Record<string, unknown> = {}): ReturnType<typeof callTool> =>
    callTool(wire.url, 'ductape_generate_snippet', { ...GENERATE, ...args })

  test('the backend never sees the language; the other defaults go out', async () => {
    for (const args of [{}, { language: 'python' }]) {
      await snippet(args)
      assert.deepEqual(wire.last().json, {
        ...GENERATE,
        schema_mode: 'best_effort',
        include_session: true,
        include_cache: true,
      })
      assert.equal(wire.last().headers['x-access-key'], GENERATE.public_key)
    }
  })

  test('TypeScript by default, Python on demand, any other language refused', async () => {
    const typescript = (await snippet()).structuredContent as Snippet
    assert.deepEqual((await snippet({ language: 'typescript' })).structuredContent, typescript)
    assert.match(typescript.snippet, /await ductape\.databases\.query\(/)
    const python = (await snippet({ language: 'python' })).structuredContent as Snippet
    assert.match(python.snippet, /ductape\.databases\.query\(/)
    assert.notEqual(python.snippet, typescript.snippet)
    for (const language of ['Python', 'js', '', null]) {
      const answer = await snippet({ language })
      assert.equal(answer.isError, true)
      assert.match(textOf(answer), /^\[argument_invalid\] The argument `language` must be /)
    }
  })

  test('the text is {payload: {payload, meta}, snippet}, and structuredContent the same', async () => {
    const answer = await snippet()
    const value = JSON.parse(textOf(answer)) as Snippet
    assert.deepEqual(Object.keys(value), ['payload', 'snippet'])
    assert.deepEqual(Object.keys(value.payload), ['payload', 'meta'])
    assert.deepEqual(answer.structuredContent, value)
    assert.deepEqual((await callRest(wire.url, 'ductape_generate_snippet', GENERATE)).body, value)
  })

  test('no key stands in the code', async () => {
    for (const language of ['typescript', 'python']) {
      const { snippet: code } = (await snippet({ language })).structuredContent as Snippet
      for (const secret of [GENERATE.public_key, GENERATE.user_id]) assert.ok(!code.includes(secret))
    }
  })

  test('every family has its snippet in both languages', async () => {
    for (const operation_family of SNIPPET_FAMILIES) {
      const method = snippetFamily(operation_family)?.methods[0]
      for (const language of ['typescript', 'python']) {
        const answer = await snippet({ operation_family, method, language })
        assert.equal(answer.isError, undefined, `${operation_family}.${method}: ${textOf(answer)}`)
        assert.ok((answer.structuredContent as Snippet).snippet.length > 50)
      }
    }
  })

  test('an operation without a snippet is refused before the backend is asked', async () => {
    const before = wire.seen.length
    for (const [operation_family, method, allowed] of [
      ['database', 'drop', `Allowed methods for database: ${snippetFamily('database')?.methods.join(', ')}`],
      ['databases', 'query', `Allowed operation families: ${SNIPPET_FAMILIES.join(', ')}`],
      ['constructor', 'toString', `Allowed operation families: ${SNIPPET_FAMILIES.join(', ')}`],
      ['Action', 'run', `Allowed operation families: ${SNIPPET_FAMILIES.join(', ')}`],
    ] as const) {
      const answer = await snippet({ operation_family, method })
      assert.equal(answer.isError, true)
      assert.equal(
        textOf(answer),
        `Unsupported snippet operation "${operation_family}.${method}". ${allowed}`,
      )
    }
    assert.equal(wire.seen.length, before)
  })

  test('the arguments are checked before the operation', async () => {
    const answer = await snippet({ operation_family: 'nope', workspace_id: '' })
    assert.equal(textOf(answer), '[argument_invalid] The argument `workspace_id` must not be empty.')
  })
})
