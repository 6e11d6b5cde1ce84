// The path guard refuses every attack of the corpus and no honest path, whatever it is decoded from, and answers anything in time.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { judgePath, MAX_PATH } from '../../../src/admission/guards/path/index.ts'
import { assertBenign, assertCorpus } from '../lib/corpus.ts'
import { settingsOf } from '../lib/defaults.ts'
import { milliseconds } from '../lib/time.ts'
import { ATTACKS } from './attacks.ts'
import { BENIGN } from './benign.ts'
import { anyText, pieces, WORST } from './made.ts'

const DEFAULT = settingsOf().path
const SEED = Number(process.env['SEED'] ?? 20261122)

describe('the corpus', () => {
  test('has enough families and texts, none of them twice', () => assertCorpus(ATTACKS))
  for (const [family, texts] of Object.entries(ATTACKS))
    test(`${family}: all refused`, () => {
      for (const text of texts)
        assert.notEqual(judgePath(text, DEFAULT), undefined, JSON.stringify(text.slice(0, 80)))
    })
  test('honest paths pass', () => {
    assertBenign(BENIGN)
    for (const text of BENIGN) assert.equal(judgePath(text, DEFAULT), undefined, JSON.stringify(text))
  })
})

describe('what a rule can allow', () => {
  const absolute = { ...DEFAULT, absolute: true }
  const metacharacters = { ...DEFAULT, metacharacters: true }
  test('absolute: the leading slash and nothing else', () => {
    assert.equal(judgePath('/reports/a.csv', absolute), undefined)
    for (const text of ['//host/a', '/a/../b', '~/a', 'c:/a', '/a;b'])
      assert.notEqual(judgePath(text, absolute), undefined, text)
  })
  test('metacharacters: those and nothing else', () => {
    for (const text of ['R&D/plan.pdf', 'a$b', 'what?.txt', '{date}.csv'])
      assert.equal(judgePath(text, metacharacters), undefined, text)
    for (const text of ['../a', '/a', 'a\\b', 'a%2fb', '&#46;&#46;', 'a\nb'])
      assert.notEqual(judgePath(text, metacharacters), undefined, text)
  })
  test('at most 4,096 characters', () => {
    const path = 'abcdefg/'.repeat(MAX_PATH / 8)
    assert.equal(judgePath(path, DEFAULT), undefined)
    assert.notEqual(judgePath(`a${path}`, DEFAULT), undefined)
  })
})

const fullWidth = (text: string): string =>
  [...text]
    .map((one) => (/[!-~]/.test(one) ? String.fromCodePoint(one.charCodeAt(0) + 0xfee0) : one))
    .join('')

/** Ways back to the plain text that a storage or a proxy might go. */
const DECODERS: Readonly<Record<string, (text: string) => string>> = {
  itself: (text) => text,
  'percent-decoded once': (text) => decode(text),
  'percent-decoded twice': (text) => decode(decode(text)),
  'folded (NFKC)': (text) => text.normalize('NFKC'),
  'folded, then decoded': (text) => decode(text.normalize('NFKC')),
  'backslashes as slashes': (text) => text.replaceAll('\\', '/'),
  'cut at NUL': (text) => text.split('\0')[0] ?? '',
  'without trailing dots and spaces': (text) => text.replace(/[. ]+(?=\/|$)/g, ''),
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Where the path ends up below a root, as a file system goes. */
const escapes = (text: string): boolean => {
  if (text.startsWith('/')) return true
  let depth = 0
  for (const segment of text.split('/')) {
    if (segment === '..') depth--
    else if (segment !== '.' && segment !== '') depth++
    if (depth < 0) return true
  }
  return false
}

test('what passes escapes its folder under no way of reading it', () => {
  let passed = 0
  let refused = 0
  fc.assert(
    fc.property(pieces, fc.boolean(), (plain, wide) => {
      const text = wide ? fullWidth(plain) : plain
      if (judgePath(text, DEFAULT) !== undefined) {
        refused++
        return
      }
      passed++
      for (const [name, read] of Object.entries(DECODERS))
        assert.equal(escapes(read(text)), false, `${name}: ${JSON.stringify(text)}`)
    }),
    { seed: SEED, numRuns: 5000 },
  )
  // Both have to happen, or the property says nothing.
  assert.ok(passed > 100 && refused > 1000, `${passed} passed, ${refused} refused`)
})

test('every encoding of an attack that escapes is refused', () => {
  const encoders = [
    (text: string) => encodeURIComponent(text),
    (text: string) => [...text].map((one) => `%${one.charCodeAt(0).toString(16).padStart(2, '0')}`).join(''),
    (text: string) => encodeURIComponent(encodeURIComponent(text)),
    (text: string) => [...text].map((one) => `%u${one.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''),
    (text: string) => text.replaceAll('/', '\\'),
    fullWidth,
    (text: string) => [...text].map((one) => `&#${one.charCodeAt(0)};`).join(''),
  ]
  const attack = fc
    .array(fc.constantFrom('..', 'a', 'etc', '.'), { minLength: 1, maxLength: 6 })
    .map((parts) => `../${parts.join('/')}`)
  fc.assert(
    fc.property(attack, fc.constantFrom(...encoders), (text, encode) => {
      assert.notEqual(judgePath(text, DEFAULT), undefined)
      assert.notEqual(judgePath(encode(text), DEFAULT), undefined, encode(text))
    }),
    { seed: SEED, numRuns: 1000 },
  )
})

test('anything is answered, and the worst text within 20 ms', () => {
  fc.assert(
    fc.property(anyText(), (text) => void judgePath(text, DEFAULT)),
    { seed: SEED, numRuns: 4000 },
  )
  for (const [what, text] of [...Object.entries(WORST), ['far too long', 'a/'.repeat(1_000_000)] as const]) {
    const took = milliseconds(() => judgePath(text, DEFAULT))
    assert.ok(took < 20, `${what} took ${took} ms`)
  }
})
