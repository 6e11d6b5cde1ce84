// Merkle trees against RFC 9162 2.1.1 and 2.1.3 written down naively: heads as they grow, paths, and what a path may not be.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { treePaths } from '../../src/audit/merkle.ts'
import { createRecordTree } from '../../src/audit/tree.ts'
import { climbPath } from '../../src/audit/verify/tree.ts'

const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return digest.digest()
}
const claimsOf = (i: number): string => `leaf ${i}`
const leafOf = (i: number): Buffer => sha256(Buffer.from(`\0ductape-receipt/1${claimsOf(i)}`))
const leavesOf = (count: number): Buffer[] => Array.from({ length: count }, (_, i) => leafOf(i))

/** The largest power of two below `size`. */
const split = (size: number): number => {
  let k = 1
  while (k * 2 < size) k *= 2
  return k
}

/** MTH of RFC 9162 2.1.1, over leaf hashes. */
function head(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256()
  if (leaves.length === 1) return leaves[0] as Buffer
  const k = split(leaves.length)
  return sha256(Buffer.from([1]), head(leaves.slice(0, k)), head(leaves.slice(k)))
}

/** PATH of RFC 9162 2.1.3.1, each step with the side on which the sibling stands. */
function path(at: number, leaves: readonly Buffer[]): string[] {
  if (leaves.length === 1) return []
  const k = split(leaves.length)
  return at < k
    ? [...path(at, leaves.slice(0, k)), `R${head(leaves.slice(k)).toString('base64url')}`]
    : [...path(at - k, leaves.slice(k)), `L${head(leaves.slice(0, k)).toString('base64url')}`]
}

const SIZES = [...Array.from({ length: 40 }, (_, i) => i + 1), 63, 64, 65, 127, 128, 129, 512]

describe('a Merkle tree', () => {
  test('the head over records as it grows is that of all so far', () => {
    const tree = createRecordTree()
    const leaves: Buffer[] = []
    for (let size = 1; size <= 130; size++) {
      const record = sha256(Buffer.from(`record ${size}`))
      leaves.push(sha256(Buffer.from([0]), record))
      tree.add(record.toString('base64url'))
      assert.equal(tree.root(), head(leaves).toString('base64url'), `${size} leaves`)
    }
  })

  test('root and paths of a whole tree', () => {
    for (const size of SIZES) {
      const leaves = leavesOf(size)
      const { root, paths } = treePaths(leaves.map((leaf) => leaf.toString('base64url')))
      assert.equal(root, head(leaves).toString('base64url'), `${size} leaves`)
      assert.equal(paths.length, size)
      for (const [at, text] of paths.entries()) {
        assert.equal(text, JSON.stringify(path(at, leaves)), `leaf ${at} of ${size}`)
        assert.equal(climbPath(claimsOf(at), JSON.parse(text)), root)
      }
    }
  })

  test('a path that is changed in any way leads elsewhere, or nowhere', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 64 }), fc.nat(), fc.nat(), (size, seed, where) => {
        const leaves = leavesOf(size)
        const at = seed % size
        const { root, paths } = treePaths(leaves.map((one) => one.toString('base64url')))
        const steps = JSON.parse(paths[at] as string) as string[]
        const leadsToRoot = (changed: unknown[], from = at): boolean =>
          climbPath(claimsOf(from), changed) === root
        assert.ok(leadsToRoot(steps))
        const i = where % steps.length
        const step = steps[i] as string
        assert.equal(leadsToRoot(steps.with(i, (step.startsWith('L') ? 'R' : 'L') + step.slice(1))), false)
        assert.equal(leadsToRoot(steps.toSpliced(i, 1)), false)
        assert.equal(leadsToRoot(steps.toSpliced(i, 0, step)), false)
        const character = 1 + (where % 42)
        const other = step[character] === 'A' ? 'B' : 'A'
        assert.equal(
          leadsToRoot(steps.with(i, step.slice(0, character) + other + step.slice(character + 1))),
          false,
        )
        assert.equal(leadsToRoot(steps, (at + 1) % size), false)
      }),
    )
  })

  test('only canonical steps are climbed, and only so many', () => {
    const step = `L${leafOf(1).toString('base64url')}`
    assert.ok(climbPath(claimsOf(0), [step]))
    assert.equal(climbPath(claimsOf(0), []), leafOf(0).toString('base64url'))
    // The last character of 32 bytes has two spare bits.
    const last = step.at(-1) as string
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const spare = step.slice(0, -1) + alphabet[alphabet.indexOf(last) ^ 1]
    assert.deepEqual(
      Buffer.from(spare.slice(1), 'base64url'),
      leafOf(1),
      'a lenient reader takes the other spelling',
    )
    const bad: unknown[] = [
      spare,
      `${step}=`,
      `l${step.slice(1)}`,
      step.slice(1),
      step.slice(0, -1),
      ` ${step}`,
    ]
    for (const one of [...bad, `${step}\n`, '', 7, null, undefined, [step], step.replace(/.$/, '+')])
      assert.equal(climbPath(claimsOf(0), [one]), undefined, String(one))
    assert.ok(climbPath(claimsOf(0), new Array(20).fill(step)))
    assert.equal(climbPath(claimsOf(0), new Array(21).fill(step)), undefined)
  })
})
