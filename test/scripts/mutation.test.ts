// The mutation run itself, on a small project: what no test notices must not look noticed.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { apply, findMutants } from '../../scripts/verify/lib/mutate.ts'
import { allMutants, type Outcome, runMutants } from '../../scripts/verify/lib/mutation-run.ts'
import { idleReasons, ROOT, SUITES } from '../../scripts/verify/lib/mutation-suites.ts'

const folder = mkdtempSync(join(tmpdir(), 'ductape-mcp-mutation-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const mutate = (source: string, file = 'src/a.ts'): string[] =>
  findMutants(file, source).map((mutant) => apply(source, mutant))

describe('findMutants', () => {
  it('makes the condition of an if false, and leaves out each operand', () => {
    assert.deepEqual(mutate('if (a || b(c)) throw 1'), [
      'if (false) throw 1',
      'if ((b(c))) throw 1',
      'if ((a)) throw 1',
    ])
  })

  it('leaves out each operand of a chain once', () => {
    assert.deepEqual(mutate('x = a && b && c'), ['x = (b) && c', 'x = (a) && c', 'x = (a && b)'])
  })

  it('keeps one branch of a conditional expression', () => {
    assert.deepEqual(mutate('x = a ? b : c'), ['x = (c)', 'x = (b)'])
  })

  it('leaves out one check of a chain of checks, but not a default', () => {
    assert.deepEqual(mutate('x = f(a) ?? g(a) ?? 1'), ['x = (g(a)) ?? 1', 'x = (f(a)) ?? 1'])
  })

  it('leaves out filters, and the rules of a schema in a config.ts', () => {
    assert.deepEqual(mutate('x = list.filter(good)'), ['x = (list)'])
    assert.deepEqual(mutate('x = z.string().min(1).max(9)'), [])
    assert.deepEqual(mutate('x = z.string().min(1).max(9)', 'src/a/config.ts'), [
      'x = (z.string()).max(9)',
      'x = (z.string().min(1))',
    ])
  })

  it('leaves a comparison with undefined alone unless it is the whole condition', () => {
    assert.deepEqual(mutate('if (a === undefined) throw 1'), ['if (false) throw 1'])
    assert.deepEqual(mutate('x = a !== undefined && f(a)'), ['x = (a !== undefined)'])
    assert.deepEqual(mutate('x = a === undefined ? 1 : f(a)'), [])
  })

  it('gives two checks of the same words two names', () => {
    const names = findMutants('src/a.ts', 'if (a) throw 1\nif (a) throw 2').map(({ line, text }) => [
      line,
      text,
    ])
    assert.deepEqual(names, [
      [1, 'if (a)'],
      [2, 'if (a) (2)'],
    ])
  })

  it('makes files that can be loaded, of every source that it is used on', () => {
    const all = allMutants(ROOT, SUITES)
    assert.ok(all.length > 900)
    for (const file of new Set(all.map((mutant) => mutant.file))) {
      const source = readFileSync(join(ROOT, file), 'utf8')
      for (const mutant of all.filter((one) => one.file === file))
        assert.doesNotThrow(() => findMutants(file, apply(source, mutant)), `${file}: ${mutant.text}`)
    }
  })
})

describe('runMutants', () => {
  const HEAD = "import { test } from 'node:test'\nimport assert from 'node:assert/strict'\n"
  const project = (files: Record<string, string>): string => {
    const root = mkdtempSync(join(folder, 'project-'))
    for (const [name, text] of Object.entries({ 'package.json': '{"type":"module"}', ...files })) {
      mkdirSync(dirname(join(root, name)), { recursive: true })
      writeFileSync(join(root, name), text)
    }
    return root
  }
  const SOURCE = `export function check(value: number): string {
  if (value < 0) return 'negative'
  if (value > 9) return 'large'
  let left = value
  while (true) {
    if (left === 0) return 'ok'
    left--
  }
}
`
  async function outcomes(
    tests: Record<string, string>,
  ): Promise<{ lines: string[]; broken: readonly string[] }> {
    const root = project({ 'src/check.ts': SOURCE, ...tests })
    const suites = [{ of: 'src/*.ts', tests: ['test/*.test.ts'] }]
    const said: Outcome[] = []
    const result = await runMutants(allMutants(root, suites), {
      root,
      suites,
      jobs: 2,
      timeout: 5000,
      onOutcome: (outcome) => said.push(outcome),
    })
    assert.deepEqual(said, result.outcomes)
    assert.equal(readFileSync(join(root, 'src/check.ts'), 'utf8'), SOURCE)
    const lines = result.outcomes.map(
      ({ mutant, killer, late }) => `${mutant.line} ${killer ?? 'survived'}${late ? ', late' : ''}`,
    )
    return { lines: lines.sort(), broken: result.broken }
  }
  const FIRST = `${HEAD}import { check } from '../src/check.ts'
test('negative', () => assert.equal(check(-1), 'negative'))
test('ok', () => assert.equal(check(1), 'ok'))
`

  it('tells what a test noticed, what held it up, and what survived', async () => {
    assert.deepEqual(await outcomes({ 'test/a.test.ts': FIRST }), {
      lines: ['2 test/a.test.ts, late', '3 survived', '6 test/a.test.ts, late'],
      broken: [],
    })
  })

  it('asks every test file of the suite', async () => {
    const large = `${HEAD}import { check } from '../src/check.ts'\ntest('large', () => assert.equal(check(10), 'large'))\n`
    const { lines } = await outcomes({ 'test/a.test.ts': FIRST, 'test/b.test.ts': large })
    assert.ok(lines.includes('3 test/b.test.ts'), lines.join())
  })

  it('takes no word of a test that fails anyway', async () => {
    const failing = `${HEAD}test('fails', () => assert.fail())\n`
    const { lines, broken } = await outcomes({ 'test/a.test.ts': failing })
    assert.deepEqual(lines, ['2 survived', '3 survived', '6 survived'])
    assert.deepEqual(broken, ['test/a.test.ts'])
  })

  it('refuses a suite without tests', async () => {
    const root = project({ 'src/check.ts': SOURCE })
    const suites = [{ of: 'src/*.ts', tests: ['test/*.test.ts'] }]
    const run = runMutants(allMutants(root, suites), {
      root,
      suites,
      jobs: 1,
      timeout: 5000,
      onOutcome: () => undefined,
    })
    await assert.rejects(run, /no test file answers for src\/check\.ts/)
  })
})

it('every reason is for a check that is there', () =>
  assert.deepEqual(idleReasons(allMutants(ROOT, SUITES)), []))
