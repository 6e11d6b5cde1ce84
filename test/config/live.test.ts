// Files of live/: what is refused with which words and where, what an empty one means, and which file a key belongs in.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { loadConditionsFor } from '../../src/admission/policy/index.ts'
import { formatProblems, LIVE_FILES, type LiveFile, type Problem } from '../../src/config/index.ts'
import { HOMES, type Home } from '../../src/config/keys.ts'
import { parseLive } from '../../src/config/live.ts'
import { parseConfig } from '../../src/config/parse.ts'
import { BAD_LIVE_FILES } from './bad-live-files.ts'

await loadConditionsFor('when')

const problemsOf = (file: LiveFile, text: string): readonly Problem[] => {
  const result = parseLive(file, text, `live/${file}`)
  return result.ok ? [] : result.problems
}

for (const file of LIVE_FILES) {
  describe(`bad ${file}`, () => {
    for (const [text, ...expected] of BAD_LIVE_FILES[file]) {
      it(JSON.stringify(text.length > 70 ? `${text.slice(0, 67)}...` : text), () => {
        const problems = problemsOf(file, text)
        assert.deepEqual(
          problems.map(({ path, line, column }) => [path, line, column]),
          expected.map(([path, line, column]) => [path, line, column]),
          formatProblems(problems),
        )
        for (const [index, [, , , message]] of expected.entries()) {
          assert.match(problems[index]?.message ?? '', message)
          assert.notEqual(problems[index]?.fix, '')
          assert.equal(problems[index]?.source, `live/${file}`)
        }
      })
    }

    it('are at least 12', () => assert.ok(BAD_LIVE_FILES[file].length >= 12))

    it('never have a text value of theirs in the report', () => {
      for (const name of Object.keys(HOMES[`live/${file}`].shape)) {
        for (const value of [
          'canary-4711',
          '[canary-4711',
          '!x canary-4711',
          '*canary-4711',
          '[[canary-4711]]',
        ])
          assert.doesNotMatch(formatProblems(problemsOf(file, `${name}: ${value}\n`)), /canary/, name)
      }
    })
  })
}

describe('a file of live/', () => {
  it('that is empty, holds comments only or {} is valid and holds nothing', () => {
    for (const file of LIVE_FILES)
      for (const text of ['', '\n', '# nothing\n', '{}', '---\n', '\uFEFFversion: 1\n'])
        assert.deepEqual(problemsOf(file, text), [], `${file} ${JSON.stringify(text)}`)
  })

  it('that is larger than 4 MiB has to be JSON', () => {
    assert.match(
      problemsOf('keys.yaml', `#${' '.repeat(4 * 1024 * 1024)}\n`)[0]?.message ?? '',
      /larger than 4096 KiB/,
    )
    assert.deepEqual(problemsOf('keys.yaml', `{"keys": []${' '.repeat(4 * 1024 * 1024)}}`), [])
  })

  it('keeps what could be read of bad revocations', () => {
    const result = parseLive(
      'revocations.yaml',
      'revocations:\n  - { kind: jti, value: x }\n  - { kind: no }\n',
      'f',
    )
    assert.ok(!result.ok)
    assert.deepEqual(result.unchecked, { revocations: [{ kind: 'jti', value: 'x' }, { kind: 'no' }] })
  })

  it('is answered, never thrown at, whatever it holds (seed 11)', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        ...[
          'roles',
          'keys',
          'tenant',
          'revocations',
          'when',
          'until',
          ':',
          ' ',
          '\n',
          '\n  ',
          '- ',
          '[',
          ']',
        ],
        ...['{', '}', '"', '&a ', '*a', '!t ', '#', '|', '<<', '~', 'off', '1e999', '\t', '---', '__proto__'],
      ),
      fc.string({ unit: 'binary', maxLength: 4 }),
    )
    fc.assert(
      fc.property(fc.constantFrom(...LIVE_FILES), fc.array(piece, { maxLength: 30 }), (file, pieces) => {
        const result = parseLive(file, pieces.join(''), 'f')
        assert.ok(result.ok || result.problems.every(({ message, fix }) => message !== '' && fix !== ''))
      }),
      { seed: 11, numRuns: 2000 },
    )
  })
})

describe('a key in the wrong file', () => {
  const homes = Object.keys(HOMES) as Home[]
  const homesOf = (key: string): Home[] => homes.filter((home) => Object.hasOwn(HOMES[home].shape, key))
  const read = (home: Home, text: string): readonly Problem[] => {
    if (home !== 'config.yaml') return problemsOf(home.slice('live/'.length) as LiveFile, text)
    const result = parseConfig(text, home)
    return result.ok ? [] : result.problems
  }

  for (const home of homes) {
    it(`is told the way to ${home}, whichever it is`, () => {
      let told = 0
      for (const key of Object.keys(HOMES[home].shape)) {
        if (homesOf(key).length > 1) continue
        for (const other of homes.filter((one) => one !== home)) {
          const [problem, ...others] = read(other, `${key}: 1\n`)
          assert.deepEqual(others, [])
          assert.equal(problem?.path, key)
          assert.equal(problem?.message, `belongs in ${home}`, `${key} in ${other}`)
          told++
        }
      }
      // Each file has keys of its own but keys.yaml, whose one name is a section of config.yaml as well.
      assert.equal(told > 0, home !== 'live/keys.yaml')
    })
  }
})
